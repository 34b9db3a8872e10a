// Package flow is the corridor of the house: the order of the rooms that a
// call walks through, and the only retry loop.
package flow

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/weir-gateway/weir/call"
)

type classifier interface {
	Classify(req *http.Request, now time.Time) (*call.Call, error)
}

type protector interface {
	Enter(ctx context.Context, c *call.Call) (leave func(), no *call.Refusal)
}

type estimator interface {
	Estimate(c *call.Call) call.Estimate
}

type keyring interface {
	Pick(now time.Time, c *call.Call, o call.Outlook) (call.Key, error)
	Observe(now time.Time, e call.Evidence)
}

type admitter interface {
	Admit(ctx context.Context, c *call.Call, print string) (*call.Permit, error)
}

// answerer stands before the question: it answers c in a way of its own, or
// asks. It may ask for other calls than c, and under a context that outlives
// ctx.
type answerer interface {
	Answer(ctx context.Context, c *call.Call, ask func(context.Context, *call.Call) (*http.Response, error)) (*http.Response, error)
}

type collector interface {
	// Collect answers c by a batch of the upstream's, which takes long, or
	// reports that it is none of those calls that can wait for one. sent is the
	// body as its caller sent it, by which it knows the same request again.
	Collect(ctx context.Context, c *call.Call, sent []byte) (resp *http.Response, taken bool, err error)
}

type shaper interface {
	// Prepare edits a call that is about to be sent, as the operator has set it
	// up, and reports whether its estimate must be made anew.
	Prepare(c *call.Call) bool
	// Fallback makes c a call of the next model of its chain that is open, or
	// reports false.
	Fallback(c *call.Call, open func(*call.Call) bool) bool
	// Undo takes out of a call what the upstream has refused in it and the caller
	// had not put there, or reports false.
	Undo(now time.Time, c *call.Call, v call.Verdict) bool
}

type sender interface {
	Send(ctx context.Context, c *call.Call, key call.Key) *call.Answer
	Forward(ctx context.Context, c *call.Call, key call.Key, body io.Reader, size int64) (*http.Response, error)
}

type accountant interface {
	Open(c *call.Call, permit *call.Permit, a *call.Answer) io.ReadCloser
	// Gather makes one piece of a stream.
	Gather(c *call.Call, permit *call.Permit, a *call.Answer) *call.Answer
	End(c *call.Call, status int, outcome, reason string)
}

// Corridor leads calls through the rooms. Its fields are set once by whoever
// builds the house; it is safe for concurrent use.
type Corridor struct {
	Classify classifier
	Protect  protector // nil: none
	Estimate estimator
	Split    answerer  // what is too long, in parts, where the caller wants that; nil: not at all
	Cache    answerer  // what has been asked before, or is being asked; nil: none
	Collect  collector // nil: none
	Bind     binder    // nil: none
	Keys     keyring
	Outlook  call.Outlook // of the admitter and the breaker
	Admit    admitter
	Shape    shaper // nil: none
	Upstream sender
	Limits   func(http.Header) call.Limits
	Account  accountant
	Retries  *RetryBudget
	Money    treasurer // nil: none
	Ladder   ladder    // nil: none
	Breaker  breaker   // nil: none
	Hedge    *Hedge    // nil: none
	NoRetry  bool      // the first failure is the caller's
}

// Do is the whole story of a call. The response's body must be closed. The
// call is returned in any case, for the door to report on; the error is a
// [*call.Refusal]. Before anything that may take long, waiting is told of the
// call; it must not block.
func (f *Corridor) Do(req *http.Request, waiting func(*call.Call)) (*http.Response, *call.Call, error) {
	now := time.Now()
	c, err := f.Classify.Classify(req, now)
	if err != nil {
		return nil, c, err
	}
	if c.Endpoint != call.Other {
		waiting(c)
	}
	resp, err := f.protected(req.Context(), c, func() (*http.Response, error) {
		if c.Endpoint == call.Other {
			return f.pass(req, c)
		}
		if c.Endpoint == call.Messages {
			return f.parts(req.Context(), c)
		}
		return f.attempts(req.Context(), c)
	})
	return resp, c, err
}

// parts leads a call that may be too long to where it is split.
func (f *Corridor) parts(ctx context.Context, c *call.Call) (*http.Response, error) {
	if f.Split != nil && c.Split.Auto {
		return f.Split.Answer(ctx, c, f.messages)
	}
	return f.messages(ctx, c)
}

// messages leads a call to the cache, and behind it to the upstream. What the
// cache answers is not estimated: an exact count would ask the upstream.
func (f *Corridor) messages(ctx context.Context, c *call.Call) (*http.Response, error) {
	if f.Ladder != nil {
		f.Ladder.Choose(time.Now(), c)
	}
	if f.Cache != nil {
		return f.Cache.Answer(ctx, c, f.ask)
	}
	return f.ask(ctx, c)
}

// ask leads a call through the rooms that only a question to a model needs.
func (f *Corridor) ask(ctx context.Context, c *call.Call) (*http.Response, error) {
	if no := f.shed(c); no != nil {
		return nil, no
	}
	c.Estimate = f.Estimate.Estimate(c)
	sent := c.Body
	if f.Shape != nil && f.Shape.Prepare(c) {
		c.Estimate = f.Estimate.Estimate(c)
	}
	if f.Collect != nil {
		if resp, taken, err := f.Collect.Collect(ctx, c, sent); taken {
			return resp, err
		}
	}
	f.Hedge.deposit(c)
	return f.attempts(ctx, c)
}

// attempts picks a key, waits for admission and sends, until there is an
// answer to deliver or no use in going on.
func (f *Corridor) attempts(ctx context.Context, c *call.Call) (*http.Response, error) {
	var last call.Verdict
	f.economize(c)
	for fresh := true; ; fresh = false {
		key, permit, err := f.admit(ctx, c, last)
		if no := shut(err); no != nil {
			if err := f.detour(ctx, c, no, last, fresh); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		at, no := f.race(ctx, c, attempt{key: key, permit: permit})
		if no != nil {
			c.Attempts-- // it was none
			if err := f.detour(ctx, c, no, last, false); err != nil {
				return nil, err
			}
			continue
		}
		at = f.gather(c, at)
		resp, err := f.judge(ctx, c, at)
		if resp != nil || err != nil {
			return resp, err
		}
		last = at.answer.Verdict
	}
}

// attempt is one sending of a call.
type attempt struct {
	key    call.Key
	permit *call.Permit
	sent   time.Time
	answer *call.Answer
}

// note lets the key's room and the story hear of an attempt.
func (f *Corridor) note(c *call.Call, at attempt) {
	a := at.answer
	a.Limits = f.Limits(a.Header)
	told := call.Attempt{
		At: at.sent, Wait: at.permit.Wait, Key: at.key.Name,
		Status: a.Status, Kind: a.Verdict.Kind.String(), Took: time.Since(at.sent), Model: c.Model,
	}
	if a.Verdict.Kind == call.Unreachable && !unsent(a.Cause) {
		told.Usage = expected(c)
	}
	c.Tell(told)
	f.Keys.Observe(time.Now(), call.Evidence{Key: at.key, Model: c.Model, Limits: a.Limits, Verdict: a.Verdict})
}

// expected is what an attempt is charged for, at a guess, whose answer was not
// read: its input.
func expected(c *call.Call) call.Usage {
	return call.Usage{Input: c.Estimate.Input, CacheRead: c.Estimate.Cached}
}

// unsent reports whether an attempt failed before the upstream could hear of
// it.
func unsent(cause error) bool {
	failed, ok := errors.AsType[*net.OpError](cause)
	return ok && failed.Op == "dial"
}

// judge decides what becomes of an attempt: an answer, an error, or neither
// where there is to be another attempt.
func (f *Corridor) judge(ctx context.Context, c *call.Call, at attempt) (*http.Response, error) {
	a, permit := at.answer, at.permit
	c.Payer = at.key
	f.note(c, at)
	if ctx.Err() != nil {
		a.Discard()
		permit.Settle(time.Now(), a.Usage) // if it says nothing, it may have cost its estimate
		c.Lost = c.Lost.Plus(a.Usage)
		return nil, noAnswer(ctx, c, a.Verdict, a.Cause)
	}
	if a.Verdict.Account() && f.another(c, at.key) {
		a.Discard()
		permit.Release(time.Now())
		return nil, nil // this account cannot pay, but another one can
	}
	if a.Verdict.Kind == call.BadRequest && f.Shape != nil && f.Shape.Undo(time.Now(), c, a.Verdict) {
		a.Discard()
		permit.Release(time.Now())
		c.Estimate = f.Estimate.Estimate(c)
		return nil, nil // once more, as it came
	}
	if !a.Verdict.Transient() {
		return f.deliver(c, permit, a), nil
	}
	c.Shunned = at.key
	if a.Verdict.Kind == call.Overloaded && c.Attempts >= overloadsBorne && f.fallback(c) {
		a.Discard()
		permit.Reject(time.Now(), a.Limits, a.Verdict)
		return nil, nil // another model, without a delay
	}
	more, err := f.again(ctx, c, permit, a)
	if more {
		a.Discard()
		return nil, nil
	}
	if err == nil && a.Body != nil {
		if a.Verdict.Paced() {
			permit.Reject(time.Now(), a.Limits, a.Verdict) // the quota learns from it, though nobody tries again
		}
		return f.deliver(c, permit, a), nil
	}
	a.Discard()
	free(time.Now(), permit, a)
	return nil, cmp.Or[error](err, noAnswer(ctx, c, a.Verdict, a.Cause))
}

// another reports whether a key other than the one that has just failed could
// pay for c, if need be after its upstream has recovered.
func (f *Corridor) another(c *call.Call, failed call.Key) bool {
	key, err := f.Keys.Pick(time.Now(), c, f.Outlook)
	return shut(err) != nil || err == nil && key.Print != failed.Print
}

// admit picks the key, waits for the permit of the next attempt and sets the
// money for it aside. A refusal after failed attempts carries the upstream's
// last word.
func (f *Corridor) admit(ctx context.Context, c *call.Call, last call.Verdict) (call.Key, *call.Permit, error) {
	for {
		key, permit, err := f.enter(ctx, c, last)
		if err == nil {
			permit, err = f.reserve(ctx, c, permit, last)
		}
		if err != nil {
			return key, nil, err
		}
		if permit == nil {
			continue
		}
		if c.Attempts == 0 {
			c.Waited = time.Since(c.Received)
		}
		if c.Attempts++; c.Attempts == 1 {
			f.Retries.Deposit(time.Now(), c, key)
		}
		return key, permit, nil
	}
}

// enter waits for the quota of the next attempt, if there is money for it.
func (f *Corridor) enter(ctx context.Context, c *call.Call, last call.Verdict) (call.Key, *call.Permit, error) {
	if err := f.afford(c, last); err != nil {
		return call.Key{}, nil, err
	}
	key, err := f.Keys.Pick(time.Now(), c, f.Outlook)
	c.Payer = key
	if err != nil {
		return key, nil, err
	}
	permit, err := f.Admit.Admit(ctx, c, key.Print)
	if refusal, ok := errors.AsType[*call.Refusal](err); ok {
		refusal.Verdict = last
		tellWait(c, key, refusal)
		return key, nil, refusal
	}
	return key, permit, err
}

// tellWait adds the chapter of a wait that led to nothing.
func tellWait(c *call.Call, key call.Key, r *call.Refusal) {
	now := time.Now()
	if c.Attempts == 0 {
		c.Waited = now.Sub(c.Received)
	}
	bound := ""
	switch {
	case r.Reason == call.TimedOut:
		bound = r.Limiter.String()
	case r.Rule == call.RuleAtOnce:
		bound = r.Rule
	}
	c.Tell(call.Attempt{
		At: now, Wait: call.Wait{Took: r.Waited, BoundBy: bound},
		Key: key.Name, Kind: r.Reason.String(),
	})
}

// deliver hands an answer to the accountant, who owns the permit from then on.
// The headers are observed after the usage, which they include; those of a
// gathered stream were, when they came.
func (f *Corridor) deliver(c *call.Call, permit *call.Permit, a *call.Answer) *http.Response {
	if a.Verdict.Account() || (a.Status == http.StatusTooManyRequests && !a.Verdict.Transient()) {
		// Clients retry every 429; this one no retry can mend.
		a.Header.Set("X-Should-Retry", "false")
	}
	body := f.Account.Open(c, permit, a)
	if !a.Usage.Exact {
		permit.Observe(time.Now(), a.Limits)
	}
	c.Headroom = permit.Headroom(time.Now())
	return &http.Response{
		StatusCode: a.Status, Header: a.Header, Body: body, ContentLength: a.Length,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}
