package quota

import (
	"math"
	"time"
)

// window bounds the calls under way at once. It opens by slow start while the
// organization is unknown, is open while its limits are known, and closes by
// AIMD when the upstream complains of too many connections or of overload:
// that limit is unpublished (anthropic-api.md §1.5).
type window struct {
	size  float64   // +Inf: unbounded
	known bool      // whether headers have shown the limits
	dwell time.Time // until then, overload does not close it any further
}

func newWindow() window { return window{size: 1} }

const (
	windowFloor  = 1
	windowShrink = 0.8
	windowOpen   = 4096 // beyond this many it no longer bounds anything
	windowDwell  = 15 * time.Second
)

// allows reports whether one more call may join active ones.
func (w *window) allows(active int) bool { return float64(active) < w.size }

// answered takes an answer that was no complaint about concurrency.
func (w *window) answered(limitsKnown bool) {
	switch {
	case limitsKnown && !w.known:
		w.known = true
		w.size = math.Inf(1)
	case math.IsInf(w.size, 1):
	case w.known:
		w.size += 1 / w.size // one more per window's worth of answers
	default:
		w.size++ // slow start: doubles each round trip
	}
	if w.size > windowOpen {
		w.size = math.Inf(1)
	}
}

// overloaded closes the window after a 529. Those come in swarms and say little
// about how many calls are too many, so that only one in windowDwell counts.
func (w *window) overloaded(now time.Time, active int) {
	if now.Before(w.dwell) {
		return
	}
	w.dwell = now.Add(windowDwell)
	w.shrink(active)
}

// shrink closes the window after a complaint while active calls were under way.
func (w *window) shrink(active int) {
	w.size = max(windowFloor, windowShrink*min(w.size, float64(active+1)))
}
