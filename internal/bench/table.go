package bench

import (
	"slices"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/load"
	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// Length is how long scenarios last.
type Length int

// The lengths: minutes for the benchmark, as little as shows something for a
// test.
const (
	Long Length = iota
	Short
)

// pick returns the duration for l.
func (l Length) pick(long, short time.Duration) time.Duration {
	if l == Short {
		return short
	}
	return long
}

// count returns the number for l.
func (l Length) count(long, short int) int {
	if l == Short {
		return short
	}
	return long
}

// Scenarios returns everything that the quota model and the queue must show,
// in a fixed order.
func Scenarios(l Length) []Scenario {
	return slices.Concat(
		[]Scenario{overload(l), cached(l), uncertain(l)},
		[]Scenario{requestsBound(l, 5), requestsBound(l, 50), requestsBound(l, 600)},
		[]Scenario{longAnswers(l), neighbour(l), tides(l), groups(l), ramp(l)},
		[]Scenario{noisyTenant(l), weights(l), flood(l), leavers(l), newcomer(l)},
	)
}

const seed = 1

// usual are the limits of a small customer.
func usual() sim.Limits {
	return sim.Limits{Requests: 600, InputTokens: 600_000, OutputTokens: 120_000}
}

// upstream is an API with these limits whose buckets begin nearly empty, so
// that the use of the refill shows and not that of the first minute.
func upstream(l sim.Limits) sim.Config {
	fill := 0.1
	return sim.Config{
		Limits: l, StartFill: &fill, Seed: seed,
		Timing: sim.Timing{TTFT: 500 * time.Millisecond, TokensPerSecond: 80},
	}
}

// paced gives w the pace at which its agents ask for times as much as limit
// allows per minute, if one request takes each of it.
func paced(w load.Workload, times, limit, each float64) load.Workload {
	w.Seed = seed
	perAgent := times * limit / 60 / each / float64(w.Agents)
	w.Pace = time.Duration(float64(time.Second) / perAgent)
	w.Stagger = w.Pace
	return w
}

// pacedByInput does so for the input limiter.
func pacedByInput(w load.Workload, times float64, limit int64) load.Workload {
	return paced(w, times, float64(limit), w.Charged())
}

// mixed is what agents send: many small requests and a few large ones. In a
// short run they are not as large, because a level that one of them collects
// when time is up counts as unused.
func mixed(l Length, agents int) load.Workload {
	most := call.Tokens(l.count(100_000, 40_000))
	return load.Workload{
		Agents: agents, Input: load.Lognormal(4000, most, 1.1),
		Output: load.Uniform(60, 240), StreamShare: 0.5,
	}
}

func overload(l Length) Scenario {
	return Scenario{
		Name: "overload", Title: "Overload 3×, mixed sizes", Sim: upstream(usual()),
		Parts:  []Part{{Workload: pacedByInput(mixed(l, 24), 3, usual().InputTokens)}},
		WarmUp: l.pick(2*time.Minute, 30*time.Second), Span: l.pick(10*time.Minute, 3*time.Minute),
		Bars: Bars{Binding: sim.InputTokens, Used: 0.97},
	}
}

// cached is what Claude Code asks: long conversations, nearly all of which the
// API has read before.
func cached(l Length) Scenario {
	median := call.Tokens(l.count(40_000, 25_000)) // long bodies take long under the race detector
	w := load.Workload{
		Agents: 30, Input: load.Lognormal(median, 4*median, 0.6), Output: load.Lognormal(300, 2000, 0.8),
		CachedShare: 0.9, StreamShare: 1,
	}
	return Scenario{
		Name: "cached", Title: "90 % cached input", Sim: upstream(usual()),
		Parts:  []Part{{Workload: pacedByInput(w, 3, usual().InputTokens)}},
		WarmUp: l.pick(2*time.Minute, 30*time.Second), Span: l.pick(10*time.Minute, 60*time.Second),
		Bars: Bars{Binding: sim.InputTokens, Used: 0.95},
	}
}

// uncertain is answers whose length nobody knows beforehand.
func uncertain(l Length) Scenario {
	limits := sim.Limits{Requests: 2000, InputTokens: 2_000_000, OutputTokens: 120_000}
	w := load.Workload{
		Agents: 90, Input: load.Uniform(200, 2000), Output: load.Lognormal(500, 4000, 0.5), StreamShare: 0.5,
	}
	return Scenario{
		Name: "uncertain-output", Title: "Output ±50 %", Sim: upstream(limits),
		Parts:  []Part{{Workload: paced(w, 3, float64(limits.OutputTokens), w.Output.Mean())}},
		WarmUp: l.pick(2*time.Minute, 30*time.Second), Span: l.pick(10*time.Minute, time.Minute),
		Bars: Bars{Binding: sim.OutputTokens, Used: 0.95},
	}
}

// requestsBound is small requests against a limit of so many per minute.
func requestsBound(l Length, perMinute int64) Scenario {
	limits := sim.Limits{Requests: perMinute, InputTokens: 1_000_000, OutputTokens: 200_000}
	s := Scenario{
		Sim:    upstream(limits),
		WarmUp: l.pick(2*time.Minute, 30*time.Second), Span: l.pick(10*time.Minute, time.Minute),
		Bars: Bars{Binding: sim.Requests, Used: 0.97},
	}
	agents := 60
	switch perMinute {
	case 5:
		s.Name, s.Title, agents = "rpm-5", "5 small requests a minute", 6
		s.WarmUp, s.Span = l.pick(5*time.Minute, 2*time.Minute), l.pick(2*time.Hour, 20*time.Minute)
	case 50:
		s.Name, s.Title, agents = "rpm-50", "50 small requests a minute", 20
		s.Span = l.pick(30*time.Minute, 3*time.Minute)
	case 600:
		s.Name, s.Title = "rpm-600", "600 small requests a minute"
	}
	w := load.Workload{Agents: agents, Input: load.Uniform(50, 300), Output: load.Uniform(10, 60)}
	s.Parts = []Part{{Workload: paced(w, 3, float64(perMinute), 1)}}
	return s
}

// longAnswers are bound by the output limit: each takes more than a minute.
func longAnswers(l Length) Scenario {
	w := load.Workload{
		Agents: 90, Input: load.Uniform(200, 2000), Output: load.Lognormal(5000, 16_000, 0.4), StreamShare: 0.7,
	}
	limits := usual()
	return Scenario{
		Name: "long-answers", Title: "Long answers, bound by output", Sim: upstream(limits),
		Parts:  []Part{{Workload: paced(w, 3, float64(limits.OutputTokens), w.Output.Mean())}},
		WarmUp: l.pick(5*time.Minute, 2*time.Minute), Span: l.pick(20*time.Minute, 3*time.Minute),
		Bars: Bars{Binding: sim.OutputTokens, Used: 0.97},
	}
}

// neighbour is another program of the same organization that takes 30 % of
// everything from the middle on.
func neighbour(l Length) Scenario {
	s := overload(l)
	s.Name, s.Title = "neighbour", "Another consumer takes 30 % halfway"
	s.Sim.Scenario = &sim.Scenario{Quota: sim.Quota{Others: []sim.Other{{
		Requests: 0.3 * 600, InputTokens: 0.3 * 600_000, OutputTokens: 0.3 * 120_000,
		At: sim.Duration(s.WarmUp + s.Span/2),
	}}}}
	return s
}

// tides halve the limit after a third of the time and bring it back after
// another.
func tides(l Length) Scenario {
	s := overload(l)
	s.Name, s.Title = "tides", "Limit halves, then doubles"
	s.Span = l.pick(12*time.Minute, 4*time.Minute)
	half := sim.Limits{Requests: 300, InputTokens: 300_000, OutputTokens: 60_000}
	limits := s.Sim.Limits
	s.Sim.Limits = sim.Limits{}
	s.Sim.Scenario = &sim.Scenario{Quota: sim.Quota{Limits: limits, Changes: []sim.Change{
		{At: sim.Duration(s.WarmUp + s.Span/3), Limits: half},
		{At: sim.Duration(s.WarmUp + 2*s.Span/3), Limits: limits},
	}}}
	return s
}

// leavers are 10,000 who come at once, and half of them soon go again.
func leavers(l Length) Scenario {
	limits := sim.Limits{Requests: 6000, InputTokens: 6_000_000, OutputTokens: 2_000_000}
	half := l.count(5000, 400)
	s := Scenario{
		Name: "leavers", Title: "10,000 waiting, half of them leave", Sim: upstream(limits),
		WarmUp: 10 * time.Second, Span: l.pick(40*time.Second, 30*time.Second), Finish: true,
		Bars: Bars{Binding: sim.Requests, Used: 0.97},
	}
	if l == Short {
		s.Title = "800 waiting, half of them leave" // the race detector takes no 10,000
		s.Sim.Limits.Requests = 600
	}
	w := load.Workload{
		Seed: seed, Agents: half, Requests: half, Stagger: time.Second,
		Input: load.Uniform(50, 150), Output: load.Uniform(10, 40), StreamShare: 0.2,
	}
	gone := w
	gone.Patience = 20 * time.Second
	s.Parts = []Part{{Workload: w}, {Workload: gone, Leaves: true}}
	return s
}

// newcomer is the smallest account there is.
func newcomer(l Length) Scenario {
	limits := sim.Limits{Requests: 5, InputTokens: 10_000, OutputTokens: 4000}
	w := load.Workload{Agents: 4, Input: load.Lognormal(2500, 8000, 0.7), Output: load.Uniform(60, 240)}
	return Scenario{
		Name: "newcomer", Title: "Newcomer: 5 requests and 10,000 input tokens a minute", Sim: upstream(limits),
		Parts:   []Part{{Workload: pacedByInput(w, 3, limits.InputTokens)}},
		Gateway: []weir.Option{weir.WithMaxWait(10 * time.Minute)},
		WarmUp:  l.pick(10*time.Minute, 3*time.Minute), Span: l.pick(12*time.Hour, time.Hour),
		Bars: Bars{Binding: sim.InputTokens, Used: 0.97},
	}
}
