package load

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Ramp is a load that rises in steps: so many agents at once, one number after
// another, each for the same time.
type Ramp struct {
	Agents []int
	Each   time.Duration
}

// defaultStep is how long a step lasts that is not said.
const defaultStep = 15 * time.Second

// ParseRamp reads a ramp such as "1,2,4,8x15s".
func ParseRamp(s string) (Ramp, error) {
	counts, each, timed := strings.Cut(s, "x")
	r := Ramp{Each: defaultStep}
	if timed {
		d, err := time.ParseDuration(each)
		if err != nil || d <= 0 {
			return Ramp{}, fmt.Errorf("%q is not a time for each step, such as 15s", each)
		}
		r.Each = d
	}
	for part := range strings.SplitSeq(counts, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || n < 1 || len(r.Agents) > 0 && n <= r.Agents[len(r.Agents)-1] {
			return Ramp{}, fmt.Errorf("%q is not a rising list of numbers of agents, such as 1,2,4,8", counts)
		}
		r.Agents = append(r.Agents, n)
	}
	return r, nil
}

// Step is one step of a ramp that has been run.
type Step struct {
	Agents int    `json:"agents"`
	Report Report `json:"report"`
}

// growth is how much more a step must answer than the last for the ramp to go
// on, as a share of the agents that it added.
const growth = 0.25

// Beyond says why the latest of the steps lies beyond the knee, or "".
func Beyond(steps []Step) string {
	last := steps[len(steps)-1]
	switch r := last.Report; {
	case r.RateLimited > 0 || r.Retried[429] > 0:
		return "429s appeared"
	case r.Overloaded > 0 || r.Retried[statusOverloaded] > 0:
		return "the API was overloaded"
	case r.OK == 0:
		return "nothing was answered in time"
	}
	if len(steps) == 1 {
		return ""
	}
	before := steps[len(steps)-2]
	added := float64(last.Agents)/float64(before.Agents) - 1
	if last.Report.PerSecond < before.Report.PerSecond*(1+growth*added) {
		return "more agents were not answered more"
	}
	return ""
}
