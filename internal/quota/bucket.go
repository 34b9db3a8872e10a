package quota

import (
	"math"
	"time"

	"github.com/weir-gateway/weir/call"
)

// bucket is the belief about one upstream token bucket: capacity = limit,
// continuous refill of limit/60 per second (anthropic-api.md §1.1).
//
// It is an error observer, not a copy of the headers: `remaining` describes
// the moment the request arrived upstream and is read one first-token time
// later, so overwriting the level with it forgets everything sent meanwhile
// (algorithms.md A2). The level runs by dead reckoning; a header corrects it
// by the difference to what was predicted for that very request.
type bucket struct {
	limit  float64   // 0: unknown, nothing is enforced
	level  float64   // predicted level at `at`; negative is debt
	at     time.Time // the instant level is meant for
	doubt  float64   // variance of (true level - level)
	error  interval  // worst-case bounds of (true level - level)
	shift  float64   // running sum of all corrections made
	stock  float64   // safety stock as a share of limit
	source string    // header, api, config, guess
	short  float64   // of the reserve, not collected yet since the limit rose

	foreign      float64 // drain by other consumers, units per second
	foreignNoise float64 // variance of the corrections that foreign sums up
	flow         float64 // our own recent use, units per second
	own          float64 // steady own drain not yet seen in usage, units per second

	burst burst // the same limit, enforced over less than a minute

	observed  time.Time // when a header last corrected it
	limitSent time.Time // send time of the request whose header set the limit
	shrunk    time.Time // when stock last changed
}

// Tuning of the observer. The values are those of the simulations of
// algorithms.md A2-A3 unless a comment says otherwise.
const (
	stockStart   = 0.10
	stockFloor   = 0.03
	stockCeiling = 0.30
	stockCalm    = 10 * time.Minute // a clean stretch after which stock shrinks

	doubtRate    = 0.0005 // growth of the standard error, share of limit per √s
	delayJitter  = 0.03   // seconds between our send and the upstream's sample
	modelError   = 0.002  // share of limit
	gainDownLow  = 0.2    // an unexpected shortage corrects at least this much
	gainUpHigh   = 0.5    // an unexpected surplus at most this much
	foreignTau   = 20.0   // seconds over which corrections become a drain
	foreignDecay = 300.0  // seconds after which a drain without proof is forgotten
	flowTau      = 10.0   // seconds of the own-use average

	collected = 0.5 // share of the refill that goes into the reserve when the limit has risen

	fillable = 0.98 // a demand above this share of limit goes at this level
)

func (b *bucket) known() bool { return b.limit > 0 }

func (b *bucket) rate() float64 { return b.limit / 60 }

// drain is the part of the foreign consumption that is beyond noise.
func (b *bucket) drain() float64 {
	f := b.foreign - 2*math.Sqrt(b.foreignNoise)/foreignTau
	return min(max(f, 0), b.rate())
}

// net is the expected change of the level per second while we send nothing.
func (b *bucket) net() float64 { return b.rate() - b.drain() - b.own }

// advance moves the belief to now. Time never moves back.
func (b *bucket) advance(now time.Time) {
	dt := now.Sub(b.at).Seconds()
	if dt <= 0 {
		return
	}
	b.at = now
	if !b.known() {
		return
	}
	b.burst.advance(now, b.rate())
	b.level = min(b.limit, b.level+b.net()*dt)
	b.short = max(0, b.short-collected*b.rate()*dt)
	b.age(dt)
	b.doubt = min(b.doubt+sq(doubtRate*b.limit)*dt, sq(0.5*b.limit))
	keep := math.Exp(-dt / foreignDecay)
	b.foreign *= keep
	b.foreignNoise *= math.Exp(-dt / foreignTau)
	b.flow *= math.Exp(-dt / flowTau)
	if b.stock > stockFloor && now.Sub(b.shrunk) >= stockCalm {
		b.stock = max(stockFloor, b.stock*0.9)
		b.shrunk = now
	}
}

// take debits n units that were just sent or produced; a negative n refunds.
func (b *bucket) take(n float64) {
	b.blurFull(reorder.Seconds())
	b.level -= n
	b.burst.level -= n
	if b.known() {
		b.level = min(b.level, b.limit)
	}
	b.flow += n / flowTau
}

// reserve is the level that must stay behind: the safety stock, which costs
// burst but no throughput, and twice the standard error of the belief. When the
// limit rises, so does the reserve, but the level is as low as before: nobody
// could go until it is there. So it is collected while calls go on.
func (b *bucket) reserve() float64 {
	return max(0, b.stock*b.limit+2*math.Sqrt(b.doubt)-b.short)
}

// wait is how long until the level reaches need. It is 0 for a bucket whose
// limit is unknown and a guess while others drain it as fast as it fills.
func (b *bucket) wait(need float64) time.Duration {
	if !b.known() {
		return 0
	}
	lack := min(need, fillable*b.limit) - b.level
	if lack <= 0 {
		return 0
	}
	speed := max(b.net(), 0.05*b.rate())
	return seconds(lack / speed)
}

// waitFor is how long a call that takes n must wait, with slack for what is
// uncertain about n, until both the minute and any shorter time allow it.
func (b *bucket) waitFor(n, slack float64) time.Duration {
	return max(b.wait(n+slack+b.reserve()), b.burst.wait(n, b.rate()))
}

// set starts the belief afresh from an observation.
func (b *bucket) set(now time.Time, limit, level float64) {
	b.advance(now)
	if b.stock == 0 {
		b.stock = stockStart
		b.shrunk = now
	}
	b.shift += level - b.level
	was, known := b.reserve(), b.known()
	b.limit, b.level = limit, min(level, limit)
	b.doubt, b.short = sq(0.01*limit), 0
	if known {
		b.short = max(0, b.reserve()-was)
	}
	b.foreign, b.foreignNoise = 0, 0
	b.source = "header"
	b.observed = now
}

// correct moves the level by a share of the innovation m, the observed minus
// the predicted level. What the worst case rules out, it corrects in full.
func (b *bucket) correct(now time.Time, m measurement) {
	if !b.error.narrow(m.level-m.below, m.level+m.above) {
		// Others came or went, or the upstream changed its mind: be quick.
		b.doubt = max(b.doubt, sq(m.level)/4)
	}
	v := m.variance + sq(delayJitter*b.rate()) + sq(modelError*b.limit)
	gain := b.doubt / (b.doubt + v)
	if m.level < 0 {
		gain = max(gain, gainDownLow)
	} else {
		gain = min(gain, gainUpHigh)
	}
	b.shiftBy(gain * m.level)
	b.doubt *= 1 - gain
	b.shiftBy(b.error.outside())
	b.source = "header"
	b.observed = now
}

// shiftBy corrects the level. Corrections that keep coming in one direction
// are the work of other consumers.
func (b *bucket) shiftBy(step float64) {
	step = min(step, b.limit-b.level)
	b.level += step
	b.shift += step
	b.error.move(step)
	b.foreign = min(max(b.foreign-step/foreignTau, -0.1*b.rate()), b.rate())
	b.foreignNoise += sq(step)
}

// rejected takes a 429 of this limiter: need would fit after retry, so the
// level is lower than believed. Only if the 429's own headers have shown plenty
// is it another thing: a shorter time is enforced. Every surprise of the first
// kind doubles the stock.
func (b *bucket) rejected(now time.Time, need float64, retry time.Duration, shown bool) {
	if !b.known() {
		return
	}
	if shown && b.level+b.error.low > need+plenty*b.limit {
		b.burst.rejected(now, b.limit, need, retry)
		return
	}
	at := need - b.rate()*retry.Seconds()
	if at < b.level {
		b.error.move(at - b.level)
		b.shift += at - b.level
		b.level = at
	}
	b.blur(b.rate(), 0) // retry-after is rounded up to a second
	b.doubt = max(b.doubt, sq(0.01*b.limit))
	b.stock = min(stockCeiling, 2*b.stock)
	b.shrunk = now
}

// report describes the belief at its present instant. The truth may further be
// lower and higher by what is under way and not settled.
func (b *bucket) report(limiter call.Limiter, lower, higher float64) call.BucketReport {
	r := call.BucketReport{
		Limiter: limiter.String(), Limit: int64(b.limit), Remaining: whole(b.level, b.limit),
		Low: whole(math.Floor(b.level+b.error.low-lower), b.limit), High: whole(math.Ceil(b.level+b.error.high+higher), b.limit),
		Source: b.source, ObservedAt: b.observed, FullAt: b.at,
	}
	if lack := b.limit - b.level; lack > 0 {
		r.FullAt = b.at.Add(seconds(lack / b.rate()))
	}
	if loss := b.flow + b.drain() - b.rate(); loss > 0 {
		t := max(b.level, 0) / loss
		r.EmptyIn = &t
	}
	return r
}

// granularity is the step to which the upstream rounds `remaining`.
func granularity(l call.Limiter) float64 {
	if l == call.Requests {
		return 1
	}
	return 1000
}

func whole(v, limit float64) int64 { return int64(min(max(v, 0), limit)) }

func sq(x float64) float64 { return x * x }

func seconds(s float64) time.Duration {
	return time.Duration(min(s, 1e9) * float64(time.Second))
}
