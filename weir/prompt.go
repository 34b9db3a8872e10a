package weir

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/shape"
)

// PromptCaching says when the gateway puts cache_control marks into requests;
// see [WithPromptCaching]. The zero PromptCaching works.
type PromptCaching = shape.BreakpointsConfig

// WithPromptCaching puts cache_control marks into requests whose callers set
// none, where their beginnings repeat, so that the API keeps them in its prompt
// cache: what is read from there costs a tenth or less, and most limits do not
// count it. At most four marks are set, and the rest of the request stays as it
// is, byte for byte.
func WithPromptCaching(p PromptCaching) Option {
	return func(s *settings) error {
		s.prompt = &p
		s.classify.Ends = true
		var errs []error
		if p.TTL != 0 && p.TTL != 5*time.Minute && p.TTL != time.Hour {
			errs = append(errs, fmt.Errorf("prompt caching: the API keeps prompts for 5 minutes or for an hour, not for %v", p.TTL))
		}
		if p.Repeats < 0 {
			errs = append(errs, fmt.Errorf("prompt caching: a prompt cannot repeat %d times", p.Repeats))
		}
		return errors.Join(errs...)
	}
}

// steps are the edits of calls that are about to be sent, and who learns from
// their usage.
func (s *settings) steps(learn func(*call.Call, call.Usage)) (func(*call.Call, call.Usage), []shape.Step) {
	if s.prompt == nil {
		return learn, nil
	}
	marks := shape.NewBreakpoints(*s.prompt)
	return func(c *call.Call, u call.Usage) {
		learn(c, u)
		marks.Learn(c, u)
	}, []shape.Step{marks}
}

// promptTally sums up what the gateway's own marks did.
type promptTally struct {
	mu  sync.Mutex
	sum call.PromptCacheReport // Guarded by mu.
}

// Event implements [call.Observer].
func (t *promptTally) Event(e call.Event) {
	if e.Prompt.Marks == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.Calls++
	t.sum.Freed += e.Usage.CacheRead
	t.sum.Written += e.Usage.CacheWrite
	t.sum.Saved += e.Prompt.Saved - e.Prompt.Premium
}

// PromptCache is what the marks of [WithPromptCaching] have done so far.
func (g *Gateway) PromptCache() call.PromptCacheReport {
	g.prompt.mu.Lock()
	defer g.prompt.mu.Unlock()
	r := g.prompt.sum
	r.At = time.Now()
	return r
}
