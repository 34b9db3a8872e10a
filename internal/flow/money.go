package flow

import (
	"context"
	"errors"
	"time"

	"github.com/weir-gateway/weir/call"
)

// treasurer keeps budgets.
type treasurer interface {
	// Check refuses a call that there is not enough money for, before it waits.
	Check(now time.Time, c *call.Call) error
	// Tight reports whether c should be answered by a cheaper model.
	Tight(now time.Time, c *call.Call) bool
	// Reserve sets money aside for one attempt. The permit that it returns books
	// what the attempt costs. If it returns none, c has waited for the money of
	// others, its permit has ended, and it is to be admitted anew.
	Reserve(ctx context.Context, c *call.Call, permit *call.Permit) (*call.Permit, error)
	// Spare does so without waiting, or ends the permit and returns nil.
	Spare(c *call.Call, permit *call.Permit) *call.Permit
}

// economize moves a call to a cheaper model where a budget or the ladder asks
// for it and one is configured.
func (f *Corridor) economize(c *call.Call) {
	_, other := c.InForce(call.RungModel)
	if other || f.Money != nil && c.Endpoint == call.Messages && !f.protects(c) && f.Money.Tight(time.Now(), c) {
		f.fallback(c)
	}
}

// afford refuses a call that there is no money for.
func (f *Corridor) afford(c *call.Call, last call.Verdict) error {
	if f.Money == nil || c.Endpoint != call.Messages {
		return nil
	}
	return f.broke(c, f.Money.Check(time.Now(), c), last)
}

// reserve sets money aside for an attempt that has been admitted. It returns
// no permit where c must be admitted anew.
func (f *Corridor) reserve(ctx context.Context, c *call.Call, permit *call.Permit, last call.Verdict) (*call.Permit, error) {
	if f.Money == nil || c.Endpoint != call.Messages {
		return permit, nil
	}
	permit, err := f.Money.Reserve(ctx, c, permit)
	return permit, f.broke(c, err, last)
}

// broke adds the chapter of a call that ends for want of money.
func (f *Corridor) broke(c *call.Call, err error, last call.Verdict) error {
	if no, ok := errors.AsType[*call.Refusal](err); ok {
		no.Verdict = last
		tellWait(c, c.Payer, no)
	}
	return err
}

// spare lets an attempt go that does not wait for money.
func (f *Corridor) spare(c *call.Call, permit *call.Permit) *call.Permit {
	if f.Money == nil {
		return permit
	}
	return f.Money.Spare(c, permit)
}

// free ends the permit of a failed attempt. The upstream charges nothing for an
// error, but may charge for what it has got and never answered.
func free(now time.Time, permit *call.Permit, a *call.Answer) {
	if a.Verdict.Kind == call.Unreachable && !unsent(a.Cause) {
		permit.Abandon(now)
		return
	}
	permit.Release(now)
}
