package bench

import (
	"time"

	"github.com/weir-gateway/weir/internal/load"
	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// groups asks two models at once, which have buckets of their own.
func groups(l Length) Scenario {
	small := sim.Limits{Requests: 300, InputTokens: 200_000, OutputTokens: 60_000}
	s := overload(l)
	s.Name, s.Title = "groups", "Two model groups at once"
	s.Sim.Limits = sim.Limits{}
	s.Sim.Scenario = &sim.Scenario{Quota: sim.Quota{
		Limits: usual(), GroupLimits: map[string]sim.Limits{"haiku-4.5": small},
	}}
	other := pacedByInput(mixed(l, 12), 3, small.InputTokens)
	other.Input = load.Lognormal(4000, other.Input.Max/3, 1.1)
	other.Models = []string{"claude-haiku-4-5"}
	other.Seed = seed + 1
	s.Parts = append(s.Parts, Part{Workload: other})
	return s
}

// ramp is an organization that may grow by a sixth of its first minute each
// minute, and would like to have it all at once. Its buckets are full: it was
// idle until now.
func ramp(l Length) Scenario {
	limits := sim.Limits{Requests: 2000, InputTokens: 2_000_000, OutputTokens: 400_000}
	w := load.Workload{
		Agents: 80, Input: load.Uniform(500, 3500), Output: load.Uniform(20, 80), StreamShare: 0.5,
	}
	s := Scenario{
		Name: "ramp", Title: "Ramp limit +17 % a minute", Sim: upstream(limits),
		Parts:  []Part{{Workload: pacedByInput(w, 1.2, limits.InputTokens)}},
		WarmUp: l.pick(2*time.Minute, time.Minute), Span: l.pick(10*time.Minute, 3*time.Minute),
	}
	full := 1.0
	s.Sim.StartFill = &full
	r := &sim.Ramp{Base: 300_000, Step: 50_000}
	s.Sim.Rules = &sim.Rules{Ramp: r}
	s.Bars = Bars{Ramp: r, Used: 0.97}
	return s
}

// noisyTenant is four equal tenants, one of whom sends ten times as much as
// each of the others.
func noisyTenant(l Length) Scenario {
	w := load.Workload{
		Agents: 78, Input: load.Uniform(2000, 14_000), Output: load.Uniform(60, 240), StreamShare: 0.5,
		Tenants: []load.Tenant{{Name: "amber"}, {Name: "birch"}, {Name: "cedar"}, {Name: "dune", Weight: 10}},
	}
	return Scenario{
		Name: "noisy-tenant", Title: "4 equal tenants, one sends 10×", Sim: upstream(usual()),
		Parts:  []Part{{Workload: pacedByInput(w, 13*0.75, usual().InputTokens)}},
		WarmUp: l.pick(2*time.Minute, 30*time.Second), Span: l.pick(10*time.Minute, 2*time.Minute),
		Bars: Bars{Binding: sim.InputTokens, Used: 0.97, Jain: 0.98},
	}
}

// weights is three tenants who pay for different shares and all want more.
func weights(l Length) Scenario {
	shares := map[string]float64{"amber": 1, "birch": 2, "cedar": 4}
	w := load.Workload{
		Agents: 36, Input: load.Uniform(2000, 14_000), Output: load.Uniform(60, 240), StreamShare: 0.5,
		Tenants: []load.Tenant{{Name: "amber"}, {Name: "birch"}, {Name: "cedar"}},
	}
	s := Scenario{
		Name: "weights", Title: "Tenant weights 1 : 2 : 4", Sim: upstream(usual()),
		Parts:  []Part{{Workload: pacedByInput(w, 6, usual().InputTokens)}},
		WarmUp: l.pick(2*time.Minute, time.Minute), Span: l.pick(10*time.Minute, 3*time.Minute),
		Bars: Bars{Binding: sim.InputTokens, Used: 0.97, Weights: shares},
	}
	for name, weight := range shares {
		s.Gateway = append(s.Gateway, weir.WithTenantWeight(name, weight))
	}
	return s
}

// flood is a batch at ten times the quota, and people in front of an editor
// who shall not notice.
func flood(l Length) Scenario {
	const urgent = 2000
	batch := load.Workload{
		Agents: 60, Input: load.Uniform(2000, 14_000), Output: load.Uniform(60, 240),
		Tenants: []load.Tenant{{Name: "flood", Class: "batch"}},
	}
	people := load.Workload{
		Seed: seed + 1, Rate: 0.25, Input: load.Fixed(urgent), Output: load.Uniform(60, 240), StreamShare: 1,
		Tenants: []load.Tenant{{Name: "editor", Class: "interactive"}},
	}
	refill := time.Duration(urgent * 60 * float64(time.Second) / float64(usual().InputTokens))
	return Scenario{
		Name: "flood", Title: "Interactive against a 10× batch flood", Sim: upstream(usual()),
		Parts:  []Part{{Workload: pacedByInput(batch, 10, usual().InputTokens)}, {Workload: people}},
		WarmUp: l.pick(2*time.Minute, 30*time.Second), Span: l.pick(10*time.Minute, 2*time.Minute),
		Bars: Bars{
			Binding: sim.InputTokens, Used: 0.97,
			Urgent: "editor", UrgentWait: refill + 250*time.Millisecond,
		},
	}
}
