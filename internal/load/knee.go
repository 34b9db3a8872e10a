package load

import (
	"cmp"
	"fmt"
	"time"
)

// Step is one step of a ramp that has been run.
type Step struct {
	By     Dimension `json:"by"`
	Value  int       `json:"value"`  // of the dimension
	Agents int       `json:"agents"` // 0 in an open loop
	Report Report    `json:"report"`
	Limits []Limit   `json:"limits"` // that the headers of the step's own answers told of
}

// The rule of the knee.
const (
	// growth is how much more a step must bring than the last for the ramp to
	// go on, as a share of what was added to the load.
	growth = 0.25
	// slower is how many times the quickest step's p95 another one's may be,
	// beyond what the size of its requests explains.
	slower = 3
	// slack is the least difference of two p95s that means anything.
	slack = 250 * time.Millisecond
	// failing is the share of requests that may fail.
	failing = 0.01
)

// Beyond says why the latest of the steps lies beyond the knee, or "": a 429 or
// a 529, hidden by a retry or not; more than 1 % of other failures; a p95 of
// more than three times the quickest step's; or less than a quarter of the
// growth that the load had. What must grow is the answers per second, with
// agents and rate; with input and max_tokens it is the tokens per second.
func Beyond(steps []Step) string {
	last := steps[len(steps)-1]
	switch r := last.Report; {
	case r.RateLimited > 0 || r.Retried[429] > 0:
		return "429s appeared"
	case r.Overloaded > 0 || r.Retried[statusOverloaded] > 0:
		return "the API was overloaded"
	case r.OK == 0:
		return "nothing was answered in time"
	case float64(r.Failed) > failing*float64(r.Asked):
		return fmt.Sprintf("%d of %d requests failed", r.Failed, r.Asked)
	}
	if len(steps) == 1 {
		return ""
	}
	if why := last.slowerThan(steps[:len(steps)-1]); why != "" {
		return why
	}
	before := steps[len(steps)-2]
	added := float64(last.Value)/float64(before.Value) - 1
	if last.brings() < before.brings()*(1+growth*added) {
		return "more " + string(last.By) + " brought no more answers"
	}
	return ""
}

// slowerThan compares the p95 with the best of earlier steps.
func (s Step) slowerThan(earlier []Step) string {
	for _, e := range earlier {
		fair := slower * e.Report.Took.P95
		if s.sized() {
			fair *= float64(s.Value) / float64(e.Value)
		}
		if s.Report.Took.P95 > max(fair, e.Report.Took.P95+slack.Seconds()) {
			return fmt.Sprintf("p95 rose from %.2fs to %.2fs", e.Report.Took.P95, s.Report.Took.P95)
		}
	}
	return ""
}

// brings is what must grow with the load.
func (s Step) brings() float64 {
	if !s.sized() {
		return s.Report.PerSecond
	}
	r := s.Report
	tokens := r.OutputTokens
	if s.By == ByInput {
		tokens = r.InputTokens + r.CachedTokens
	}
	return r.PerSecond * float64(tokens) / float64(max(r.OK, 1))
}

// sized reports whether the requests of the ramp grow, not their number.
func (s Step) sized() bool { return s.By == ByInput || s.By == ByMaxTokens }

// Result is a whole run: what weir load prints.
type Result struct {
	Schema  int       `json:"schema"` // 1; higher when a field changes its meaning or goes
	Target  string    `json:"target"`
	Limits  []Limit   `json:"limits"` // that the headers told of, over all steps
	By      Dimension `json:"by"`
	Steps   []Step    `json:"steps"` // one, without a ramp
	Stopped string    `json:"stopped,omitempty"`
	Knee    *int      `json:"knee"` // value of the last step worth taking; nil: not reached, or no ramp

	// What the limits allow for long. Steps that are short live on what the
	// buckets have saved, so that the knee may lie beyond it.
	Sustained float64 `json:"sustained_per_second"`
	BoundBy   string  `json:"bound_by,omitempty"`

	Cost Spending `json:"cost"` // at list prices
}

// ResultSchema is the number of the form of [Result].
const ResultSchema = 1

// Add takes a step in and reports whether the next one is worth taking.
func (r *Result) Add(s Step) bool {
	r.Steps = append(r.Steps, s)
	r.Stopped = Beyond(r.Steps)
	return r.Stopped == ""
}

// Interrupt takes back what was made of a last step that did not run to its
// end.
func (r *Result) Interrupt() { r.Stopped = "" }

// Finish fills in the knee and what the limits allow for long.
func (r *Result) Finish(ramp Ramp, limits []Limit) {
	r.Schema, r.By, r.Limits = ResultSchema, cmp.Or(ramp.By, ByAgents), limits
	if len(ramp.Values) == 0 {
		r.Stopped = "" // one step has nothing to stop
	}
	if n := len(r.Steps); r.Stopped != "" && n > 1 {
		r.Knee = new(r.Steps[n-2].Value)
	}
	r.Sustained, r.BoundBy = Sustained(limits, r.Steps[len(r.Steps)-1].Report)
}

// Answered reports whether anything was: a run in which nothing was shows
// nothing.
func (r *Result) Answered() bool {
	for _, s := range r.Steps {
		if s.Report.OK > 0 {
			return true
		}
	}
	return false
}
