package admit

import (
	"cmp"
	"slices"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/quota"
)

// maxNext is how many of the next calls, and of the tenants, a queue report
// names.
const maxNext = 20

// orderEvery is how long a foretold order is good for: making one of 100,000
// waiting calls takes some ten milliseconds.
const orderEvery = time.Second

// Waiting finds a call that waits, by its id.
func (r *Room) Waiting(now time.Time, id string) (call.WaiterReport, bool) {
	for _, ln := range r.snapshot() {
		for _, w := range ln.foretell(now) {
			if w.ID == id {
				return w, true
			}
		}
	}
	return call.WaiterReport{}, false
}

// foretell lists the waiting calls in the order in which they will go, and
// when. It is made anew at most once a second.
func (ln *lane) foretell(now time.Time) []call.WaiterReport {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if now.Sub(ln.foretold) < orderEvery && len(ln.order) <= ln.queue.Len() && ln.queue.Len() > 0 {
		return ln.order
	}
	items := ln.queue.Order()
	ln.order, ln.foretold = make([]call.WaiterReport, len(items)), now
	etas := make([]float64, len(items)) // one allocation for all
	var before quota.Demand
	for i, it := range items {
		w := it.Value.(*waiter)
		before.Input += w.demand.Input
		wait, _, limit := ln.group.Backlog(now, before, i+1)
		ln.order[i] = call.WaiterReport{
			ID: w.id, Tenant: w.Tenant, Class: w.Class.String(), Position: i + 1,
			Waited: now.Sub(w.received).Seconds(), Input: w.demand.Input, Attempt: w.attempt,
		}
		if limit > 0 && ln.bound != call.RuleAtOnce { // nobody knows when a call under way ends
			etas[i] = wait.Seconds()
			ln.order[i].ETA = &etas[i]
		}
	}
	ln.tenants = byTenant(ln.order)
	return ln.order
}

// byTenant sums up an order, for the tenants with the most waiting.
func byTenant(order []call.WaiterReport) []call.TenantReport {
	place := map[string]int{}
	out := []call.TenantReport{}
	for _, w := range order {
		i, known := place[w.Tenant]
		if !known {
			i = len(out)
			place[w.Tenant] = i
			out = append(out, call.TenantReport{Tenant: w.Tenant, Position: w.Position, ETA: w.ETA})
		}
		out[i].Waiting++
		out[i].LastETA = w.ETA
	}
	slices.SortStableFunc(out, func(a, b call.TenantReport) int { return cmp.Compare(b.Waiting, a.Waiting) })
	return slices.Clone(out[:min(len(out), maxNext)])
}

// Place names the organization and the model group whose quota a call draws on
// if the key with that fingerprint pays for it.
func (r *Room) Place(print, pool, model string) (organization, group string) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	place, _ := r.keyOf(print, pool, model)
	return place.account, place.group
}

// Expect is how long a call would wait if the key paid for it: behind everybody
// who waits for that key's organization now.
func (r *Room) Expect(now time.Time, c *call.Call, key call.Key) time.Duration {
	r.mu.RLock()
	place, _ := r.keyOf(key.Print, c.Pool, c.Model)
	ln := r.lanes[place]
	r.mu.RUnlock()
	if ln == nil {
		return 0
	}
	ln.mu.Lock()
	defer ln.mu.Unlock()
	wait, _, _ := ln.group.Backlog(now, quota.Demand{Input: ln.input + c.Estimate.Input}, ln.queue.Len()+1)
	return wait
}
