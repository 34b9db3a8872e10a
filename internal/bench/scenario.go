// Package bench holds the scenarios by which Weir is measured, and runs each of
// them against the bare simulator or against a gateway in front of it. The bars
// are those of DESIGN §8.
//
// Everything is in memory and in plain time: inside a testing/synctest bubble
// ten minutes of load take seconds, and the same scenario gives the same
// figures. The short versions are the gateway's own tests, the long ones are
// docs/benchmarks/quota.md.
package bench

import (
	"slices"
	"time"

	"github.com/weir-gateway/weir/internal/load"
	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// Scenario is one customer's day: an upstream, the programs that use it, and
// the bars that Weir must clear.
type Scenario struct {
	Name    string // one word, for -run
	Title   string // for people
	Sim     sim.Config
	Gateway []weir.Option
	Parts   []Part

	WarmUp time.Duration // from the start; not measured
	Span   time.Duration // measured
	Finish bool          // the parts end by themselves, and all of the run counts for users

	Bars Bars
}

// Seeded returns s with everything random drawn anew: another day of the same
// customer. Seed 0 is s itself.
func (s Scenario) Seeded(n uint64) Scenario {
	s.Sim.Seed += n
	s.Parts = slices.Clone(s.Parts)
	for i := range s.Parts {
		s.Parts[i].Seed += 100 * n
	}
	return s
}

// Part is one workload of a scenario.
type Part struct {
	load.Workload

	// Leaves marks users who go away before they are served. What becomes of
	// them is no measure of anything.
	Leaves bool
}

// Bars are what Weir must reach in a scenario, besides those that hold
// everywhere: no 429 for users, nothing lost, at most one upstream 429 in a
// thousand, equal success for large and small.
type Bars struct {
	Binding sim.Limiter // the limiter that limits, in every model group
	Used    float64     // the least share of it that must be used

	Jain    float64            // the least index over the tenants; 0: none
	Weights map[string]float64 // of the tenants, which must get their shares to 5 %

	Urgent     string        // the tenant whose wait is bounded
	UrgentWait time.Duration // its 99th percentile at most

	Ramp *sim.Ramp // the acceleration limit is what limits, not Binding
}

// Side is how the programs reach the API.
type Side int

// The sides of every table.
const (
	Bare Side = iota // direct, no retry
	SDK              // direct, with the official SDK's two retries
	Weir             // the same SDK through the gateway
	numSides
)

// Sides returns all of them.
func Sides() []Side { return []Side{Bare, SDK, Weir} }

// String returns the heading of s.
func (s Side) String() string {
	return [numSides]string{"no retry", "SDK retry", "Weir"}[s]
}

// policy is how the side's programs retry.
func (s Side) policy() load.Policy {
	if s == Bare {
		return load.None()
	}
	return load.SDK()
}
