package admit

import (
	"cmp"
	"slices"
	"time"

	"github.com/weir-gateway/weir/call"
)

// snapshot lists the lanes in a stable order.
func (r *Room) snapshot() []*lane {
	r.mu.RLock()
	defer r.mu.RUnlock()
	keys := make([]laneKey, 0, len(r.lanes))
	for key := range r.lanes {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b laneKey) int {
		return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.group, b.group))
	})
	lanes := make([]*lane, len(keys))
	for i, key := range keys {
		lanes[i] = r.lanes[key]
	}
	return lanes
}

// Quota reports the belief about every bucket whose limit is known.
func (r *Room) Quota(now time.Time) []call.BucketReport {
	out := []call.BucketReport{}
	for _, ln := range r.snapshot() {
		ln.mu.Lock()
		for _, b := range ln.group.Report(now) {
			b.Organization, b.Group = ln.key.account, ln.key.group
			out = append(out, b)
		}
		ln.mu.Unlock()
	}
	return out
}

// Queue reports who waits in front of what.
func (r *Room) Queue(now time.Time) call.QueueReport {
	out := call.QueueReport{At: now, Lanes: []call.LaneReport{}}
	for _, ln := range r.snapshot() {
		report := ln.report(now)
		out.Lanes = append(out.Lanes, report)
		out.Waiting += report.Waiting
	}
	out.Bytes = r.bytes.Load()
	return out
}

func (ln *lane) report(now time.Time) call.LaneReport {
	next := ln.foretell(now)
	ln.mu.Lock()
	defer ln.mu.Unlock()
	out := call.LaneReport{
		Organization: ln.key.account, Group: ln.key.group, Waiting: ln.queue.Len(),
		Next: next[:min(len(next), maxNext)], Tenants: ln.tenants, InFlight: ln.group.InFlight(), BoundBy: ln.bound, ByClass: map[string]int{},
	}
	for it := range ln.queue.All {
		out.ByClass[it.Class.String()]++
		out.OldestWait = max(out.OldestWait, now.Sub(it.Value.(*waiter).received).Seconds())
	}
	if out.Waiting > 0 && ln.bound != call.RuleAtOnce {
		in := max(0, ln.headAt.Sub(now).Seconds())
		out.HeadIn = &in
	}
	return out
}

// Surprises counts the 429s that came although the quota model had let the
// call go. Each is a defect of the model.
func (r *Room) Surprises() (n int) {
	for _, ln := range r.snapshot() {
		ln.mu.Lock()
		n += ln.group.Surprises()
		ln.mu.Unlock()
	}
	return n
}

// Pressure is how much one lane's queue presses.
type Pressure struct {
	Organization, Group string
	Waiting             int
	Oldest              [call.NumClasses]time.Duration // wait of the oldest of a class or a more urgent one
}

// Pressures tells how much the queues press, without their order.
func (r *Room) Pressures(now time.Time) []Pressure {
	lanes := r.snapshot()
	out := make([]Pressure, len(lanes))
	for i, ln := range lanes {
		p := &out[i]
		p.Organization, p.Group = ln.key.account, ln.key.group
		ln.mu.Lock()
		p.Waiting = ln.queue.Len()
		for it := range ln.queue.All {
			p.Oldest[it.Class] = max(p.Oldest[it.Class], now.Sub(it.Value.(*waiter).received))
		}
		ln.mu.Unlock()
		for c := 1; c < call.NumClasses; c++ {
			p.Oldest[c] = max(p.Oldest[c], p.Oldest[c-1])
		}
	}
	return out
}
