package flow

import (
	"context"
	"time"

	"github.com/weir-gateway/weir/call"
)

// breaker refuses calls of a model whose upstream fails.
type breaker interface {
	// Check says whether a call would be refused now.
	Check(now time.Time, model string) *call.Refusal
	// Begin refuses an attempt, or returns whom to tell of its answer; a nil
	// answer says nothing about the upstream.
	Begin(now time.Time, model string) (done func(time.Time, *call.Answer), no *call.Refusal)
}

// shut waits in front of an open breaker, or refuses c there.
func (f *Corridor) shut(ctx context.Context, c *call.Call, last call.Verdict, fresh bool) error {
	if f.Breaker == nil || c.Endpoint != call.Messages {
		return nil
	}
	for {
		no := f.Breaker.Check(time.Now(), c.Model)
		if no == nil {
			return nil
		}
		if err := hold(ctx, c, no, last, fresh); err != nil {
			return err
		}
	}
}

// hold lets a call that has been in the queue wait until the breaker may be
// asked again. A fresh one is refused at once: its client may have something
// better to do than to wait for an upstream that is down. Overload is waited
// out by all, as any other lack of room is.
func hold(ctx context.Context, c *call.Call, no *call.Refusal, last call.Verdict, fresh bool) error {
	now := time.Now()
	delay := no.RetryIn + jitter(1, retryBase, retryCap)
	if fresh && no.Verdict.Kind != call.Overloaded || !now.Add(delay).Before(c.Deadline) {
		if last.Kind != call.OK {
			no.Verdict = last
		}
		no.Waited = now.Sub(c.Received)
		tellWait(c, call.Key{}, no)
		return no
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return &call.Refusal{Reason: call.ClientGone, Cause: context.Cause(ctx)}
	}
}

// send makes one attempt, unless the breaker has opened while c waited.
func (f *Corridor) send(ctx context.Context, c *call.Call, key call.Key) (*call.Answer, *call.Refusal) {
	if f.Breaker == nil || c.Endpoint != call.Messages {
		return f.Upstream.Send(ctx, c, key), nil
	}
	done, no := f.Breaker.Begin(time.Now(), c.Model)
	if no != nil {
		return nil, no
	}
	a := f.Upstream.Send(ctx, c, key)
	if ctx.Err() != nil {
		done(time.Now(), nil) // the client's own end
	} else {
		done(time.Now(), a)
	}
	return a, nil
}
