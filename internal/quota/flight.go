package quota

import (
	"cmp"
	"time"

	"github.com/weir-gateway/weir/call"
)

// prediction is a pair of levels: of the requests and the input bucket.
type prediction [2]float64

// Flight is one call that was sent and not yet settled: what it was expected
// to do to the buckets, so that its answer can be compared with that.
type Flight struct {
	prev, next *Flight

	sent      time.Time
	input     float64 // debited so far: the estimate, later the exact count
	exact     bool    // input is exact
	fuzz      float64 // standard error of the estimate
	output    float64 // debited so far
	stream    bool
	drain     float64 // virtual output drain per second while nothing is seen
	predicted prediction
	shift     prediction // the buckets' running corrections when it was sent
	before    float64    // input estimates sent up to it, of all flights ever
	unsettled float64    // of these, not corrected when it was sent
	near      neighbours // whom it may have met in another order
	workspace string     // that pays for it
	adopted   bool       // sent through another group: its predictions mean nothing here
	observed  bool       // its headers have corrected the belief
	done      bool
}

// flightList holds the flights whose headers have not come yet, in the order
// in which they were sent.
type flightList struct{ first, last *Flight }

func (l *flightList) push(f *Flight) {
	f.prev = l.last
	if l.last != nil {
		l.last.next = f
	} else {
		l.first = f
	}
	l.last = f
}

func (l *flightList) remove(f *Flight) {
	if f.prev == nil && l.first != f {
		return // it is not in the list any more
	}
	if f.prev != nil {
		f.prev.next = f.next
	} else {
		l.first = f.next
	}
	if f.next != nil {
		f.next.prev = f.prev
	} else {
		l.last = f.prev
	}
	f.prev, f.next = nil, nil
}

// Input replaces the estimate of f by the exact charge. The predictions of f
// and of every flight sent after it move along, so that their headers do not
// correct the same error a second time.
func (g *Group) Input(now time.Time, f *Flight, u call.Usage) {
	charged := u.Charged()
	if g.countCached {
		charged += u.CacheRead
	}
	g.chargeInput(now, f, float64(charged))
}

func (g *Group) chargeInput(now time.Time, f *Flight, actual float64) {
	if f.exact || f.done {
		return
	}
	g.advance(now)
	g.blurred = max(0, g.blurred-sq(f.input))
	g.reserved = max(0, g.reserved-f.input)
	g.fuzz = max(0, g.fuzz-f.fuzz)
	diff := actual - f.input
	f.input, f.exact = actual, true
	g.bucket[call.InputTokens].take(diff)
	g.ramp.take(g.clock.theirs(now), diff)
	g.takeOverlay(now, f, call.InputTokens, diff)
	for j := f; j != nil; j = j.next {
		j.predicted[call.InputTokens] -= diff
	}
}

// Output debits the output of f up to produced, a growing number.
func (g *Group) Output(now time.Time, f *Flight, produced call.Tokens) {
	if f.done || float64(produced) <= f.output {
		return
	}
	g.advance(now)
	g.bucket[call.OutputTokens].take(float64(produced) - f.output)
	g.takeOverlay(now, f, call.OutputTokens, float64(produced)-f.output)
	f.output = float64(produced)
}

// Settle ends f with its real usage.
func (g *Group) Settle(now time.Time, f *Flight, u call.Usage) {
	if f.done {
		return
	}
	if u.Charged()+u.CacheRead == 0 {
		// Whether the upstream charged a failed request is not known.
		g.bucket[call.InputTokens].blur(f.input, 0)
	}
	g.Input(now, f, u)
	g.land(now, f)
	g.bucket[call.OutputTokens].take(float64(u.Output) - f.output) // less, if too much was guessed
	g.takeOverlay(now, f, call.OutputTokens, float64(u.Output)-f.output)
	f.output = float64(u.Output)
	g.flow.ended(f.output, now.Sub(f.sent))
}

// Cancel ends f, of which it is unknown what it cost: what was debited stays
// debited. Headers of later answers put right what is wrong with that.
func (g *Group) Cancel(now time.Time, f *Flight) {
	if f.done {
		return
	}
	if !f.exact {
		g.bucket[call.InputTokens].blur(f.input, f.input)
	}
	g.chargeInput(now, f, f.input)
	g.land(now, f)
}

// land takes f out of the air and gives back its virtual output drain.
func (g *Group) land(now time.Time, f *Flight) {
	g.advance(now)
	f.done = true
	g.flow.active--
	g.flights.remove(f)
	if f.drain > 0 {
		out := &g.bucket[call.OutputTokens]
		out.own = max(0, out.own-f.drain)
		g.drainSince -= f.drain * f.sent.Sub(g.born).Seconds()
		if out.known() {
			out.level = min(out.limit, out.level+f.drain*now.Sub(f.sent).Seconds())
		}
	}
}

// Reject ends f, which the upstream refused with a 429 or 529: it cost nothing,
// unless that came in the middle of its output. The refusal teaches which limiter
// was lower than believed, and holds the group until the time that the upstream
// named. It reports whether f can never fit.
func (g *Group) Reject(now time.Time, f *Flight, l call.Limits, v call.Verdict) (never bool) {
	if f.done {
		return false
	}
	need, level := f.input, g.bucket[call.InputTokens].level+f.input
	if f.output > 0 {
		g.Cancel(now, f)
	} else {
		g.refund(now, f)
	}
	g.read(now, f, l)
	f.workspace = cmp.Or(f.workspace, l.Workspace)
	if v.Workspace && v.Kind == call.RateLimited && v.Named && v.Limit > 0 && f.workspace != "" {
		g.surprises++
		g.rejectedByWorkspace(now, f, v, g.needs(v.Limiter, need))
		return false
	}
	if v.RetryAfter > 0 && (v.Kind == call.RateLimited || v.Kind == call.Ramp) {
		g.hold = later(g.hold, now.Add(v.RetryAfter))
	}
	switch v.Kind {
	case call.Overloaded:
		g.window.overloaded(now, g.flow.active)
	case call.Concurrency:
		g.window.shrink(g.flow.active)
	case call.Ramp:
		g.surprises++
		g.ramp.complained(g.clock.theirs(now), v.RampNow, v.RampNext)
	case call.RateLimited:
		g.surprises++
		if !v.Named {
			g.window.shrink(g.flow.active)
			return false
		}
		g.bucket[v.Limiter].rejected(now, g.needs(v.Limiter, need), v.RetryAfter, l.Bucket[v.Limiter].Known)
		limit := g.bucket[call.InputTokens].limit
		return v.Limiter == call.InputTokens && limit > 0 && need > 0.7*limit && level >= 0.95*limit
	}
	return false
}

// needs is the level at which the upstream would have let a call in, whose
// input is given: for output it wants anything above zero.
func (g *Group) needs(l call.Limiter, input float64) float64 {
	switch l {
	case call.Requests:
		return 1
	case call.OutputTokens:
		return g.bucket[call.OutputTokens].limit * stockFloor
	}
	return input
}

// refund undoes the debits of f, also in the predictions of later flights.
func (g *Group) refund(now time.Time, f *Flight) {
	f.exact = false
	g.chargeInput(now, f, 0)
	g.bucket[call.Requests].take(-1)
	g.takeOverlay(now, f, call.Requests, -1)
	for j := f; j != nil; j = j.next {
		j.predicted[call.Requests]++
	}
	g.land(now, f)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
