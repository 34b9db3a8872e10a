package sim

import (
	"math"
	"time"
)

// forever is later than anything that happens.
const forever = instant(math.MaxInt64)

// plan is what happens to a bucket by itself: other consumers that come and
// go, and changes of its limit. The zero plan is empty.
type plan struct {
	others  []visit
	changes []step
}

// visit is a hidden consumer of the same bucket: rate units a second during
// on, from begin on, again every period if that is not 0.
type visit struct {
	rate       float64
	begin      instant
	on, period time.Duration
}

// step sets the limit at an instant.
type step struct {
	at    instant
	limit float64
}

// rate is what the others want at t, units per second.
func (p plan) rate(t instant) float64 {
	sum := 0.0
	for _, v := range p.others {
		if since, ok := v.phase(t); ok && since < v.on {
			sum += v.rate
		}
	}
	return sum
}

// next is the first instant after t at which something changes.
func (p plan) next(t instant) instant {
	soonest := forever
	for _, v := range p.others {
		soonest = min(soonest, v.next(t))
	}
	for _, s := range p.changes {
		if s.at > t {
			soonest = min(soonest, s.at)
		}
	}
	return soonest
}

// change returns the limit that begins to hold at exactly t.
func (p plan) change(t instant) (limit float64, ok bool) {
	for _, s := range p.changes {
		if s.at == t {
			limit, ok = s.limit, true
		}
	}
	return limit, ok
}

// latest returns the limit that holds at t, which is base before any change.
func (p plan) latest(t instant, base float64) float64 {
	at := instant(-1)
	for _, s := range p.changes {
		if s.at <= t && s.at > at {
			base, at = s.limit, s.at
		}
	}
	return base
}

// phase tells how far t is into the present period.
func (v visit) phase(t instant) (since time.Duration, begun bool) {
	since = t - v.begin
	if since < 0 {
		return 0, false
	}
	if v.period > 0 {
		since %= v.period
	}
	return since, true
}

func (v visit) next(t instant) instant {
	since, begun := v.phase(t)
	switch {
	case !begun:
		return v.begin
	case since < v.on && v.on < forever-t:
		return t + v.on - since
	case v.period > 0:
		return t + v.period - since
	}
	return forever
}
