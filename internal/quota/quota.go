// Package quota models the upstream's rate limits: for one organization and
// one model group it keeps a belief about three token buckets (requests,
// input tokens, output tokens), learned from response headers alone, and
// answers when a call may be sent so that no 429 comes back.
//
// Input is reserved at an estimate and settled with the real usage; output is
// a flow; the level is corrected by each answer's headers and never
// overwritten by them. The reasons and the simulations are in DESIGN §4 and
// algorithms.md A1-A4.
//
// The package is pure: it takes the time as an argument and has no lock, no
// goroutine and no I/O. A [Group] belongs to whoever guards it.
package quota

import (
	"cmp"
	"math"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Demand is what one call asks of a group.
type Demand struct {
	Input  call.Tokens // uncached input, estimated
	Spread float64     // relative standard error of Input
	Stream bool        // output is seen as it is produced

	Workspace string // whose own limits hold too, where it has any; may be empty
}

// Decision says whether a demand may go now.
type Decision struct {
	Wait  time.Duration // 0: now. Otherwise ask again then, or after any event
	Bound string        // what it waits for: a limiter, "ramp", "retry_after", "window"
	Never bool          // it needs more input than the whole bucket holds
	Limit call.Tokens   // the input bucket's size, with Never
}

// Group is the belief about one organization × model group. Create it with
// [NewGroup]. It is not safe for concurrent use.
type Group struct {
	bucket [call.NumLimiters]bucket
	flow   outputFlow
	window window
	ramp   ramp
	clock  serverClock

	flights    flightList
	blurred    float64   // sum of squared input estimates not yet settled
	reserved   float64   // sum of input estimates not yet settled
	fuzz       float64   // sum of their standard errors
	sentInput  float64   // sum of all input estimates ever sent
	drainSince float64   // sum over calls not streamed of drain × seconds from born to sent
	born       time.Time // origin of drainSince
	hold       time.Time // nothing goes before this instant (retry-after)

	told        [call.NumLimiters]float64 // limits that the Rate Limits API says
	overlays    map[string]*overlay       // by workspace; only those that have limits of their own
	countCached bool                      // the model's input limiter counts cache reads
	surprises   int                       // 429s that the model did not foresee
}

// NewGroup returns a group of which nothing is known yet. countCached is for
// the few models whose input limiter counts cache reads.
func NewGroup(now time.Time, countCached bool) *Group {
	g := &Group{flow: newOutputFlow(), window: newWindow(), countCached: countCached, born: now}
	for i := range g.bucket {
		g.bucket[i].at = now
		g.bucket[i].source = "guess"
	}
	return g
}

// Check says whether d may be sent now, and if not, when to ask again and what
// holds it. It changes nothing but the clock of the belief.
func (g *Group) Check(now time.Time, d Demand) Decision {
	g.advance(now)
	input := &g.bucket[call.InputTokens]
	if limit := g.limit(call.InputTokens); never(limit, d) {
		return Decision{Never: true, Bound: call.InputTokens.String(), Limit: call.Tokens(limit)}
	}
	if wait := g.hold.Sub(now); wait > 0 {
		return Decision{Wait: wait, Bound: "retry_after"}
	}
	if wait := g.ramp.wait(g.clock.theirs(now), float64(d.Input)); wait > 0 {
		return Decision{Wait: wait, Bound: "ramp"}
	}
	if !g.window.allows(g.flow.active) {
		return Decision{Wait: unknownWait, Bound: "window"}
	}
	waits := [call.NumLimiters]time.Duration{
		call.Requests:     g.bucket[call.Requests].waitFor(1, 0),
		call.InputTokens:  input.waitFor(float64(d.Input), g.inputSlack(d)),
		call.OutputTokens: g.flow.wait(&g.bucket[call.OutputTokens]),
	}
	bound := call.Requests
	for l := range call.Limiter(call.NumLimiters) {
		if waits[l] > waits[bound] {
			bound = l
		}
	}
	if o := g.overlayOf(now, d.Workspace); o != nil {
		if wait, l := o.wait(d, g.inputSlack(d)); wait > waits[bound] {
			return Decision{Wait: wait, Bound: "workspace " + l.String()}
		}
	}
	return Decision{Wait: waits[bound], Bound: bound.String()}
}

// never reports whether even the low end of d exceeds a full bucket.
func never(limit float64, d Demand) bool {
	return limit > 0 && float64(d.Input)*(1-2*min(d.Spread, 0.4)) > limit
}

// inputSlack is three standard errors of all estimates that are not settled
// yet, that of d among them.
func (g *Group) inputSlack(d Demand) float64 {
	return 3 * d.Spread * math.Sqrt(g.blurred+sq(float64(d.Input)))
}

func (g *Group) advance(now time.Time) {
	for i := range g.bucket {
		g.bucket[i].advance(now)
	}
}

// Reserve debits d, which must be sent right away. What comes of it is to be
// reported to f, a zero Flight, which belongs to the group until it has ended.
func (g *Group) Reserve(now time.Time, d Demand, f *Flight) {
	g.advance(now)
	*f = Flight{sent: now, input: float64(d.Input), stream: d.Stream}
	f.fuzz, f.workspace = f.input*d.Spread, d.Workspace
	requests, input := &g.bucket[call.Requests], &g.bucket[call.InputTokens]
	requests.take(1)
	input.take(f.input)
	g.ramp.take(g.clock.theirs(now), f.input)
	g.takeOverlay(now, f, call.Requests, 1)
	g.takeOverlay(now, f, call.InputTokens, f.input)
	f.predicted = prediction{requests.level, input.level}
	f.shift = prediction{requests.shift, input.shift}
	g.unsettle(f)
	g.sentInput += f.input
	f.before, f.unsettled = g.sentInput, g.reserved
	g.flow.active++
	if !f.stream {
		g.drainBy(f, g.flow.speed)
	}
	g.meet(now, f)
	g.flights.push(f)
}

// unsettle counts the estimate of f among those that are not settled.
func (g *Group) unsettle(f *Flight) {
	g.blurred += sq(f.input)
	g.reserved += f.input
	g.fuzz += f.fuzz
}

// drainBy lets the output bucket drain for a call whose output is not seen
// until it ends.
func (g *Group) drainBy(f *Flight, speed float64) {
	f.drain = speed
	g.bucket[call.OutputTokens].own += speed
	g.drainSince += speed * f.sent.Sub(g.born).Seconds()
}

// Cost is the dominant share of a demand: the largest part that it takes of
// any limiter's minute. An unknown limit counts as a large one.
func (g *Group) Cost(input, output call.Tokens) float64 {
	part := func(l call.Limiter, n, guess float64) float64 {
		return n / cmp.Or(g.limit(l), guess)
	}
	return max(part(call.Requests, 1, 1000), part(call.InputTokens, float64(input), 2e6),
		part(call.OutputTokens, float64(output), 400e3))
}

// Headroom returns the share left of each limiter, NaN where it is unknown.
func (g *Group) Headroom(now time.Time) (h call.Headroom) {
	g.advance(now)
	for l := range g.bucket {
		b := &g.bucket[l]
		h[l] = math.NaN()
		if b.known() {
			h[l] = b.level / b.limit
		}
	}
	return h
}

// Report describes the buckets whose limit is known.
func (g *Group) Report(now time.Time) []call.BucketReport {
	g.advance(now)
	var out []call.BucketReport
	for l := range call.Limiter(call.NumLimiters) {
		switch {
		case g.bucket[l].known():
			out = append(out, g.report(now, l))
		case g.told[l] > 0:
			out = append(out, g.promised(now, l))
		}
	}
	return out
}

// Backlog estimates when the last of n calls, with d as the sum of their
// demands, could go, by the slowest limiter at its present speed. It also
// returns that limiter and its limit.
func (g *Group) Backlog(now time.Time, d Demand, n int) (wait time.Duration, bound call.Limiter, limit call.Tokens) {
	g.advance(now)
	needs := [call.NumLimiters]float64{
		call.Requests:     float64(n),
		call.InputTokens:  float64(d.Input),
		call.OutputTokens: float64(n) * g.flow.length,
	}
	wait = max(0, g.hold.Sub(now))
	for l := range call.Limiter(call.NumLimiters) {
		b := &g.bucket[l]
		if !b.known() {
			continue
		}
		lack := needs[l] + b.reserve() - b.level
		if t := seconds(lack / max(b.rate()-b.drain(), 0.05*b.rate())); t > wait || limit == 0 {
			wait, bound, limit = max(wait, t), l, call.Tokens(b.limit)
		}
	}
	return wait + wait/20, bound, limit // doubt grows meanwhile
}

// Absorb takes over the calls under way of another group, which has turned out
// to be the same organization's. What it believed about levels is dropped, and
// it must not be used any more, except that its flights now belong to g.
func (g *Group) Absorb(now time.Time, other *Group) {
	g.advance(now)
	out := &other.bucket[call.OutputTokens]
	g.flow.active += other.flow.active
	g.bucket[call.OutputTokens].own += out.own
	g.drainSince += other.drainSince + out.own*other.born.Sub(g.born).Seconds()
	for f := other.flights.first; f != nil; {
		next := f.next
		other.flights.remove(f)
		f.adopted = true
		g.bucket[call.Requests].take(1)
		g.bucket[call.InputTokens].take(f.input)
		g.sentInput += f.input
		f.before = g.sentInput
		if !f.exact {
			g.unsettle(f)
		}
		g.flights.push(f)
		f = next
	}
	g.hold = later(g.hold, other.hold)
	g.surprises += other.surprises
}

// report describes one bucket. What is under way counts as charged, but its
// requests may not have arrived, and its estimates may be wrong.
func (g *Group) report(now time.Time, l call.Limiter) call.BucketReport {
	b := &g.bucket[l]
	switch l {
	case call.InputTokens:
		r := b.report(l, 0.5*g.reserved, g.reserved)
		r.Reserved = int64(g.reserved)
		return r
	case call.OutputTokens:
		lag := g.flow.speed*float64(g.flow.active)*outputLag.Seconds() + g.unseen(now)
		return b.report(l, lag, lag)
	}
	arriving := 0.0
	for f := g.flights.last; f != nil && now.Sub(f.sent) <= reorder; f = f.prev {
		arriving++
	}
	return b.report(l, 0, arriving)
}

// Known reports whether an answer has shown any limit.
func (g *Group) Known() bool { return g.window.known }

// InFlight is the number of calls under way.
func (g *Group) InFlight() int { return g.flow.active }

// Surprises counts the 429s that came although the model had let the call go.
// Each is a defect of the model (DESIGN §4).
func (g *Group) Surprises() int { return g.surprises }
