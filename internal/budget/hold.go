package budget

import (
	"context"
	"errors"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/price"
)

// hold is money that is set aside for one attempt. It lies over the attempt's
// permit and hears of its end.
type hold struct {
	*call.Permit // to the quota

	room   *Room
	prices *price.Table // that the money was set aside by
	purses []*purse
	amount call.USD

	// What the cost depends on.
	model  string
	begun  time.Time // when the call came: prices are those of then
	sent   time.Time
	stream bool
	bound  price.Bound
}

// Settle implements [call.Account].
func (h *hold) Settle(now time.Time, u call.Usage) {
	h.Permit.Settle(now, u)
	h.room.settle(h, h.cost(now, u))
}

// Reject implements [call.Account]: a 429 costs nothing.
func (h *hold) Reject(now time.Time, l call.Limits, v call.Verdict) bool {
	defer h.room.settle(h, 0)
	return h.Permit.Reject(now, l, v)
}

// Reserve sets the most that an attempt at c can cost aside, and returns a
// permit in place of the one given, which books what it did cost when it ends.
// Where the attempts of others stand in the way it gives the permit back, waits
// until enough of them have ended, and returns none: c is to go through
// admission again. A refusal has ended the permit, too.
func (r *Room) Reserve(ctx context.Context, c *call.Call, permit *call.Permit) (*call.Permit, error) {
	if r.idle.Load() {
		return permit, nil
	}
	h := r.newHold(c, permit)
	for {
		now := time.Now()
		r.mu.Lock()
		s := r.try(now, c, h, r.redeem(c.Seq))
		if s.waiter != nil {
			r.enqueue(s.waiter)
		}
		r.mu.Unlock()
		switch {
		case s.refusal != nil:
			permit.Release(now)
			return nil, s.refusal
		case s.waiter != nil:
			permit.Release(now)
			return nil, r.await(ctx, c, s.waiter)
		case s.lender != nil:
			if err := r.lease(ctx, s.lender, h.amount); err != nil {
				permit.Release(time.Now())
				return nil, err
			}
		case len(h.purses) == 0:
			return permit, nil // nobody watches it
		default:
			return h.permit(now), nil
		}
	}
}

// Spare does what Reserve does for an attempt that does not wait: it returns
// nil, and ends the permit, where there is not enough at hand.
func (r *Room) Spare(c *call.Call, permit *call.Permit) *call.Permit {
	if r.idle.Load() {
		return permit
	}
	h, now := r.newHold(c, permit), time.Now()
	r.mu.Lock()
	s := r.try(now, c, h, false)
	r.mu.Unlock()
	switch {
	case s.refusal != nil || s.waiter != nil || s.lender != nil:
		permit.Release(now)
		return nil
	case len(h.purses) == 0:
		return permit
	}
	return h.permit(now)
}

func (r *Room) newHold(c *call.Call, permit *call.Permit) *hold {
	b, prices := boundOf(c), r.prices.Load()
	return &hold{
		Permit: permit, room: r, prices: prices, amount: prices.Most(c.Model, c.Received, b),
		model: c.Model, begun: c.Received, stream: c.Stream, bound: b,
	}
}

func (h *hold) permit(now time.Time) *call.Permit {
	h.sent = now
	permit := call.NewPermit(h)
	permit.Wait = h.Wait
	return permit
}

// state is what stands in the way of an attempt; the zero state is nothing.
type state struct {
	refusal *call.Refusal
	waiter  *waiter // of those who wait for the attempts of others
	lender  *purse  // which needs another lease
}

// try sets the money aside, or says what stands in the way. One who has waited
// goes before those who wait. The caller holds r.mu.
func (r *Room) try(now time.Time, c *call.Call, h *hold, waited bool) (s state) {
	h.purses = r.drawn(now, c)
	if s.refusal = r.afford(now, c, h.amount, h.purses); s.refusal != nil {
		return s
	}
	for _, p := range h.purses {
		if p.blocked(h.amount) || !waited && p.queued(c.Seq) {
			s.waiter = &waiter{call: c, amount: h.amount, purses: h.purses, at: p, woken: make(chan *call.Refusal, 1)}
			return s
		}
	}
	for _, p := range h.purses {
		if p.free() < h.amount {
			s.lender = p
			return s
		}
	}
	for _, p := range h.purses {
		p.hold(h.amount)
	}
	return s
}

// settle books the end of an attempt.
func (r *Room) settle(h *hold, cost call.USD) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range h.purses {
		p.settle(h.amount, cost)
		r.serve(p)
		if p.surplus() > 0 || p.settled > p.leased {
			r.tidy(p)
		}
	}
}

// How the store is asked.
const (
	askFor   = 10 * time.Second // and no longer
	askAgain = time.Second      // whether other gateways have given something back
	tidyAt   = 100 * time.Millisecond
)

// lease draws a slice from the store, or waits for somebody else who does. It
// draws one at a time, so that no more than that is lost in a crash beside what
// is set aside.
func (r *Room) lease(ctx context.Context, p *purse, need call.USD) error {
	r.mu.Lock()
	if asking := p.asking; asking != nil {
		r.mu.Unlock()
		select {
		case <-asking:
			return nil
		case <-ctx.Done():
			return &call.Refusal{Reason: call.ClientGone, Cause: context.Cause(ctx)}
		}
	}
	asking := make(chan struct{})
	p.asking = asking
	want, limit := max(p.slice(), need-max(p.free(), 0)), p.limit
	r.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askFor)
	defer cancel()
	granted, total, err := r.leases.Lease(ctx, p.key, want, limit)

	r.mu.Lock()
	defer r.mu.Unlock()
	p.asking = nil
	close(asking)
	if err == nil {
		p.grant(time.Now(), granted, total)
		if granted == 0 && total+need <= limit {
			err = errors.New("the store hands out less than there is")
		}
	}
	if err != nil {
		r.log.Error("no money can be leased: calls are refused", "budget", p.key.Budget, "cause", err)
		return &call.Refusal{Reason: call.InternalFailure, Cause: errors.Join(errors.New("lease money of budget "+p.key.Budget), err)}
	}
	return nil
}

// tidy gives back, beside the calls, what is leased and not needed, asks for
// what was spent beyond a lease, and learns what others have. The caller holds
// r.mu.
func (r *Room) tidy(p *purse) {
	if p.tidying || r.closed {
		return
	}
	p.tidying = true
	r.background.Go(func() {
		timer := time.NewTimer(tidyAt) // let a few come together
		defer timer.Stop()
		<-timer.C
		r.mu.Lock()
		back, debt := p.surplus(), max(p.settled-p.leased, 0)
		p.yield(back)
		r.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), askFor)
		defer cancel()
		var total, granted call.USD
		var err error
		if back > 0 {
			total, err = r.leases.Return(ctx, p.key, back)
		} else {
			granted, total, err = r.leases.Lease(ctx, p.key, debt, unbounded)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		p.tidying = false
		if err != nil {
			r.log.Error("the store of the budgets does not answer", "budget", p.key.Budget, "cause", err)
			return
		}
		if p.asking == nil { // else that one's total is newer, or will be
			p.grant(time.Now(), granted, total)
		} else {
			p.leased += granted
		}
		r.serve(p)
	})
}

// unbounded is the limit of a debt: the money is gone already.
const unbounded = call.USD(1<<63 - 1)
