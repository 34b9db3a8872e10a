package sentinel

import (
	"time"

	"github.com/alibaba/sentinel-golang/core/flow"
	"github.com/alibaba/sentinel-golang/core/hotspot"
	"github.com/alibaba/sentinel-golang/core/hotspot/cache"
)

// pace is a throttling rule: calls go one by one, at equal intervals, and wait
// up to a bound. Sentinel has such rules too, but it sleeps in them, deaf to
// callers that leave and to deadlines.
type pace struct {
	record
	param     int // of the value that is paced; below 0: all calls alike
	threshold func(value string) float64
	window    time.Duration // that the threshold is for
	most      time.Duration // that a call may wait
	last      cache.ConcurrentCounterCache
}

// turn is a place in a pace: when its call may go.
type turn struct {
	pace     *pace
	value    string
	at       time.Time
	interval time.Duration
}

func flowPace(r flow.Rule) *pace {
	p := &pace{
		param: -1, window: windowOf(r), most: time.Duration(r.MaxQueueingTimeMs) * time.Millisecond,
		last:      cache.NewLRUCacheMap(1),
		threshold: func(string) float64 { return r.Threshold },
	}
	if r.TokenCalculateStrategy == flow.MemoryAdaptive {
		m := flow.NewMemoryAdaptiveTrafficShapingCalculator(nil, &r)
		p.threshold = func(string) float64 { return m.CalculateAllowedTokens(1, 0) }
	}
	return p
}

func hotspotPace(r hotspot.Rule) *pace {
	param, _ := paramOf(r)
	return &pace{
		param: param, window: time.Duration(r.DurationInSec) * time.Second,
		most: time.Duration(r.MaxQueueingTimeMs) * time.Millisecond,
		last: cache.NewLRUCacheMap(capacityOf(r)),
		threshold: func(value string) float64 {
			if n, ok := r.SpecificItems[value]; ok {
				return float64(n)
			}
			return float64(r.Threshold)
		},
	}
}

// next says when a call with this value may go, and takes nothing. No call may
// go later than by; if it would have to, again says when to come back.
func (p *pace) next(now time.Time, value string, by time.Time) (t turn, again time.Duration) {
	threshold := p.threshold(value)
	if threshold <= 0 {
		return turn{}, p.window
	}
	t = turn{pace: p, value: value, at: now, interval: time.Duration(float64(p.window) / threshold)}
	if last, ok := p.last.Get(value); ok {
		if at := time.Unix(0, *last).Add(t.interval); at.After(now) {
			t.at = at
		}
	}
	latest := now.Add(p.most)
	if !by.IsZero() && by.Before(latest) {
		latest = by
	}
	if t.at.After(latest) {
		return turn{}, t.at.Sub(latest)
	}
	return t, 0
}

// take takes the turn.
func (t turn) take() {
	at := t.at.UnixNano()
	t.pace.last.Add(t.value, &at)
}

// giveBack undoes take, unless another call stands behind it already.
func (t turn) giveBack() {
	if last, ok := t.pace.last.Get(t.value); ok && *last == t.at.UnixNano() {
		*last -= int64(t.interval)
	}
}
