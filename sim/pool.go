package sim

import (
	"time"
)

// Limiter is one kind of bucket, in the words of [Stats].
type Limiter string

// The limiters of every model group.
const (
	Requests     Limiter = "requests"
	InputTokens  Limiter = "input_tokens"
	OutputTokens Limiter = "output_tokens"
)

// The other reasons for which a request meets a 429, as [Stats] counts them.
const (
	RampLimit        Limiter = "ramp"
	ConcurrencyLimit Limiter = "concurrency"
	CountTokensLimit Limiter = "count_tokens"
	BatchesLimit     Limiter = "batches"
)

// The limiters by number.
const (
	requests = iota
	input
	output
	numLimiters
)

// limiterNames are the words for the numbers.
var limiterNames = [numLimiters]Limiter{Requests, InputTokens, OutputTokens}

// pool is the buckets of one organization, or one of its workspaces, for one
// model group. All methods need the organization's lock.
type pool struct {
	group     string
	workspace *workspace // nil: the organization's own
	reads     bool       // cache reads count as input
	// main are the limits per minute, burst the same over a shorter time.
	// A nil bucket does not limit.
	main, burst [numLimiters]*bucket
	ramp        *ramp
}

func newPool(now instant, o *organization, w *workspace, group string, limits [numLimiters]float64) *pool {
	p := &pool{group: group, workspace: w}
	for l, limit := range limits {
		if limit == 0 || l == requests && o.rules.NoRequestLimit {
			continue
		}
		var pl plan
		if w == nil { // the hidden others are anywhere in the organization
			pl = o.quota.plan(group, l)
		}
		limit = pl.latest(now, limit)
		p.main[l] = newBucket(limit, 60, *o.quota.StartFill, now, pl)
		if span := o.rules.BurstWindow.D().Seconds(); span > 0 && span < 60 {
			p.burst[l] = newBucket(limit, span, *o.quota.StartFill, now, pl)
		}
	}
	if r := o.rules.Ramp; r != nil && w == nil && p.main[input] != nil {
		p.ramp = &ramp{base: float64(r.Base), step: float64(r.Step), allowed: float64(r.Base), minute: minuteOf(now)}
	}
	return p
}

// plan returns what the scenario says will happen to one limiter of a group.
func (q Quota) plan(group string, l int) plan {
	var p plan
	for _, o := range q.Others {
		perMinute := [...]float64{o.Requests, o.InputTokens, o.OutputTokens}[l]
		if perMinute == 0 || o.Group != "" && o.Group != group {
			continue
		}
		v := visit{rate: perMinute / 60, begin: o.At.D(), on: o.For.D(), period: o.Every.D()}
		if v.on == 0 {
			v.on = forever
		}
		p.others = append(p.others, v)
	}
	for _, c := range q.Changes {
		if limit := c.Limits.of()[l]; limit > 0 && (c.Group == "" || c.Group == group) {
			p.changes = append(p.changes, step{c.At.D(), limit})
		}
	}
	return p
}

// both calls f with the buckets of a limiter that exist.
func (p *pool) both(l int, f func(*bucket)) {
	if p.main[l] != nil {
		f(p.main[l])
	}
	if p.burst[l] != nil {
		f(p.burst[l])
	}
}

// advance brings all buckets to now.
func (p *pool) advance(now instant) {
	for l := range numLimiters {
		p.both(l, func(b *bucket) { b.advance(now) })
	}
	if p.ramp != nil {
		p.ramp.advance(now)
	}
}

// ramp is the acceleration limit on input tokens. It counts by minutes of the
// clock, as its message does.
type ramp struct {
	base, step float64
	minute     int64
	used       float64 // in this minute
	allowed    float64 // in this minute
}

func minuteOf(now instant) int64 { return int64(now / time.Minute) }

// advance begins a new minute: a minute that used at least half of what was
// allowed raises the limit by a step, another lowers it by one.
func (r *ramp) advance(now instant) {
	for m := minuteOf(now); r.minute < m; r.minute++ {
		if r.used >= r.allowed/2 {
			r.allowed += r.step
		} else {
			r.allowed = max(r.base, r.allowed-r.step)
		}
		r.used = 0
		if r.allowed == r.base {
			r.minute = m - 1 // the minutes until now were idle
		}
	}
}
