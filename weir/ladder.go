package weir

import (
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/ladder"
)

// Ladder is how calls are made simpler when they must be, see [WithLadder].
type Ladder = ladder.Plan

// Rung is one way in which calls are made simpler while a condition holds.
type Rung = ladder.Rung

// Condition says when a rung of the ladder is entered or left.
type Condition = ladder.Condition

// Explanation is what a rung makes of a call, see [Ladder.Explain].
type Explanation = ladder.Explanation

// RungVerdict says what becomes of a rung.
type RungVerdict = ladder.Verdict

// The verdicts.
const (
	RungEnters    = ladder.Enters
	RungLeaves    = ladder.Leaves
	RungStays     = ladder.Stays
	RungElsewhere = ladder.Elsewhere
	RungProtected = ladder.Protected
)

// WithLadder sets the degradation ladder. The default has no rungs.
func WithLadder(l Ladder) Option {
	return func(s *settings) error {
		s.ladder = l
		return l.Check()
	}
}

// SetLadder replaces the ladder while the gateway runs. All rungs begin anew,
// not in force. It changes nothing if a rung is not valid.
func (g *Gateway) SetLadder(l Ladder) error {
	if err := l.Check(); err != nil {
		return err
	}
	g.ladder.Configure(l)
	g.keepOld(l)
	return nil
}

// keepOld has the cache keep answers that only the ladder may give.
func (g *Gateway) keepOld(l Ladder) {
	if g.cache != nil {
		g.cache.KeepOld(l.Has(call.RungCached))
	}
}

// Degradation tells which rungs of the ladder are in force, for whom and why.
func (g *Gateway) Degradation() call.LadderReport { return g.ladder.Report(time.Now()) }

// ladder tells how far down the ladder calls are. A gateway without one has
// none of these.
func (r *reports) ladder(s sheet) {
	report := r.g.Degradation()
	if len(report.Rungs) == 0 {
		return
	}
	for class, n := range r.g.ladder.Levels() {
		s.set(descLevel, float64(n), call.Class(class).String())
	}
	for _, rung := range report.Rungs {
		s.add(descInForce, float64(rung.Places), rung.Rung)
		s.add(descSteps, float64(rung.Changes), rung.Rung)
		s.add(descWould, float64(rung.Would), rung.Rung)
	}
	s.set(descLadderFaults, float64(report.Faults))
}
