package quota

import "time"

// outputFlow models output as a flow. The upstream debits output tokens as
// they are produced and ignores max_tokens, so what matters is the sum of the
// speeds of the calls under way against the refill, not their unknown lengths
// (algorithms.md A4).
type outputFlow struct {
	active   int     // calls under way
	speed    float64 // tokens per second of one call, from send to end
	lifetime float64 // seconds that a call lasts
	length   float64 // output tokens of a call
	samples  int
}

// Priors for a model of which no call has ended yet. The lifetime is long: the
// calls that end first are the short ones, and whoever believes them starts so
// many that the long ones run into debt (algorithms.md A4).
const (
	speedPrior    = 60.0
	lifetimePrior = 60.0
	lengthPrior   = 500.0

	flowGain    = 0.05 // weight of the newest call in the averages
	horizonLow  = 20.0 // seconds over which a surplus may be spent
	horizonHigh = 120.0
	flowBrake   = 4.0         // how hard the flow is throttled below the stock
	unknownWait = time.Second // when only the end of a call can make room
)

func newOutputFlow() outputFlow {
	return outputFlow{speed: speedPrior, lifetime: lifetimePrior, length: lengthPrior}
}

// ended learns from a finished call. The first calls weigh more, so that the
// priors are forgotten quickly.
func (f *outputFlow) ended(produced float64, lasted time.Duration) {
	s := lasted.Seconds()
	if produced <= 0 || s <= 0.001 {
		return
	}
	f.samples++
	gain := max(flowGain, 1/float64(f.samples+1))
	f.speed += gain * (produced/s - f.speed)
	f.lifetime += gain * (s - f.lifetime)
	f.length += gain * (produced - f.length)
}

// wait is how long one more call must wait for the output bucket b. Calls that
// end earlier than expected make it shorter: whoever waits asks again then.
func (f *outputFlow) wait(b *bucket) time.Duration {
	if !b.known() {
		return 0
	}
	if f.active == 0 {
		// A lone call may go into debt: nothing is refused for it but what
		// comes later, and that waits here.
		return b.wait(b.reserve())
	}
	surplus, target := b.level-b.reserve(), f.target(b)
	if surplus >= target {
		return 0
	}
	rise := b.rate() - b.drain() - float64(f.active)*f.speed
	if rise <= 0 {
		return unknownWait
	}
	return min(seconds((target-surplus)/rise), unknownWait)
}

// target is the surplus over the stock from which one more call may start: as
// much as the excess of its flow eats within the horizon, or, where refill
// exceeds the flow, so little that the stock can be entered by the same ratio.
func (f *outputFlow) target(b *bucket) float64 {
	refill := max(b.rate()-b.drain(), 0.01*b.rate())
	need := float64(f.active+1) * f.speed
	if need > refill {
		return (need - refill) * min(max(2*f.lifetime, horizonLow), horizonHigh)
	}
	return (need/refill - 1) * b.limit / flowBrake
}
