package weir

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/weir-gateway/weir/call"
)

// maxInForce bounds how many places of one rung are told of.
const maxInForce = 20

// Degradation tells which rungs of the ladder are in force, for whom and why.
func (g *Gateway) Degradation() call.LadderReport {
	now := time.Now()
	l := &g.ladder
	l.tick(now) // a gateway that does not run looks as well
	l.mu.Lock()
	defer l.mu.Unlock()
	plan := l.plan.Load()
	out := call.LadderReport{At: now, DryRun: plan.DryRun, Faults: l.faults, Rungs: make([]call.RungReport, len(plan.Rungs))}
	for i, r := range plan.Rungs {
		out.Rungs[i] = call.RungReport{
			Rung: string(r.Do.Kind), Enter: r.Enter.String(), Changes: l.changes[i], Would: l.would[i], InForce: []call.InForceReport{},
		}
		if r.Leave != nil {
			out.Rungs[i].Leave = r.Leave.String()
		}
	}
	on := make([][]foothold, len(plan.Rungs))
	for at, s := range l.steps {
		if s.fault != nil {
			out.Rungs[at.rung].Fault = s.fault.Error()
		}
		if s.On() {
			on[at.rung] = append(on[at.rung], at)
		}
	}
	for i := range on {
		out.Rungs[i].Places = len(on[i])
		for _, at := range l.latest(on[i]) {
			s := l.steps[at]
			out.Rungs[i].InForce = append(out.Rungs[i].InForce, call.InForceReport{
				Class: at.class.String(), Tenant: at.tenant, Model: at.model, Since: s.Changed(),
				Values: plan.Rungs[i].values(l.signals(now, &s.sample)),
			})
		}
	}
	return out
}

// latest are the places where a rung has come into force last, the last one
// first. The caller holds l.mu.
func (l *ladder) latest(places []foothold) []foothold {
	slices.SortFunc(places, func(a, b foothold) int {
		return cmp.Or(l.steps[b].Changed().Compare(l.steps[a].Changed()), cmp.Compare(a.class, b.class),
			cmp.Compare(a.model, b.model), cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.account, b.account))
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

// levels counts, by class, the rungs that are in force for any of its calls. The
// caller holds l.mu.
func (l *ladder) levels() (n [call.NumClasses]int) {
	seen := map[foothold]bool{}
	for at, s := range l.steps {
		if in := (foothold{rung: at.rung, class: at.class}); s.On() && !seen[in] {
			seen[in] = true
			n[at.class]++
		}
	}
	return n
}

// ladder tells how far down the ladder calls are. A gateway without one has
// none of these.
func (r *reports) ladder(s sheet) {
	l := &r.g.ladder
	l.tick(time.Now()) // a gateway that does not run looks as well
	l.mu.Lock()
	defer l.mu.Unlock()
	plan := l.plan.Load()
	if len(plan.Rungs) == 0 {
		return
	}
	for class, n := range l.levels() {
		s.set(descLevel, float64(n), call.Class(class).String())
	}
	for at, step := range l.steps {
		if step.On() {
			s.add(descInForce, 1, string(plan.Rungs[at.rung].Do.Kind))
		}
	}
	for i := range plan.Rungs {
		kind := string(plan.Rungs[i].Do.Kind)
		s.add(descInForce, 0, kind) // told of those that are not, too
		s.add(descSteps, float64(l.changes[i]), kind)
		s.add(descWould, float64(l.would[i]), kind)
	}
	s.set(descLadderFaults, float64(l.faults))
}
