package estimate_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/estimate"
)

func english(bytes int) *call.Call {
	return &call.Call{Tenant: "t", Model: "claude-sonnet-5", MaxTokens: 1000, Content: call.Content{Latin: bytes, Messages: 1}}
}

func TestColdEstimate(t *testing.T) {
	got := estimate.New().Estimate(english(3600))
	if got.Input < 1000 || got.Input > 1100 || got.Output != 500 || got.Spread != 0.25 {
		t.Errorf("got %+v for about 1,000 tokens", got)
	}
	if empty := estimate.New().Estimate(&call.Call{Model: "m"}); empty.Input < 1 {
		t.Errorf("an estimate is never below one token: %+v", empty)
	}
}

func TestLearnsBias(t *testing.T) {
	room := estimate.New()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		c := english(3600 + rng.IntN(36000))
		real := float64(c.Content.Latin) / 3 * (0.98 + 0.04*rng.Float64())
		room.Learn(c, call.Usage{Input: call.Tokens(real), Output: 100, Exact: true})
	}
	got := room.Estimate(english(30000))
	if math.Abs(float64(got.Input)/10200-1) > 0.03 {
		t.Errorf("input %d, want about 10,000 and 2 %% more", got.Input)
	}
	if got.Spread > 0.05 || got.Output != 100 {
		t.Errorf("spread %.3f, output %d after 100 regular calls", got.Spread, got.Output)
	}
	other := english(30000)
	other.Tenant = "newcomer"
	if got := room.Estimate(other); math.Abs(float64(got.Input)/10200-1) > 0.03 {
		t.Errorf("a new tenant starts from the model's experience: %d", got.Input)
	}
}

func TestLearnsCachedShare(t *testing.T) {
	room := estimate.New()
	c := english(36000)
	c.Content.Cached = true
	for range 50 {
		room.Learn(c, call.Usage{Input: 1000, CacheRead: 9000, Exact: true})
	}
	if got := room.Estimate(c).Input; got < 1000 || got > 2000 {
		t.Errorf("estimate %d for 1,000 uncached tokens", got)
	}
	c.Content.Cached = false
	if got := room.Estimate(c).Input; got < 9500 {
		t.Errorf("estimate %d: without cache marks nothing is free", got)
	}
}

func TestInexactTeachesNothing(t *testing.T) {
	room := estimate.New()
	room.Learn(english(3600), call.Usage{Input: 50_000})
	if got := room.Estimate(english(3600)).Input; got > 1100 {
		t.Errorf("got %d", got)
	}
}

func TestSubjectsAreBounded(t *testing.T) {
	room := estimate.New()
	for i := range 30_000 {
		c := english(100)
		c.Tenant = fmt.Sprint(i)
		room.Learn(c, call.Usage{Input: 25, Exact: true})
	}
	if n := room.Len(); n > 10_000 {
		t.Errorf("remembers %d subjects", n)
	}
}

func BenchmarkEstimate(b *testing.B) {
	room, c := estimate.New(), english(4000)
	room.Learn(c, call.Usage{Input: 1000, Exact: true})
	b.ReportAllocs()
	for b.Loop() {
		room.Estimate(c)
	}
}
