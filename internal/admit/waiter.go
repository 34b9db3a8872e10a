package admit

import (
	"sync/atomic"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/fair"
	"github.com/weir-gateway/weir/internal/quota"
)

// waiter is one attempt of a call, from the queue to its settlement: the place
// in the queue, the permit, the far end of that permit, and the flight, all in
// one allocation.
type waiter struct {
	fair.Item
	permit call.Permit
	flight quota.Flight

	// Static after newWaiter.
	id       string
	print    string
	attempt  int
	demand   quota.Demand
	output   call.Tokens // expected
	cached   call.Tokens // expected cache reads that are not in demand
	size     int
	received time.Time
	entered  time.Time
	deadline time.Time

	lane     atomic.Pointer[lane] // where it waits or was let out; changes when lanes join
	sentFrom *fair.Queue          // where its end must be told; nil until it is let out

	// Set by the lane before it closes answered.
	answered chan struct{}
	refused  *call.Refusal // nil: it was let out
}

// result is what the lane has answered.
func (w *waiter) result() (*call.Permit, error) {
	if w.refused != nil {
		return nil, w.refused
	}
	return &w.permit, nil
}

// refuse answers w with a refusal.
func (w *waiter) refuse(r *call.Refusal) {
	w.refused = r
	close(w.answered)
}

func newWaiter(now time.Time, c *call.Call, print string, weight float64) *waiter {
	w := &waiter{
		Item: fair.Item{
			Seq: c.Seq, Class: c.Class, Tenant: c.Tenant, Session: c.Session,
			Weight: weight, Resumed: c.Attempts > 0,
		},
		id: c.ID, attempt: c.Attempts + 1, print: print, size: len(c.Body), output: c.Estimate.Output,
		demand:   quota.Demand{Input: c.Estimate.Input, Spread: c.Estimate.Spread, Stream: c.Streamed()},
		cached:   c.Estimate.Cached,
		received: c.Received, entered: now, deadline: c.Deadline,
	}
	w.Value = w
	return w
}

// noteQueue remembers for the call's story whom it found waiting.
func (w *waiter) noteQueue(ln *lane) {
	w.permit.Wait.Ahead = ln.queue.Len()
	if head := ln.queue.Head(); head != nil {
		w.permit.Wait.Behind = head.Tenant
	}
}

func (w *waiter) tooLarge(limit call.Tokens) *call.Refusal {
	return &call.Refusal{
		Reason: call.TooLarge, Limiter: call.InputTokens,
		Need: w.demand.Input, Limit: limit,
	}
}

// with runs f on the waiter's group under its lane's lock, and then lets out
// whoever may go by what has changed.
func (w *waiter) with(now time.Time, f func(*quota.Group)) {
	ln := w.lane.Load()
	ln.mu.Lock()
	for ln.moved != nil {
		next := ln.moved
		ln.mu.Unlock()
		ln = next
		w.lane.Store(ln)
		ln.mu.Lock()
	}
	defer ln.mu.Unlock()
	f(ln.group)
	ln.pump(now)
}

// Observe implements [call.Account].
func (w *waiter) Observe(now time.Time, l call.Limits) {
	w.lane.Load().room.learn(w.print, l)
	w.with(now, func(g *quota.Group) { g.Observe(now, &w.flight, l) })
}

// Input implements [call.Account].
func (w *waiter) Input(now time.Time, u call.Usage) {
	w.with(now, func(g *quota.Group) { g.Input(now, &w.flight, u) })
}

// Output implements [call.Account].
func (w *waiter) Output(now time.Time, produced call.Tokens) {
	w.with(now, func(g *quota.Group) { g.Output(now, &w.flight, produced) })
}

// Settle implements [call.Account]. Usage that is not exact leaves the
// estimate standing where nothing better is known.
func (w *waiter) Settle(now time.Time, u call.Usage) {
	w.with(now, func(g *quota.Group) {
		cost := w.Cost
		if u.Exact {
			g.Settle(now, &w.flight, u)
			cost = g.Cost(u.Charged(), u.Output)
		} else {
			g.Output(now, &w.flight, u.Output)
			g.Cancel(now, &w.flight)
		}
		w.sentFrom.Settle(&w.Item, cost)
	})
	w.lane.Load().room.gate.leave()
}

// Reject implements [call.Account].
func (w *waiter) Reject(now time.Time, l call.Limits, v call.Verdict) (never bool) {
	w.lane.Load().room.learn(w.print, l)
	w.with(now, func(g *quota.Group) {
		never = g.Reject(now, &w.flight, l, v)
		w.sentFrom.Settle(&w.Item, 0)
	})
	w.lane.Load().room.gate.leave()
	return never
}

// Headroom implements [call.Account].
func (w *waiter) Headroom(now time.Time) (h call.Headroom) {
	w.with(now, func(g *quota.Group) { h = g.Headroom(now) })
	return h
}
