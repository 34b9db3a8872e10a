package quota

import "time"

// serverClock bounds the upstream's clock against ours. Each answer's Date
// header D was written between our send and our receipt of it, and stands for
// an instant in [D, D+1s), so the offset (theirs minus ours) lies in
// [D - received, D + 1s - sent]. Intersecting these intervals narrows it far
// below a second (after Cristian and Marzullo).
type serverClock struct {
	low, high time.Duration
	known     bool
}

// clockDrift lets old bounds go, so that a stepped clock is found again.
const clockDrift = time.Millisecond

// observe takes one answer. A contradiction means that a clock was set: the
// interval starts afresh from this answer.
func (c *serverClock) observe(date, sent, received time.Time) {
	if date.IsZero() {
		return
	}
	low, high := date.Sub(received), date.Add(time.Second).Sub(sent)
	if !c.known || low > c.high || high < c.low {
		c.low, c.high, c.known = low, high, true
		return
	}
	c.low = max(c.low-clockDrift, low)
	c.high = min(c.high+clockDrift, high)
}

// local turns an instant of the upstream's clock into ours, and says how far
// it may be off to each side.
func (c *serverClock) local(t time.Time) (time.Time, time.Duration) {
	return t.Add(-(c.low + c.high) / 2), (c.high - c.low) / 2
}

// theirs bounds an instant of our clock on the upstream's.
func (c *serverClock) theirs(t time.Time) span { return span{t.Add(c.low), t.Add(c.high)} }
