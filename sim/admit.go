package sim

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// claim is what a request asks of the buckets.
type claim struct {
	input   float64 // estimated input that is not read from the cache
	total   float64 // estimated input
	reserve float64 // max_tokens, where output is reserved
}

// inputOf is what p counts of the claim.
func (c claim) inputOf(p *pool) float64 {
	if p.reads {
		return c.total
	}
	return c.input
}

// ticket is a request that was admitted. It must be closed.
type ticket struct {
	org     *organization
	pools   []*pool // the organization's, then the workspace's if it has one
	claim   claim
	flows   []*flow
	poured  []*bucket
	reading [numLimiters]reading
	overlay [numLimiters]reading // of the workspace's own buckets
	closed  bool
}

// reading is what the headers will say about one bucket.
type reading struct {
	known bool
	limit float64
	level float64
	at    instant
	full  time.Duration // from at until the bucket is full
}

// refusal is a request that was not admitted.
type refusal struct {
	limiter Limiter
	err     *apiError
	ticket  *ticket // for the headers only
}

// admit charges the estimate of a request to the buckets, or refuses it. Input
// and requests must fit; output only needs a level above 0, because nobody
// knows how long the answer will be.
func (o *organization) admit(now instant, q *request, w *workspace, c claim) (*ticket, *refusal) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := o.ticket(now, q.model, w)
	t.claim = c
	if r := o.refuse(now, t, q); r != nil {
		t.sample(now, requests, input, output)
		r.ticket = t
		return nil, r
	}
	for _, p := range t.pools {
		p.both(requests, func(b *bucket) { b.take(1) })
		p.both(input, func(b *bucket) { b.take(c.inputOf(p)) })
		p.both(output, func(b *bucket) { b.take(c.reserve) })
		if p.ramp != nil {
			p.ramp.used += c.inputOf(p)
		}
	}
	o.running++
	t.sample(now, requests, input, output)
	return t, nil
}

// ticket returns a ticket on the buckets as of now that nothing was charged to.
func (o *organization) ticket(now instant, m *model, w *workspace) *ticket {
	t := &ticket{org: o, pools: []*pool{o.pool(now, m)}}
	if p := o.overlay(now, w, m); p != nil {
		t.pools = append(t.pools, p)
	}
	for _, p := range t.pools {
		p.advance(now)
	}
	return t
}

// look returns a ticket that is good for headers alone.
func (o *organization) look(now instant, m *model, w *workspace) *ticket {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := o.ticket(now, m, w)
	t.sample(now, requests, input, output)
	return t
}

// refuse returns why t may not go, or nil.
func (o *organization) refuse(now instant, t *ticket, q *request) *refusal {
	if m := o.rules.MaxConcurrent; m > 0 && o.running >= m {
		e := standard(429)
		e.message = "Number of concurrent connections has exceeded your rate limit. Please try again later or contact " +
			"sales at https://www.anthropic.com/contact-sales to discuss your options for a rate limit increase."
		return &refusal{limiter: ConcurrencyLimit, err: e}
	}
	var r *refusal
	var longest time.Duration
	for _, p := range t.pools {
		need := [numLimiters]float64{1, t.claim.inputOf(p), t.claim.reserve}
		for l := range numLimiters {
			wait, short := o.short(p, l, need[l])
			if short && r == nil {
				r = &refusal{limiter: limiterNames[l], err: o.overLimit(p, l, q)}
			}
			longest = max(longest, wait)
		}
	}
	if r != nil { // the message names one limit, the wait is for all of them
		r.err.retryAfter = max(1, int(math.Ceil(longest.Seconds())))
		return r
	}
	if r := t.pools[0].ramp; r != nil && r.used > 0 && r.used+t.claim.inputOf(t.pools[0]) > r.allowed {
		return &refusal{limiter: RampLimit, err: rampError(r, now)}
	}
	return nil
}

// short reports whether limiter l of p lacks what is needed, and for how long.
func (o *organization) short(p *pool, l int, need float64) (wait time.Duration, short bool) {
	p.both(l, func(b *bucket) {
		least := need
		if b != p.main[l] {
			least = min(need, b.capacity()) // what a minute allows must fit at some time
		}
		if l != requests && o.rules.AdmitDebt || l == output && least == 0 {
			least = math.SmallestNonzeroFloat64 // any level above 0 will do
		} else {
			least -= 1e-6 // adding up leaves rounding errors
		}
		if b.level < least {
			wait, short = max(wait, b.waitFor(least)), true
		}
	})
	return wait, short
}

// overLimit words the 429 of an ordinary limit as the API did in 2026.
func (o *organization) overLimit(p *pool, l int, q *request) *apiError {
	b := p.main[l]
	what := [...]string{"requests per minute", "input tokens per minute", "output tokens per minute"}[l]
	whose, id := "organization's", "org: "+o.id
	if p.workspace != nil {
		whose, id = "workspace's", "workspace: "+p.workspace.id
	}
	e := standard(429)
	e.message = fmt.Sprintf("This request would exceed your %s rate limit of %s %s (%s, model: %s). For details, "+
		"refer to: https://docs.claude.com/en/api/rate-limits. You can see the response headers for current usage. "+
		"Please reduce the prompt length or the maximum tokens requested, or try again later. You may also contact "+
		"sales at https://www.anthropic.com/contact-sales to discuss your options for a rate limit increase.",
		whose, grouped(b.limit), what, id, q.modelName)
	return e
}

// rampError words the 429 of the acceleration limit.
func rampError(r *ramp, now instant) *apiError {
	e := standard(429)
	e.code = "ramp_limit_exceeded"
	next := instant(minuteOf(now)+1) * time.Minute
	e.retryAfter = max(1, int(math.Ceil((next - now).Seconds())))
	e.message = fmt.Sprintf("This request would exceed your organization's maximum usage increase rate for input "+
		"tokens per minute. Your current limit is %s input tokens per minute, which will increase to %s at the next "+
		"minute boundary. Please scale up your input tokens usage more gradually to stay within the acceleration limit.",
		grouped(r.allowed), grouped(r.allowed+r.step))
	return e
}

// sample notes for the headers how the given limiters stand.
func (t *ticket) sample(now instant, limiters ...int) {
	for i, p := range t.pools {
		to := &t.reading
		if i > 0 {
			to = &t.overlay
		}
		for _, l := range limiters {
			if b := p.main[l]; b != nil {
				to[l] = reading{true, b.limit, b.level, now, b.untilFull()}
			}
		}
	}
}

// correct replaces the estimate of the input by what it really was: actual
// without and total with cache reads. Only headers that are still to be
// written show it.
func (t *ticket) correct(now instant, actual, total float64) {
	t.org.mu.Lock()
	defer t.org.mu.Unlock()
	exact := claim{input: actual, total: total, reserve: t.claim.reserve}
	for _, p := range t.pools {
		p.advance(now)
		more := exact.inputOf(p) - t.claim.inputOf(p)
		p.both(input, func(b *bucket) { b.take(more) })
		if p.ramp != nil {
			p.ramp.used = max(0, p.ramp.used+more)
		}
	}
	t.claim = exact
	t.sample(now, input)
}

// speak charges n output tokens over the time d, from now on.
func (t *ticket) speak(now instant, n float64, d time.Duration) {
	t.org.mu.Lock()
	defer t.org.mu.Unlock()
	if t.claim.reserve > 0 {
		n = 0 // it was paid in advance
	}
	for _, p := range t.pools {
		p.advance(now)
		p.both(output, func(b *bucket) {
			t.flows = append(t.flows, b.pour(n, d))
			t.poured = append(t.poured, b)
		})
	}
}

// close ends the request, of which spoken output tokens were made: those that
// were still to come are not charged. Only the first call counts. It comes
// before the client can know that the answer is complete.
func (t *ticket) close(now instant, spoken float64) {
	t.org.mu.Lock()
	defer t.org.mu.Unlock()
	if t.closed {
		return
	}
	t.closed = true
	t.org.running--
	for i, f := range t.flows {
		t.poured[i].advance(now)
		t.poured[i].stop(f)
	}
	for _, p := range t.pools {
		p.advance(now)
		if t.claim.reserve > 0 {
			p.both(output, func(b *bucket) { b.take(spoken - t.claim.reserve) })
		}
	}
	t.sample(now, output)
}

// grouped writes n with commas between thousands.
func grouped(n float64) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
