package quota

import "time"

// ramp models the acceleration limit: how many input tokens a minute of the
// upstream's clock may use, given what the minute before used. It is unknown
// until the upstream complains (429 ramp_limit_exceeded), and its figures are
// read from that complaint: the limit of the running minute, and that of the
// next (anthropic-api.md §1.5; algorithms.md A5). The law assumed between
// complaints is the one seen: a minute may use a step more than the last one
// used, and a floor in any case.
type ramp struct {
	known   bool
	floor   float64
	step    float64
	minute  int64   // of the upstream's clock, since the epoch
	used    float64 // in that minute
	allowed float64 // in that minute
}

const (
	rampMargin = 0.99                   // share of the allowance that is used: estimates err
	rampStep   = 0.17                   // step assumed where the complaint has no figures
	boundary   = 200 * time.Millisecond // after the minute's end, for the way there
)

// roll moves to the minute of at, an instant of the upstream's clock.
func (r *ramp) roll(at time.Time) {
	minute := at.Unix() / 60
	if minute <= r.minute {
		return
	}
	last := r.used
	if minute > r.minute+1 {
		last = 0
	}
	r.minute, r.used = minute, 0
	r.allowed = max(r.floor, last+r.step)
}

// wait is how long need must wait at the instant at of the upstream's clock.
// The first call of a minute always goes.
func (r *ramp) wait(at time.Time, need float64) time.Duration {
	r.roll(at)
	if !r.known || r.used == 0 || r.used+need <= rampMargin*r.allowed {
		return 0
	}
	return time.Unix((r.minute+1)*60, 0).Sub(at) + boundary
}

// take counts n tokens, or gives them back.
func (r *ramp) take(at time.Time, n float64) {
	r.roll(at)
	r.used = max(0, r.used+n)
}

// complained learns from a complaint. Without figures, what this minute has
// used is the limit.
func (r *ramp) complained(at time.Time, now, next float64) {
	r.roll(at)
	if now == 0 {
		now = max(r.used, 1)
		next = now * (1 + rampStep)
	}
	if !r.known || now < r.floor {
		r.floor = now
	}
	r.known, r.step = true, next-now
	r.allowed = now
	r.used = max(r.used, now) // nothing more in this minute
}
