package flow

import (
	"context"
	"errors"
	"time"

	"github.com/weir-gateway/weir/call"
)

// breaker refuses calls of a model whose upstream fails. It is asked first as a
// part of the outlook, when the key is picked.
type breaker interface {
	// Begin refuses an attempt, or returns whom to tell of its answer; a nil
	// answer says nothing about the upstream.
	Begin(now time.Time, c *call.Call, key call.Key) (done func(time.Time, *call.Answer), no *call.Refusal)
}

// shut returns err if it says that no upstream takes the call now.
func shut(err error) *call.Refusal {
	if no, ok := errors.AsType[*call.Refusal](err); ok && no.Reason == call.UpstreamDown {
		return no
	}
	return nil
}

// detour finds what to do with a call whose upstreams are shut: another model,
// a wait, or the end.
func (f *Corridor) detour(ctx context.Context, c *call.Call, no *call.Refusal, last call.Verdict, fresh bool) error {
	if f.fallback(c) {
		return nil
	}
	return hold(ctx, c, no, last, fresh)
}

// overloadsBorne is how many attempts of a call may meet an overloaded model
// before another one is tried, where one is configured.
const overloadsBorne = 2

// fallback makes c a call of another model, if one is configured and takes
// calls now.
func (f *Corridor) fallback(c *call.Call) bool {
	if f.Shape == nil || c.NoDegrade || c.Endpoint != call.Messages {
		return false
	}
	if !f.Shape.Fallback(c, func(c *call.Call) bool {
		_, err := f.Keys.Pick(time.Now(), c, f.Outlook)
		return err == nil
	}) {
		return false
	}
	c.Estimate = f.Estimate.Estimate(c)
	return true
}

// hold lets a call that has been in the queue wait until the breaker may be
// asked again. A fresh one is refused at once: its client may have something
// better to do than to wait for an upstream that is down. Overload is waited out
// by all, as any other lack of room is.
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
	return sleep(ctx, delay)
}

// sleep waits for d, or for the client to leave.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return &call.Refusal{Reason: call.ClientGone, Cause: context.Cause(ctx)}
	}
}

// send makes one attempt, unless the breaker has opened while c waited; then
// its permit has ended.
func (f *Corridor) send(ctx context.Context, c *call.Call, at attempt) (attempt, *call.Refusal) {
	at.sent = time.Now()
	done := func(time.Time, *call.Answer) {}
	if f.Breaker != nil && c.Endpoint == call.Messages {
		begun, no := f.Breaker.Begin(at.sent, c, at.key)
		if no != nil {
			at.permit.Release(at.sent)
			return at, no
		}
		done = begun
	}
	at.answer = f.Upstream.Send(ctx, c, at.key)
	if ctx.Err() != nil {
		done(time.Now(), nil) // the client's own end
	} else {
		done(time.Now(), at.answer)
	}
	return at, nil
}
