package quota

import "time"

// ramp models the acceleration limit: how many input tokens a minute of the
// upstream's clock may use, given what the minute before used. It is unknown
// until the upstream complains (429 ramp_limit_exceeded), and its figures are
// read from that complaint: the limit of the running minute, and that of the
// next (anthropic-api.md §1.5; algorithms.md A5). The law assumed between
// complaints is the one seen: a minute may use a step more than the last one
// used, and a floor in any case.
//
// The upstream's clock is known to a fraction of a second only. Our minute ends
// when theirs has ended for certain, and what is sent while it may have ended
// counts in both.
type ramp struct {
	known   bool
	floor   float64
	step    float64
	minute  int64   // of the upstream's clock, since the epoch
	used    float64 // in that minute
	allowed float64 // in that minute
	early   float64 // of used, what the next minute may have to bear
}

// span is where an instant may lie on the upstream's clock.
type span struct{ from, to time.Time }

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

const (
	rampFull   = 0.90                   // share of the allowance from which a minute counts as used up
	rampMargin = 0.99                   // share of the allowance that is used: estimates err
	rampStep   = 0.17                   // step assumed where the complaint has no figures
	boundary   = 200 * time.Millisecond // after the minute's end, for the way there
)

// roll moves to the minute that has begun for certain.
func (r *ramp) roll(at span) {
	minute := minuteOf(at.from)
	if minute <= r.minute {
		return
	}
	last, early := r.used, r.early
	if last >= rampFull*r.allowed {
		last = max(last, r.allowed) // used up, but for what no call fitted into
	}
	if minute > r.minute+1 {
		last, early = 0, 0
	}
	r.minute, r.used, r.early = minute, early, 0
	r.allowed = max(r.floor, last+r.step)
}

// wait is how long need must wait. The first call of a minute always goes.
func (r *ramp) wait(at span, need float64) time.Duration {
	r.roll(at)
	if !r.known || r.used == 0 || r.used+need <= rampMargin*r.allowed {
		return 0
	}
	return time.Unix((r.minute+1)*60, 0).Sub(at.from) + boundary
}

// take counts n tokens, or gives them back.
func (r *ramp) take(at span, n float64) {
	r.roll(at)
	r.used = max(0, r.used+n)
	if minuteOf(at.to) > r.minute {
		r.early = max(0, r.early+n)
	}
}

// complained learns from a complaint. Without figures, what this minute has
// used is the limit.
func (r *ramp) complained(at span, now, next float64) {
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
