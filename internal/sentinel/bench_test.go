package sentinel_test

import (
	"testing"
	"time"

	"github.com/weir-gateway/weir/internal/breaker"
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
