package sim

import (
	"cmp"
	"container/heap"
	"math"
	"slices"
	"time"
)

// instant is a time on the server's own clock: how long after its start.
type instant = time.Duration

// bucket is one limiter of the API: it holds up to limit units and refills
// continuously by limit units a minute (Anthropic docs, rate limits). Between
// events its level is a straight line, so nothing runs while nobody looks. All
// methods need the lock of the organization.
type bucket struct {
	limit float64 // units per minute
	span  float64 // seconds of refill that it holds: 60, less for a sub-minute limit
	level float64 // may be negative: output is charged as it is made
	at    instant // when level was computed
	plan  plan    // what changes by itself in the course of time

	flows flowHeap // outputs being produced
	flow  float64  // their summed speed, units per second

	// What [BucketStats] tells.
	start    float64
	admitted float64
	others   float64
	overflow float64
}

// newBucket returns a bucket that holds fill (0 to 1) of its capacity.
func newBucket(limit, span, fill float64, now instant, p plan) *bucket {
	b := &bucket{limit: limit, span: span, at: now, plan: p}
	b.level = fill * b.capacity()
	b.start = b.level
	return b
}

// capacity is the level above which refill is lost.
func (b *bucket) capacity() float64 { return b.limit * b.span / 60 }

// refill is the gain in units per second.
func (b *bucket) refill() float64 { return b.limit / 60 }

// advance brings the bucket to now, one straight line after another.
func (b *bucket) advance(now instant) {
	for b.at < now {
		next := min(now, b.plan.next(b.at))
		if len(b.flows) > 0 {
			next = max(b.at, min(next, b.flows[0].end))
		}
		b.run(next)
		for len(b.flows) > 0 && b.flows[0].end <= b.at {
			b.remove(0)
		}
		if limit, ok := b.plan.change(b.at); ok {
			b.setLimit(limit)
		}
	}
}

// run follows one straight line to the instant to, or two where the others
// find the bucket empty.
func (b *bucket) run(to instant) {
	dt := (to - b.at).Seconds()
	others := b.plan.rate(b.at)
	gain := b.refill() - b.flow
	b.admitted += b.flow * dt
	for left := dt; left > 0 && others > 0; {
		taken, until := b.yield(gain, others)
		step := min(left, until)
		b.others += taken * step
		b.set(b.level + (gain-taken)*step)
		if left -= step; step == until {
			b.level = 0 // exactly: a rounding error would be there forever
		}
		dt = left
	}
	b.set(b.level + gain*dt)
	b.at = to
}

// yield is what the others get per second from now on, and for how many
// seconds. They are limited too: they take what is there and no more.
func (b *bucket) yield(gain, want float64) (taken, until float64) {
	switch {
	case b.level > 0 && gain < want:
		return want, b.level / (want - gain)
	case b.level < 0 && gain > 0:
		return 0, -b.level / gain
	case b.level < 0:
		return 0, math.Inf(1)
	}
	return min(want, max(0, gain)), math.Inf(1) // empty, or filling all the same
}

// set gives the bucket its new level and counts what does not fit.
func (b *bucket) set(level float64) {
	if over := level - b.capacity(); over > 0 {
		b.overflow += over
		level = b.capacity()
	}
	b.level = level
}

// take charges n units, or gives back if n is negative. The bucket must have
// been advanced.
func (b *bucket) take(n float64) {
	b.admitted += n
	b.set(b.level - n)
}

// setLimit changes the limit. What a smaller bucket cannot hold any more was
// never anybody's to use, so it is taken out of the statistics as well.
func (b *bucket) setLimit(limit float64) {
	b.limit = limit
	if lost := b.level - b.capacity(); lost > 0 {
		b.level -= lost
		b.start -= lost
	}
}

// flow is an output in the making: units charged at a steady speed until end.
type flow struct {
	rate  float64
	end   instant
	index int // in the heap; -1 once it is out of it
}

// pour starts to charge n units over the time d. The bucket must have been
// advanced. A time too short to be noticed is none: its speed would drown all
// others in rounding errors.
func (b *bucket) pour(n float64, d time.Duration) *flow {
	if d < time.Millisecond || n <= 0 {
		b.take(n)
		return &flow{index: -1}
	}
	f := &flow{rate: n / d.Seconds(), end: b.at + d}
	heap.Push(&b.flows, f)
	b.flow += f.rate
	return f
}

// stop ends a flow early: the client went away. It does nothing to one that
// has ended.
func (b *bucket) stop(f *flow) {
	if f.index >= 0 {
		b.remove(f.index)
	}
}

func (b *bucket) remove(i int) {
	f := heap.Remove(&b.flows, i).(*flow)
	b.flow -= f.rate
	if len(b.flows) == 0 {
		b.flow = 0 // no rounding error may outlive the flows
	}
}

// untilFull is how long the bucket would take to fill if nothing happened:
// what the reset header tells.
func (b *bucket) untilFull() time.Duration {
	return seconds((b.capacity() - b.level) / b.refill())
}

// waitFor is how long it takes until the level reaches need, with the flows
// that run and none to come.
func (b *bucket) waitFor(need float64) time.Duration {
	need = min(need, b.capacity())
	ends := make([]flow, len(b.flows))
	for i, f := range b.flows {
		ends[i] = *f
	}
	slices.SortFunc(ends, func(x, y flow) int { return cmp.Compare(x.end, y.end) })
	level, net, at := b.level, b.refill()-b.flow, b.at
	for _, f := range ends {
		gain := net * (f.end - at).Seconds()
		if net > 0 && level+gain >= need {
			break
		}
		level, net, at = level+gain, net+f.rate, f.end
	}
	return at - b.at + seconds(max(0, need-level)/max(net, 1e-9))
}

// reset begins new statistics at the present level.
func (b *bucket) reset() {
	b.start, b.admitted, b.others, b.overflow = b.level, 0, 0, 0
}

// seconds makes a duration of a number that may be too large for one.
func seconds(s float64) time.Duration {
	const longest = float64(math.MaxInt64 / 2 / int64(time.Second))
	return time.Duration(max(-longest, min(s, longest)) * float64(time.Second))
}

// flowHeap is ordered by end.
type flowHeap []*flow

func (h flowHeap) Len() int           { return len(h) }
func (h flowHeap) Less(i, j int) bool { return h[i].end < h[j].end }
func (h flowHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push is for container/heap.
func (h *flowHeap) Push(x any) {
	f := x.(*flow)
	f.index = len(*h)
	*h = append(*h, f)
}

// Pop is for container/heap.
func (h *flowHeap) Pop() any {
	last := len(*h) - 1
	f := (*h)[last]
	f.index = -1
	*h = (*h)[:last]
	return f
}
