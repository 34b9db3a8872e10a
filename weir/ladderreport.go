package weir

import (
	"cmp"
	"slices"
	"time"

	"github.com/weir-gateway/weir/call"
)

// maxInForce bounds how many places of one rung are told of.
const maxInForce = 20

// Degradation tells which rungs of the ladder are in force, and for whom.
func (g *Gateway) Degradation() call.LadderReport {
	now := time.Now()
	l := &g.ladder
	l.tick(now) // a gateway that does not run looks as well
	l.mu.Lock()
	defer l.mu.Unlock()
	plan := l.plan.Load()
	out := call.LadderReport{At: now, DryRun: plan.DryRun, Rungs: []call.RungReport{}}
	for i, r := range plan.Rungs {
		report := call.RungReport{
			Rung: string(r.Do.Kind), Enter: r.Enter.String(), Changes: l.changes[i], InForce: []call.InForceReport{},
		}
		if r.Leave != nil {
			report.Leave = r.Leave.String()
		}
		for at, s := range l.steps {
			if at.rung == i && s.On() {
				report.InForce = append(report.InForce, call.InForceReport{
					Class: at.class.String(), Tenant: at.tenant, Model: at.model, Since: s.Changed(),
				})
			}
		}
		slices.SortFunc(report.InForce, func(a, b call.InForceReport) int {
			return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Class, b.Class), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Tenant, b.Tenant))
		})
		report.InForce = report.InForce[:min(len(report.InForce), maxInForce)]
		out.Rungs = append(out.Rungs, report)
	}
	return out
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
	for i := range plan.Rungs {
		kind := string(plan.Rungs[i].Do.Kind)
		s.add(descSteps, float64(l.changes[i]), kind)
		s.add(descWould, float64(l.would[i]), kind)
	}
	s.set(descLadderFaults, float64(l.faults))
}
