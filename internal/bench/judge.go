package bench

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/weir-gateway/weir/internal/load"
	"github.com/weir-gateway/weir/sim"
)

// Bars that hold in every scenario.
const (
	maxUpstream429 = 1.0  // per 1,000 admitted
	weightSlack    = 0.05 // of a tenant's share
)

// Verdict is one bar, and whether a result clears it.
type Verdict struct {
	Name string // one word or a few, always the same
	Got  string
	Bar  string
	Held bool
}

// Judge compares r with every bar of its scenario.
func (r Result) Judge() []Verdict {
	b, seen := r.Scenario.Bars, r.Whole.RateLimited+r.Whole.Overloaded
	small, large := r.tenths()
	out := []Verdict{
		{"429s seen", fmt.Sprint(seen), "0", seen == 0},
		{"answered", fmt.Sprintf("%d of %d", r.Whole.OK, r.Whole.Asked), "all", r.Whole.OK == r.Whole.Asked && r.Whole.OK > 0},
		{"upstream 429s", fmt.Sprintf("%.2f ‰", r.Upstream429()), "≤ 1 ‰", r.Upstream429() <= maxUpstream429},
		{"used", percent(r.Bound()), "≥ " + percent(b.Used), r.Bound() >= b.Used},
		{"large as small", percent(large.Success) + " / " + percent(small.Success), "100 % / 100 %", small.Success == 1 && large.Success == 1},
		{"longest wait", seconds(r.Report.Wait.Max), "< " + seconds(r.Deadline().Seconds()), r.Report.Wait.Max < r.Deadline().Seconds()},
	}
	if b.Jain > 0 {
		out = append(out, Verdict{"Jain", fmt.Sprintf("%.3f", r.Report.Jain), fmt.Sprintf("≥ %.2f", b.Jain), r.Report.Jain >= b.Jain})
	}
	if b.Weights != nil {
		off := r.offWeight()
		out = append(out, Verdict{"weights", "off by " + percent(off), "≤ " + percent(weightSlack), off <= weightSlack})
	}
	if b.Urgent != "" {
		wait := r.urgentWait()
		out = append(out, Verdict{
			"urgent p99", seconds(wait.Seconds()), "≤ " + seconds(b.UrgentWait.Seconds()), wait <= b.UrgentWait,
		})
	}
	if r.Scenario.Finish {
		out = append(out, Verdict{"left behind", fmt.Sprint(r.Stranded), "0", r.Stranded == 0})
	}
	return out
}

// Upstream429 is how many 429s the upstream sent per 1,000 requests that it
// admitted.
func (r Result) Upstream429() float64 {
	refused := r.Stats.Status[http.StatusTooManyRequests]
	return 1000 * float64(refused) / float64(max(r.Stats.Requests-refused, 1))
}

// Bound is the used share of what limits: of the worst group, if there are
// several.
func (r Result) Bound() float64 {
	if ramp := r.Scenario.Bars.Ramp; ramp != nil {
		return r.rampUsed(*ramp)
	}
	return r.Used(r.Scenario.Bars.Binding)
}

// Used is the used share of one limiter (DESIGN §8), of the worst model group.
func (r Result) Used(l sim.Limiter) float64 {
	worst := math.Inf(1)
	for _, b := range r.Stats.Buckets {
		if b.Limiter == l && b.Admitted > 0 {
			worst = min(worst, b.Used())
		}
	}
	if math.IsInf(worst, 1) {
		return 0
	}
	return worst
}

// rampUsed is what was admitted of what a program could have had that filled
// every minute to what the ramp allowed it.
func (r Result) rampUsed(ramp sim.Ramp) float64 {
	var admitted, allowed, limit float64
	for _, b := range r.Stats.Buckets {
		if b.Limiter == sim.InputTokens {
			admitted, limit = b.Admitted, b.Limit
		}
	}
	first := int(r.Scenario.WarmUp / time.Minute)
	for minute := first; minute < first+int(r.Scenario.Span/time.Minute); minute++ {
		allowed += min(float64(ramp.Base)+float64(minute)*float64(ramp.Step), limit)
	}
	return admitted / allowed
}

// tenths returns the smallest and the largest tenth of the requests.
func (r Result) tenths() (small, large load.Slice) {
	if all := r.Whole.BySize; len(all) > 0 {
		return all[0], all[len(all)-1]
	}
	return small, large
}

// offWeight is how far the tenant that is furthest off got more or less than
// its weight's share of what all got.
func (r Result) offWeight() float64 {
	weights := r.Scenario.Bars.Weights
	var tokens, sum, worst float64
	for _, t := range r.Report.ByTenant {
		tokens += float64(t.Tokens)
		sum += cmp.Or(weights[t.Name], 1)
	}
	for _, t := range r.Report.ByTenant {
		fair := tokens * cmp.Or(weights[t.Name], 1) / sum
		worst = max(worst, math.Abs(float64(t.Tokens)/fair-1))
	}
	return worst
}

// urgentWait is the 99th percentile of the urgent tenant's waits.
func (r Result) urgentWait() time.Duration {
	for _, t := range r.Report.ByTenant {
		if t.Name == r.Scenario.Bars.Urgent {
			return time.Duration(t.Wait.P99 * float64(time.Second))
		}
	}
	return 0
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

func seconds(s float64) string {
	if s < 10 {
		return fmt.Sprintf("%.2f s", s)
	}
	return fmt.Sprintf("%.0f s", s)
}
