package breaker

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Strategy is what trips a rule. The numbers are Sentinel's.
type Strategy uint8

// The strategies.
const (
	SlowRatio  Strategy = iota // the share of calls whose first token came late
	ErrorRatio                 // the share of calls that failed
	ErrorCount                 // the number of calls that failed
)

// String returns the word used in metrics and logs.
func (s Strategy) String() string {
	if s > ErrorCount {
		return fmt.Sprintf("strategy %d", uint8(s))
	}
	return [...]string{"slow_ratio", "error_ratio", "error_count"}[s]
}

// Rule is a circuit-breaking rule. Its JSON is Sentinel's, with two fields
// added that Sentinel lacks: probeCap and probeTimeoutMs. Times are in
// milliseconds.
type Rule struct {
	ID string `json:"id,omitempty"` // a name for people
	// Resource is the scope, as host/model. A scope without a rule of its own
	// gets those of "*".
	Resource         string   `json:"resource"`
	Strategy         Strategy `json:"strategy"`
	RetryTimeoutMs   uint32   `json:"retryTimeoutMs"`   // open for so long, before a probe
	MinRequestAmount uint64   `json:"minRequestAmount"` // below it nothing trips
	StatIntervalMs   uint32   `json:"statIntervalMs"`   // length of the sliding window
	// StatSlidingWindowBucketCount is in how many steps the window slides. 0 is
	// 10 if that divides the window, else 1.
	StatSlidingWindowBucketCount uint32  `json:"statSlidingWindowBucketCount,omitempty"`
	MaxAllowedRtMs               uint64  `json:"maxAllowedRtMs,omitempty"` // a later first token is slow
	Threshold                    float64 `json:"threshold"`                // a share from 0 to 1, or a number
	ProbeNum                     uint64  `json:"probeNum,omitempty"`       // probes that must succeed; default 1
	ProbeCap                     uint64  `json:"probeCap,omitempty"`       // probes at once; default ProbeNum
	ProbeTimeoutMs               uint32  `json:"probeTimeoutMs,omitempty"` // then a probe has failed; default 30 s
}

// DefaultRules hold where no others are given: half of many calls fail, or
// nearly all of a few, or most wait a minute for their first token. Chance
// fails one call in five without tripping any.
func DefaultRules() []Rule {
	return []Rule{{
		ID: "errors", Resource: "*", Strategy: ErrorRatio, Threshold: 0.5,
		MinRequestAmount: 20, StatIntervalMs: 20_000, RetryTimeoutMs: 5_000,
	}, {
		ID: "outage", Resource: "*", Strategy: ErrorRatio, Threshold: 0.9,
		MinRequestAmount: 10, StatIntervalMs: 30_000, RetryTimeoutMs: 5_000,
	}, {
		ID: "slow", Resource: "*", Strategy: SlowRatio, Threshold: 0.8, MaxAllowedRtMs: 60_000,
		MinRequestAmount: 20, StatIntervalMs: 60_000, RetryTimeoutMs: 10_000, ProbeTimeoutMs: 60_000,
	}}
}

// Parse reads rules in Sentinel's JSON. Unknown fields are errors.
func Parse(data []byte) ([]Rule, error) {
	var rules []Rule
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&rules); err != nil {
		return nil, fmt.Errorf("circuit-breaking rules: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("circuit-breaking rules: there is something behind the list")
	}
	return rules, Validate(rules)
}

// Name is the rule's name for people.
func (r Rule) Name() string { return cmp.Or(r.ID, r.Strategy.String()) }

func (r Rule) retryTimeout() time.Duration { return ms(r.RetryTimeoutMs) }
func (r Rule) probeTimeout() time.Duration { return ms(r.ProbeTimeoutMs) }

func ms(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }

func (r Rule) withDefaults() Rule {
	if n := r.StatSlidingWindowBucketCount; n == 0 && r.StatIntervalMs%10 == 0 {
		r.StatSlidingWindowBucketCount = 10
	} else if n == 0 || r.StatIntervalMs%n != 0 {
		r.StatSlidingWindowBucketCount = 1
	}
	r.ProbeNum = max(r.ProbeNum, 1)
	r.ProbeCap = cmp.Or(r.ProbeCap, r.ProbeNum)
	r.ProbeTimeoutMs = cmp.Or(r.ProbeTimeoutMs, 30_000)
	return r
}

// Validate reports all faults of the rules at once.
func Validate(rules []Rule) error {
	var errs []error
	for i, r := range rules {
		fault := func(text string) {
			errs = append(errs, fmt.Errorf("circuit-breaking rule %d (%s): %s", i, r.Name(), text))
		}
		if r.Resource == "" {
			fault(`resource is empty: give host/model, or "*" for all`)
		}
		if r.Strategy > ErrorCount {
			fault("strategy must be 0 (slow ratio), 1 (error ratio) or 2 (error count)")
		}
		if r.RetryTimeoutMs == 0 || r.StatIntervalMs == 0 {
			fault("retryTimeoutMs and statIntervalMs must be above 0")
		}
		if r.Strategy == SlowRatio && r.MaxAllowedRtMs == 0 {
			fault("maxAllowedRtMs must be above 0: a first token that comes later is slow")
		}
		switch {
		case r.Strategy == ErrorCount && !(r.Threshold >= 1):
			fault("threshold must be at least 1: a number of failed calls")
		case r.Strategy != ErrorCount && !(r.Threshold > 0 && r.Threshold <= 1):
			fault("threshold must be above 0 and at most 1: a share of the calls")
		}
	}
	return errors.Join(errs...)
}

// rulesFor returns the rules of a scope: its own, or those of all.
func rulesFor(rules []Rule, scope string) []Rule {
	var own, all []Rule
	for _, r := range rules {
		switch r.Resource {
		case scope:
			own = append(own, r)
		case "*":
			all = append(all, r)
		}
	}
	if len(own) > 0 {
		return own
	}
	return all
}
