package quota

import (
	"math"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Observe corrects the belief by the headers of f's answer, which count once.
// Report the exact input and the output seen so far first, where they are known
// by then: the headers include them.
func (g *Group) Observe(now time.Time, f *Flight, l call.Limits) {
	if f.observed {
		return
	}
	g.advance(now)
	g.clock.observe(l.Date, f.sent, now)
	g.window.answered(g.read(now, f, l))
	g.flights.remove(f) // nothing will be compared with its predictions any more
}

// read corrects the belief by what headers say of each limiter, and reports
// whether they say anything.
func (g *Group) read(now time.Time, f *Flight, l call.Limits) (any bool) {
	if f.observed {
		return false
	}
	f.observed = true
	for i := range call.Limiter(call.NumLimiters) {
		if r := l.Bucket[i]; r.Known && r.Limit > 0 {
			g.observe(now, f, i, r)
			any = true
		}
	}
	return any
}

func (g *Group) observe(now time.Time, f *Flight, l call.Limiter, r call.Reading) {
	b := &g.bucket[l]
	if f.adopted && b.known() && l != call.OutputTokens {
		return
	}
	predicted := b.level // output is sampled when the headers are written
	if l != call.OutputTokens {
		predicted = f.predicted[l] + b.shift - f.shift[l]
	}
	m := g.measure(now, f, l, r)
	below, above := g.doubtful(now, f, l)
	m.below += below
	m.above += above
	if b.limit != r.Limit {
		if f.sent.Before(b.limitSent) {
			return // an answer from before the limit changed
		}
		b.limitSent = f.sent
		level := m.level + b.level - predicted
		if !b.known() && l == call.Requests {
			level += r.Limit / 60 * now.Sub(f.sent).Seconds() // it did not advance so far
		}
		b.set(now, r.Limit, level)
		b.error = interval{-m.below, m.above + b.rate()*now.Sub(f.sent).Seconds()}
		return
	}
	if f.sent.After(b.limitSent) {
		b.limitSent = f.sent
	}
	b.correct(now, m.minus(predicted))
}

// measurement is a level read from headers: its value, the variance of what is
// random about it, and how far the truth may lie below and above in the worst
// case.
type measurement struct{ level, variance, below, above float64 }

func (m measurement) minus(predicted float64) measurement {
	m.level -= predicted
	return m
}

// measure reads the level at the sample from one group of headers.
// `remaining` is rounded and clipped at zero; `reset`, the time of full, is
// truncated to a second but shows debt. The finer of the two is taken.
func (g *Group) measure(now time.Time, f *Flight, l call.Limiter, r call.Reading) measurement {
	step := granularity(l)
	own := 0.0
	if l == call.InputTokens {
		own = sq(0.05 * f.input) // the upstream's own first estimate
	}
	m := measurement{level: r.Remaining, variance: own + sq(step)/12, below: step / 2, above: step / 2}
	if l == call.Requests {
		m.below, m.above = 1, 1 // whether it is rounded or cut is not documented
	}
	if r.Remaining < step {
		m.below = math.Inf(1) // clipped at zero: it may be any debt
	}
	if r.Reset.IsZero() || !g.clock.known {
		return m
	}
	sampled := f.sent
	if l == call.OutputTokens {
		sampled = now
	}
	rate := r.Limit / 60
	full, off := g.clock.local(r.Reset.Add(500 * time.Millisecond))
	blur := rate * (0.5 + off.Seconds())
	byReset := r.Limit - rate*full.Sub(sampled).Seconds()
	fine := blur < step/2 && l != call.OutputTokens // what streams have produced since then is in neither
	if fine || (r.Remaining < step && byReset < 0) {
		return measurement{level: min(byReset, r.Limit), variance: own + sq(blur)/3, below: blur, above: blur}
	}
	return m
}

const (
	reorder       = 250 * time.Millisecond // by how much requests may overtake each other on their way
	upstreamGuess = 0.4                    // how far the upstream's own first estimates may be off
	outputLag     = 300 * time.Millisecond // by how much we see output later than it is charged
)

// doubtful bounds what the sample behind f's headers may have counted
// differently than the prediction made for f: how much lower and higher the
// level is, all things charged, than the headers say.
func (g *Group) doubtful(now time.Time, f *Flight, l call.Limiter) (below, above float64) {
	rate := g.bucket[l].rate()
	age := now.Sub(f.sent)
	if l == call.OutputTokens {
		lag := g.flow.speed*float64(g.flow.active)*outputLag.Seconds() + g.unseen(now)
		return lag, lag + rate*outputLag.Seconds()
	}
	if l == call.Requests {
		return f.near.before + rate*min(age, reorder).Seconds(), f.near.after
	}
	// Input is sampled again when the first estimate is corrected, at any time
	// up to now: later calls may be in it, and the refill of that time. Calls
	// that were not corrected yet are in it by the upstream's own estimate.
	later := g.sentInput - f.before
	guess := upstreamGuess*(f.unsettled+later) + 4*g.fuzz
	return f.near.input + guess + rate*age.Seconds(), later + guess
}

// neighbours are the calls sent so shortly before or after a flight that they
// may have arrived in another order.
type neighbours struct{ before, after, input float64 }

// meet notes f, which is sent now, and the flights just before it as
// neighbours. Those whose headers have come had certainly arrived.
func (g *Group) meet(now time.Time, f *Flight) {
	for j := g.flights.last; j != nil && now.Sub(j.sent) <= reorder; j = j.prev {
		f.near.before++
		f.near.input += j.input
		j.near.after++
	}
}

// unseen is the output that calls which are not streamed are believed to have
// produced so far.
func (g *Group) unseen(now time.Time) float64 {
	return g.bucket[call.OutputTokens].own*now.Sub(g.born).Seconds() - g.drainSince
}
