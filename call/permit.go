package call

import (
	"sync"
	"time"
)

// Account is the far end of a [Permit]: whoever granted it hears here what
// became of it. Implementations are safe for concurrent use.
type Account interface {
	// Observe takes the limits that the answer's headers show.
	Observe(now time.Time, l Limits)
	// Input takes the exact input, once the upstream has said it.
	Input(now time.Time, u Usage)
	// Output takes the output tokens produced so far, a growing number.
	Output(now time.Time, produced Tokens)
	// Reject says that the upstream refused the attempt with a 429. It reports
	// whether that shows that the call can never fit.
	Reject(now time.Time, l Limits, v Verdict) (never bool)
	// Settle ends the permit. It is called exactly once.
	Settle(now time.Time, u Usage)
	// Headroom is what is left now.
	Headroom(now time.Time) Headroom
}

// Permit is the right to send one attempt upstream. Whoever holds it must end
// it by Settle, Release, Abandon or Reject; handing it on hands on that duty. Ending it
// twice does no harm: the first end counts. It is safe for concurrent use.
type Permit struct {
	Wait Wait // how it was waited for

	once    sync.Once
	account Account
}

// NewPermit returns a permit drawn on account.
func NewPermit(account Account) *Permit { return &Permit{account: account} }

// Draw makes a zero permit, which may be part of a larger value, one that is
// drawn on account.
func (p *Permit) Draw(account Account) { p.account = account }

// Observe passes on what the answer's headers say about the quota.
func (p *Permit) Observe(now time.Time, l Limits) { p.account.Observe(now, l) }

// Input passes on the exact input.
func (p *Permit) Input(now time.Time, u Usage) { p.account.Input(now, u) }

// Output passes on the number of output tokens produced so far.
func (p *Permit) Output(now time.Time, produced Tokens) { p.account.Output(now, produced) }

// Headroom returns what is left of each limiter.
func (p *Permit) Headroom(now time.Time) Headroom { return p.account.Headroom(now) }

// Settle ends the permit with what the call really cost.
func (p *Permit) Settle(now time.Time, u Usage) {
	p.once.Do(func() { p.account.Settle(now, u) })
}

// Release ends the permit of an attempt that cost nothing.
func (p *Permit) Release(now time.Time) { p.Settle(now, Usage{Exact: true}) }

// Abandon ends the permit of an attempt of which nothing came back: the quota
// counts it as free, but it may have cost money.
func (p *Permit) Abandon(now time.Time) { p.Settle(now, Usage{Exact: true, Unsure: true}) }

// Reject ends the permit of an attempt that the upstream refused with a 429,
// and reports whether that shows that the call can never fit.
func (p *Permit) Reject(now time.Time, l Limits, v Verdict) (never bool) {
	p.once.Do(func() { never = p.account.Reject(now, l, v) })
	return never
}
