package ladder

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/weir-gateway/weir/call"
)

// maxInForce bounds how many places of one rung are told of.
const maxInForce = 20

// Report tells which rungs are in force, for whom and why.
func (r *Room) Report(now time.Time) call.LadderReport {
	r.tick(now) // a room that does not run looks as well
	r.mu.Lock()
	defer r.mu.Unlock()
	plan := r.plan.Load()
	out := call.LadderReport{At: now, DryRun: plan.DryRun, Faults: r.faults, Rungs: make([]call.RungReport, len(plan.Rungs))}
	for i, rung := range plan.Rungs {
		out.Rungs[i] = call.RungReport{
			Rung: string(rung.Do.Kind), Enter: rung.Enter.String(), Changes: r.changes[i], Would: r.would[i], InForce: []call.InForceReport{},
		}
		if rung.Leave != nil {
			out.Rungs[i].Leave = rung.Leave.String()
		}
	}
	on := make([][]foothold, len(plan.Rungs))
	for at, s := range r.steps {
		if s.fault != nil {
			out.Rungs[at.rung].Fault = s.fault.Error()
		}
		if s.On() {
			on[at.rung] = append(on[at.rung], at)
		}
	}
	for i := range on {
		out.Rungs[i].Places = len(on[i])
		for _, at := range r.latest(on[i]) {
			s := r.steps[at]
			out.Rungs[i].InForce = append(out.Rungs[i].InForce, call.InForceReport{
				Class: at.class.String(), Tenant: at.tenant, Model: at.model, Since: s.Changed(),
				Values: plan.Rungs[i].values(r.cfg.Signals(now, &s.sample)),
			})
		}
	}
	return out
}

// latest are the places where a rung has come into force last, the last one
// first. The caller holds r.mu.
func (r *Room) latest(places []foothold) []foothold {
	slices.SortFunc(places, func(a, b foothold) int {
		return cmp.Or(r.steps[b].Changed().Compare(r.steps[a].Changed()), cmp.Compare(a.class, b.class),
			cmp.Compare(a.model, b.model), cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.client, b.client), cmp.Compare(a.account, b.account))
	})
	return places[:min(len(places), maxInForce)]
}

// values are what the conditions of a rung look at, if they can say so.
func (r *Rung) values(s call.Signals) string {
	var parts []string
	for _, c := range []Condition{r.Enter, r.Leave} {
		if c, ok := c.(interface{ Show(call.Signals) []string }); ok {
			for _, part := range c.Show(s) {
				if !slices.Contains(parts, part) {
					parts = append(parts, part)
				}
			}
		}
	}
	return strings.Join(parts, ", ")
}

// Levels counts, by class, the rungs that are in force for any of its calls.
func (r *Room) Levels() (n [call.NumClasses]int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := map[foothold]bool{}
	for at, s := range r.steps {
		if in := (foothold{rung: at.rung, class: at.class}); s.On() && !seen[in] {
			seen[in] = true
			n[at.class]++
		}
	}
	return n
}
