package quota

// interval bounds the error of a belief: truth minus level lies in [low, high]
// by what the headers have shown and what cannot have happened since. It is
// the set-membership companion of the estimate: the estimate steers, the
// interval says how sure it is and corrects the estimate when they disagree.
//
// The bound takes for granted that others of the same organization do not use
// more than the refill. When they do, the next header contradicts the interval
// and starts it afresh.
type interval struct{ low, high float64 }

// narrow intersects the interval with what one header shows. It reports false
// when the two contradict each other; then the header alone counts.
func (e *interval) narrow(low, high float64) bool {
	if low > e.high || high < e.low {
		*e = interval{low, high}
		return false
	}
	e.low, e.high = max(e.low, low), min(e.high, high)
	return true
}

// move follows a correction of the level.
func (e *interval) move(step float64) {
	e.low -= step
	e.high -= step
}

// outside is how far zero, the present level, lies outside of the interval.
func (e *interval) outside() float64 {
	switch {
	case e.low > 0:
		return e.low
	case e.high < 0:
		return e.high
	}
	return 0
}

// age widens the interval by dt seconds in which others may have taken all of
// the refill, or none of what was believed of them. The truth never exceeds
// the limit.
func (b *bucket) age(dt float64) {
	b.error.low -= max(b.net(), 0) * dt
	b.error.high = min(b.error.high+b.drain()*dt, b.limit-b.level)
	b.error.low = max(b.error.low, -2*b.limit)
}

// blur widens the interval: the truth may be lower or higher by so much.
func (b *bucket) blur(lower, higher float64) {
	b.error.low -= lower
	b.error.high += higher
}

// blurFull widens the interval where a bucket that may be full is charged: the
// refill of the time between our charge and the upstream's may be lost on one
// side and not on the other.
func (b *bucket) blurFull(lag float64) {
	if b.known() && b.level+max(b.error.high, 0) >= b.limit-b.rate() {
		b.blur(b.rate()*lag, b.rate()*lag)
	}
}
