package quota_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
)

func between(low, high float64) func(*rand.Rand) float64 {
	return func(r *rand.Rand) float64 { return low + (high-low)*r.Float64() }
}

func lognormal(median, sigma float64) func(*rand.Rand) float64 {
	return func(r *rand.Rand) float64 { return max(1, median*math.Exp(sigma*r.NormFloat64())) }
}

func limits(requests, input, output float64) [call.NumLimiters]float64 {
	return [...]float64{requests, input, output}
}

func base() plan {
	return plan{
		limits: limits(600, 600e3, 120e3), fill: 0.1, agents: 60,
		input: between(2000, 14000), output: between(50, 400), speed: 60,
		estErr: 0.15, upErr: 0.1, lifetime: 10 * time.Minute, warmUp: 2 * time.Minute,
	}
}

func workloads() map[string]func(*plan) {
	return map[string]func(*plan){
		"input-bound": func(*plan) {},
		"json":        func(p *plan) { p.json = true },
		"small-org":   func(p *plan) { p.limits = limits(50, 30e3, 8e3); p.input = between(500, 4000) },
		"newcomer":    func(p *plan) { p.limits = limits(5, 10e3, 4e3); p.input = between(200, 1500); p.lifetime = time.Hour },
		"rpm-600":     func(p *plan) { p.input = between(50, 200); p.output = between(10, 60); p.lifetime = 4 * time.Minute },
		"rpm-50": func(p *plan) {
			p.limits = limits(50, 600e3, 120e3)
			p.input = between(50, 200)
			p.output = between(10, 60)
		},
		"output-bound": func(p *plan) { p.input = between(50, 500); p.output = lognormal(1500, 0.8); p.agents = 100 },
		"output-json": func(p *plan) {
			p.input = between(50, 500)
			p.output = lognormal(1500, 0.8)
			p.agents = 100
			p.json = true
		},
		"big":          func(p *plan) { p.limits = limits(10e3, 2e6, 400e3); p.agents = 300; p.lifetime = 4 * time.Minute },
		"huge-context": func(p *plan) { p.input = lognormal(60e3, 0.6); p.input = capAt(p.input, 500e3); p.lifetime = time.Hour },
		"foreign-30": func(p *plan) {
			p.changes = []time.Duration{6 * time.Minute}
			p.foreign = func(at time.Duration) float64 {
				if at > 6*time.Minute {
					return 0.3
				}
				return 0
			}
		},
		"halves-doubles": func(p *plan) {
			p.changes = []time.Duration{5 * time.Minute, 8 * time.Minute}
			p.change = func(at time.Duration) float64 {
				switch {
				case at > 8*time.Minute:
					return 1
				case at > 5*time.Minute:
					return 0.5
				}
				return 1
			}
		},
		"crude-estimates": func(p *plan) { p.estErr, p.upErr = 0.4, 0.2 },
	}
}

func capAt(f func(*rand.Rand) float64, limit float64) func(*rand.Rand) float64 {
	return func(r *rand.Rand) float64 { return min(f(r), limit) }
}

// TestSaturated is the promise of the package: whatever binds, it is used to
// its edge, next to no 429 comes back, the truth lies in the interval, and the
// belief is off by less than 1 % of the limit. After a change of limits, or of
// what others use, this holds again within 5 s.
func TestSaturated(t *testing.T) {
	for name, set := range workloads() {
		t.Run(name, func(t *testing.T) {
			sent, rejected := 0, 0
			for seed := range uint64(2) {
				p := base()
				set(&p)
				w := newWorld(seed, p)
				w.run()
				sent += w.sent
				rejected += w.rejected
				used := [call.NumLimiters]float64{}
				for l := range w.truth {
					used[l] = w.truth[l].used()
				}
				mean := w.errors / float64(w.checks)
				t.Logf("seed %d: sent %d, rejected %d, used %.3f; of %d beliefs %d wrong, mean error %.4f, worst %.4f, mean width %.4f",
					seed, w.sent, w.rejected, used, w.checks, w.outside, mean, w.worst, w.width/float64(w.checks))
				if w.outside > 0 {
					t.Errorf("seed %d: the truth lay outside of [low, high] %d times of %d", seed, w.outside, w.checks)
				}
				if mean > 0.01 {
					t.Errorf("seed %d: the belief is off by %.4f of the limit on average", seed, mean)
				}
				if best := max(used[0], used[1], used[2]); best < 0.97 {
					t.Errorf("seed %d: the most used limiter is used to %.3f", seed, best)
				}
			}
			if float64(rejected) > float64(sent)/1000 {
				t.Errorf("%d of %d were rejected", rejected, sent)
			}
		})
	}
}
