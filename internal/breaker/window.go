package breaker

import "time"

// Window builds this package's own core: for each rule a sliding window of a
// few buckets and three states.
func Window(_ string, rules []Rule, changed func(rule int, to State)) (Core, error) {
	w := &window{changed: changed, rules: make([]ruleWindow, len(rules))}
	for i, r := range rules {
		n := r.StatSlidingWindowBucketCount
		w.rules[i] = ruleWindow{
			Rule: r, step: int64(r.StatIntervalMs / n), buckets: make([]bucket, n),
		}
	}
	return w, nil
}

// window is the core, and the ticket of every call: it tells none from
// another.
type window struct {
	rules   []ruleWindow
	changed func(int, State)
}

// ruleWindow counts for one rule.
type ruleWindow struct {
	Rule
	state   State
	retryAt int64 // in ms since 1970
	good    uint64
	step    int64 // ms of a bucket
	buckets []bucket
}

// bucket counts the completions of one step.
type bucket struct {
	step       int64 // which one, since 1970
	total, bad uint64
}

// Enter implements [Core].
func (w *window) Enter(now time.Time) (Ticket, bool) {
	at := now.UnixMilli()
	for i := range w.rules {
		if r := &w.rules[i]; r.state == Open && at < r.retryAt {
			return nil, false
		}
	}
	for i := range w.rules {
		if r := &w.rules[i]; r.state == Open {
			r.state = HalfOpen
			w.changed(i, HalfOpen)
		}
	}
	return w, true
}

// Close implements [Core].
func (w *window) Close() {}

// End implements [Ticket].
func (w *window) End(now time.Time, c Completion) {
	if !c.Counts {
		return
	}
	at := now.UnixMilli()
	for i := range w.rules {
		r := &w.rules[i]
		if to := r.count(at, r.isBad(c)); to != r.state {
			r.state = to
			w.changed(i, to)
		}
	}
}

func (r *ruleWindow) isBad(c Completion) bool {
	if r.Strategy == SlowRatio {
		return c.Response.Milliseconds() > int64(r.MaxAllowedRtMs)
	}
	return c.Failed
}

// count counts one completion and returns the state that follows.
func (r *ruleWindow) count(at int64, bad bool) State {
	r.add(at, bad)
	switch {
	case r.state == HalfOpen && bad, r.state == Closed && r.tripped(at):
		r.good, r.retryAt = 0, at+int64(r.RetryTimeoutMs)
		return Open
	case r.state == HalfOpen:
		if r.good++; r.good < r.ProbeNum {
			return HalfOpen
		}
		r.good = 0
		clear(r.buckets)
		return Closed
	}
	return r.state
}

func (r *ruleWindow) add(at int64, bad bool) {
	step := at / r.step
	b := &r.buckets[step%int64(len(r.buckets))]
	if b.step != step {
		*b = bucket{step: step}
	}
	b.total++
	if bad {
		b.bad++
	}
}

// tripped reports whether the window's calls are too many of the bad kind.
func (r *ruleWindow) tripped(at int64) bool {
	var total, bad uint64
	oldest := at/r.step - int64(len(r.buckets)) + 1
	for _, b := range r.buckets {
		if b.step >= oldest {
			total += b.total
			bad += b.bad
		}
	}
	switch {
	case total < r.MinRequestAmount:
		return false
	case r.Strategy == ErrorCount:
		return bad >= uint64(r.Threshold)
	}
	return float64(bad)/float64(total) >= r.Threshold-tolerance
}

// tolerance forgives the rounding of a share, as Sentinel does.
const tolerance = 1e-8
