package sentinel_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/weir-gateway/weir/internal/breaker"
	"github.com/weir-gateway/weir/internal/sentinel"
)

// BenchmarkCall is what a breaker costs a request: asked, told of the first
// token, told of the end, with the default rules.
func BenchmarkCall(b *testing.B) {
	for name, build := range cores {
		b.Run(name, func(b *testing.B) {
			e, err := breaker.New(breaker.DefaultRules(), build)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				p, refused := e.Acquire(time.Now(), scope)
				if refused != nil {
					b.Fatal(refused)
				}
				now := time.Now()
				p.FirstToken(now)
				p.Done(now, breaker.Succeeded)
			}
		})
	}
}

// BenchmarkRefusal is what an open breaker costs a request.
func BenchmarkRefusal(b *testing.B) {
	for name, build := range cores {
		b.Run(name, func(b *testing.B) {
			rule := breaker.DefaultRules()[0]
			rule.MinRequestAmount, rule.RetryTimeoutMs = 1, 3_600_000
			e, err := breaker.New([]breaker.Rule{rule}, build)
			if err != nil {
				b.Fatal(err)
			}
			p, _ := e.Acquire(time.Now(), scope)
			p.Done(time.Now(), breaker.Failed)
			b.ReportAllocs()
			for b.Loop() {
				if _, refused := e.Acquire(time.Now(), scope); refused == nil {
					b.Fatal("passed")
				}
			}
		})
	}
}

// guards are protections whose rules let every call in.
var guards = map[string]map[string]string{
	"none":      nil,
	"flow":      {"flow.json": `[{"resource": "*", "threshold": 10000000}]`},
	"warm-up":   {"flow.json": `[{"resource": "*", "threshold": 90000000, "tokenCalculateStrategy": 1, "warmUpPeriodSec": 10}]`},
	"throttle":  {"flow.json": `[{"resource": "*", "threshold": 90000000, "controlBehavior": 1, "maxQueueingTimeMs": 100}]`},
	"isolation": {"isolation.json": `[{"resource": "*", "threshold": 1000}]`},
	"tenants at once": {
		"hotspot.json": `[{"resource": "*", "paramKey": "tenant", "threshold": 1000}]`},
	"tenants per second": {
		"hotspot.json": `[{"resource": "*", "paramKey": "tenant", "metricType": 1, "threshold": 90000000, "durationInSec": 1}]`},
	"system": {"system.json": `[{"metricType": 0, "triggerCount": 1000}]`},
}

// BenchmarkEnter is what protection costs a request: in and out again.
func BenchmarkEnter(b *testing.B) {
	all := map[string]string{
		"flow.json": `[{"resource": "*", "threshold": 10000000}, {"resource": "class/batch", "threshold": 10000000},
			{"resource": "*", "threshold": 90000000, "controlBehavior": 1, "maxQueueingTimeMs": 100}]`,
		"isolation.json": `[{"resource": "*", "threshold": 1000}, {"resource": "class/batch", "threshold": 1000}]`,
		"hotspot.json": `[{"resource": "*", "paramKey": "tenant", "threshold": 1000},
			{"resource": "*", "paramKey": "session", "metricType": 1, "threshold": 90000000, "durationInSec": 1}]`,
		"system.json": `[{"metricType": 0, "triggerCount": 1000}]`,
	}
	enter := func(b *testing.B, files map[string]string) {
		p := protection(b, files)
		c := batch("acme", "s1")
		b.ReportAllocs()
		for b.Loop() {
			leave, no := p.Enter(b.Context(), c)
			if no != nil {
				b.Fatal(no.Rule)
			}
			leave()
		}
	}
	for _, name := range slices.Sorted(maps.Keys(guards)) {
		b.Run(name, func(b *testing.B) { enter(b, guards[name]) })
	}
	b.Run("all: 8 rules", func(b *testing.B) { enter(b, all) })
	b.Run("all: 8 rules, parallel", func(b *testing.B) {
		p := protection(b, all)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			c := batch("acme", "s1")
			for pb.Next() {
				if leave, no := p.Enter(b.Context(), c); no == nil {
					leave()
				}
			}
		})
	})
}

// BenchmarkShut is what a refused request costs.
func BenchmarkShut(b *testing.B) {
	p := protection(b, map[string]string{"flow.json": `[{"resource": "*", "threshold": 0}]`})
	c := batch("acme", "s1")
	b.ReportAllocs()
	for b.Loop() {
		if _, no := p.Enter(b.Context(), c); no == nil {
			b.Fatal("let in")
		}
	}
}

func protection(tb testing.TB, files map[string]string) *sentinel.Protection {
	tb.Helper()
	p, err := sentinel.NewProtection(rules(tb, files))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.Close)
	return p
}
