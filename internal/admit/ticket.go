package admit

import (
	"sync/atomic"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/quota"
)

// ticket is the far end of a permit: it reports to the lane from which the
// permit was drawn, or to the one that took over.
type ticket struct {
	print  string
	flight *quota.Flight
	lane   atomic.Pointer[lane]
}

// with runs f on the ticket's group under the lane's lock, and then lets out
// whoever may go by what has changed.
func (t *ticket) with(now time.Time, f func(*quota.Group)) {
	ln := t.lane.Load()
	ln.mu.Lock()
	for ln.moved != nil {
		next := ln.moved
		ln.mu.Unlock()
		ln = next
		t.lane.Store(ln)
		ln.mu.Lock()
	}
	defer ln.mu.Unlock()
	f(ln.group)
	ln.pump(now)
}

// Observe implements [call.Account].
func (t *ticket) Observe(now time.Time, l call.Limits) {
	if l.Organization != "" {
		t.lane.Load().room.adopt(t.print, l.Organization)
	}
	t.with(now, func(g *quota.Group) { g.Observe(now, t.flight, l) })
}

// Input implements [call.Account].
func (t *ticket) Input(now time.Time, u call.Usage) {
	t.with(now, func(g *quota.Group) { g.Input(now, t.flight, u) })
}

// Output implements [call.Account].
func (t *ticket) Output(now time.Time, produced call.Tokens) {
	t.with(now, func(g *quota.Group) { g.Output(now, t.flight, produced) })
}

// Settle implements [call.Account]. Usage that is not exact leaves the
// estimate standing where nothing better is known.
func (t *ticket) Settle(now time.Time, u call.Usage) {
	t.with(now, func(g *quota.Group) {
		if u.Exact {
			g.Settle(now, t.flight, u)
			return
		}
		g.Output(now, t.flight, u.Output)
		g.Cancel(now, t.flight)
	})
}

// Reject implements [call.Account].
func (t *ticket) Reject(now time.Time, l call.Limits, v call.Verdict) (never bool) {
	t.with(now, func(g *quota.Group) { never = g.Reject(now, t.flight, l, v) })
	return never
}

// Headroom implements [call.Account].
func (t *ticket) Headroom(now time.Time) (h call.Headroom) {
	t.with(now, func(g *quota.Group) { h = g.Headroom(now) })
	return h
}
