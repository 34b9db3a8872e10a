package flow

import (
	"context"
	"net/http"
	"time"

	"github.com/weir-gateway/weir/call"
)

// boundRule is the name under which a call hears of the bound.
const boundRule = "queue.at_once"

// Bound is how many calls may be under way at once: one more waits, in the
// order of arrival, until another's answer has been read or closed. A call is
// refused at its deadline. Calls that are answered by a cache or a batch are not
// under way. It is safe for concurrent use.
type Bound struct{ places chan struct{} }

// NewBound returns a bound of n calls, which is above 0.
func NewBound(n int) *Bound { return &Bound{places: make(chan struct{}, n)} }

// bounded lets c go on when there is a place for it.
func (f *Corridor) bounded(ctx context.Context, c *call.Call) (*http.Response, error) {
	if f.Bound == nil {
		return f.attempts(ctx, c)
	}
	if no := f.Bound.enter(ctx, c); no != nil {
		return nil, no
	}
	answered := false
	defer func() { // a panic leaves too
		if !answered {
			f.Bound.leave()
		}
	}()
	resp, err := f.attempts(ctx, c)
	if err != nil {
		return nil, err
	}
	answered = true
	resp.Body = &inside{ReadCloser: resp.Body, leave: f.Bound.leave}
	return resp, nil
}

func (b *Bound) enter(ctx context.Context, c *call.Call) *call.Refusal {
	select {
	case b.places <- struct{}{}:
		return nil
	default:
	}
	began := time.Now()
	late := time.NewTimer(time.Until(c.Deadline))
	defer late.Stop()
	var no *call.Refusal
	select {
	case b.places <- struct{}{}:
	case <-ctx.Done():
		no = &call.Refusal{Reason: call.ClientGone, Cause: context.Cause(ctx)}
	case <-late.C:
		no = &call.Refusal{Reason: call.RuleRefused, Rule: boundRule, RetryIn: time.Second, Waited: time.Since(began)}
	}
	told := call.Attempt{At: time.Now(), Wait: call.Wait{Took: time.Since(began), BoundBy: boundRule}, Kind: "throttled"}
	if no != nil {
		told.Kind = no.Reason.String()
	}
	c.Tell(told)
	return no
}

func (b *Bound) leave() { <-b.places }
