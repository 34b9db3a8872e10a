package flow

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Delays of the retry loop, all with full jitter: uniform between nothing and
// a growing bound, which spreads the retries of many calls best.
const (
	retryBase   = 500 * time.Millisecond
	retryCap    = 8 * time.Second
	overloadCap = 30 * time.Second
	maxFailures = 6 // failed attempts of one call; those of pacing do not count
)

// again prepares another attempt after a transient failure: it ends the failed
// one's permit, and sleeps where admission does not do the pacing. It reports
// false, with the permit still open, when there is to be no other attempt.
func (f *Corridor) again(ctx context.Context, c *call.Call, permit *call.Permit, a *call.Answer) (bool, error) {
	if f.NoRetry {
		return false, nil
	}
	now := time.Now()
	delay := f.delay(now, c, a.Verdict)
	if c.Failures >= maxFailures || (delay > 0 && !now.Add(delay).Before(c.Deadline)) {
		return false, nil
	}
	if !a.Verdict.Paced() {
		free(now, permit, a)
	} else if permit.Reject(now, a.Limits, a.Verdict) {
		return false, &call.Refusal{
			Reason: call.TooLarge, Limiter: call.InputTokens, Verdict: a.Verdict,
			Need: c.Estimate.Input, Limit: call.Tokens(a.Limits.Bucket[call.InputTokens].Limit),
		}
	}
	if delay == 0 {
		return true, nil
	}
	err := sleep(ctx, delay)
	return err == nil, err
}

// delay is how long to sleep before the call is queued again. A 429 that names
// a time needs no sleep: admission holds the lane until then.
func (f *Corridor) delay(now time.Time, c *call.Call, v call.Verdict) time.Duration {
	switch {
	case v.Kind == call.Overloaded:
		return max(v.RetryAfter, jitter(c.Attempts, 2*retryBase, overloadCap))
	case v.Paced() && v.RetryAfter > 0 && v.Kind != call.Concurrency:
		return 0
	case v.Paced():
		return jitter(c.Attempts, retryBase, retryCap)
	}
	switch c.Failures++; {
	case c.Failures >= maxFailures:
		return 0 // it gives up: no credit for that
	case c.Failures == 1 && f.elsewhere(now, c):
		return 0 // no more load for what fails
	}
	return max(v.RetryAfter, jitter(c.Failures, retryBase, retryCap), f.Retries.Take(now, c))
}

// elsewhere reports whether c's next attempt would go to another upstream than
// the one that it has just failed at.
func (f *Corridor) elsewhere(now time.Time, c *call.Call) bool {
	key, err := f.Keys.Pick(now, c, f.Outlook)
	return err == nil && key.Upstream != c.Shunned.Upstream
}

// jitter draws the delay before the n-th repetition.
func jitter(n int, base, limit time.Duration) time.Duration {
	bound := min(base<<min(n-1, 16), limit)
	return 1 + rand.N(bound)
}

// noAnswer tells why an attempt brought nothing that could be delivered.
func noAnswer(ctx context.Context, c *call.Call, v call.Verdict, cause error) *call.Refusal {
	if ctx.Err() != nil {
		return &call.Refusal{Reason: call.ClientGone, Cause: context.Cause(ctx)}
	}
	return &call.Refusal{
		Reason: call.UpstreamDown, Verdict: v, Cause: cause,
		Waited: time.Since(c.Received), RetryIn: retryCap,
	}
}
