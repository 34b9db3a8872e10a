package load

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Ramp is a load that rises in steps: one thing takes one value after another,
// each for the same time.
type Ramp struct {
	By     Dimension
	Values []int
	Each   time.Duration
}

// Dimension is what rises in a ramp.
type Dimension string

// The dimensions.
const (
	ByAgents    Dimension = "agents"     // users in a closed loop
	ByRate      Dimension = "rate"       // arrivals per second in an open loop
	ByInput     Dimension = "input"      // tokens of each request
	ByMaxTokens Dimension = "max_tokens" // and of the answer, where the simulator is asked for its length
)

// The bounds of a ramp, and how long a step lasts that is not said.
const (
	maxSteps    = 64
	maxAgents   = 10_000
	maxRate     = 10_000
	maxTokens   = 4_000_000
	defaultStep = 15 * time.Second
)

// ParseRamp reads a ramp of agents such as "1,2,4,8x15s", or one of something
// else such as "input=1000,8000,32000x30s".
func ParseRamp(s string) (Ramp, error) {
	r := Ramp{By: ByAgents, Each: defaultStep}
	if by, rest, named := strings.Cut(s, "="); named {
		r.By, s = Dimension(strings.TrimSpace(by)), rest
	}
	highest, known := map[Dimension]int{ByAgents: maxAgents, ByRate: maxRate, ByInput: maxTokens, ByMaxTokens: maxTokens}[r.By]
	if !known {
		return Ramp{}, fmt.Errorf("%q cannot rise: use agents, rate, input or max_tokens, such as input=1000,8000x30s", r.By)
	}
	values, each, timed := strings.Cut(s, "x")
	if timed {
		d, err := time.ParseDuration(each)
		if err != nil || d <= 0 {
			return Ramp{}, fmt.Errorf("%q is not a time for each step, such as 15s", each)
		}
		r.Each = d
	}
	for part := range strings.SplitSeq(values, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || n < 1 || len(r.Values) > 0 && n <= r.Values[len(r.Values)-1] {
			return Ramp{}, fmt.Errorf("%q is not a rising list of whole numbers (%s), such as 1,2,4,8", values, r.By)
		}
		r.Values = append(r.Values, n)
	}
	if top := slices.Max(r.Values); top > highest || len(r.Values) > maxSteps {
		return Ramp{}, fmt.Errorf("%d steps up to %d are too many: at most %d steps up to %d", len(r.Values), top, maxSteps, highest)
	}
	return r, nil
}

// Steps returns the workload of each step: w with the value that rises. A ramp
// without values has one step, w itself.
func (r Ramp) Steps(w Workload) []Workload {
	if len(r.Values) == 0 {
		return []Workload{w}
	}
	out := make([]Workload, 0, len(r.Values))
	for i, n := range r.Values {
		step := w
		step.Duration, step.Stagger = r.Each, min(w.Stagger, r.Each/10)
		step.Seed += uint64(i)
		switch r.By {
		case ByRate:
			step.Rate = float64(n)
		case ByInput:
			step.Input = Fixed(call.Tokens(n))
		case ByMaxTokens:
			step.MaxTokens, step.Output = n, Fixed(call.Tokens(n))
		default:
			step.Agents = n
		}
		out = append(out, step)
	}
	return out
}

// Value returns what the step number i of the ramp stands for, in its
// dimension; the agents of w, without a ramp.
func (r Ramp) Value(i int, w Workload) int {
	if i < len(r.Values) {
		return r.Values[i]
	}
	return max(w.Agents, 1)
}
