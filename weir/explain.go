package weir

import (
	"fmt"
	"strings"
	"time"

	"github.com/weir-gateway/weir/call"
)

// WithVerboseHeaders has answers and refusals tell their calls' stories in the
// header weir-explain, for tests under load: whose the call was, what was
// expected of it and what it used, each wait and attempt with the name of the
// key that paid, and what a dry run of the ladder would have done. Do without
// it where callers are not to know the names of keys.
func WithVerboseHeaders() Option {
	return func(s *settings) error {
		s.verbose = true
		return nil
	}
}

// explain is the value of the header weir-explain. Names are quoted, for
// callers choose some of them.
func explain(c *call.Call) string {
	parts := []string{fmt.Sprintf("class=%v", c.Class), fmt.Sprintf("tenant=%+q", c.Tenant)}
	if c.Client != "" {
		parts = append(parts, fmt.Sprintf("client=%+q", c.Client))
	}
	parts = append(parts, fmt.Sprintf("expected=%d+%d", c.Estimate.Input+c.Estimate.Cached, c.Estimate.Output))
	if c.Used.Exact {
		parts = append(parts, fmt.Sprintf("used=%d+%d", c.Used.Charged()+c.Used.CacheRead, c.Used.Output))
	}
	for _, a := range c.Story {
		parts = append(parts, chapter(a))
	}
	if len(c.Would) > 0 {
		words := make([]string, len(c.Would))
		for i, kind := range c.Would {
			words[i] = string(kind)
		}
		parts = append(parts, "would="+strings.Join(words, "+"))
	}
	return strings.Join(parts, "; ")
}

// chapter is one wait, and what came of it: waited=1.2s(input_tokens),
// key="main", 200 in 0.8s.
func chapter(a call.Attempt) string {
	text := "waited=" + seconds(a.Wait.Took)
	if a.Wait.BoundBy != "" {
		text += "(" + a.Wait.BoundBy + ")"
	}
	if a.Key != "" {
		text += fmt.Sprintf(",key=%+q", a.Key)
	}
	if a.Status == 0 {
		return text + "," + a.Kind
	}
	return text + fmt.Sprintf(",%d in %s", a.Status, seconds(a.Took))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3fs", d.Seconds()) }
