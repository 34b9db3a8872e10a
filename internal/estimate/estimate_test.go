package estimate_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/estimate"
)

func english(bytes int) *call.Call {
	c := &call.Call{Tenant: "t", Model: "claude-sonnet-5", MaxTokens: 1000, Received: time.Now()}
	c.Content.Text[call.Letters] = int32(bytes * 8 / 10)
	c.Content.Text[call.Spaces] = int32(bytes * 2 / 10)
	c.Content.Messages = 1
	return c
}

func TestColdEstimate(t *testing.T) {
	got := estimate.New().Estimate(english(3600))
	if got.Input < 900 || got.Input > 1100 || got.Output != 500 || got.OutputHigh != 1000 || got.Spread < 0.2 || got.Spread > 0.3 {
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
		real := float64(c.Content.Text[call.Letters]) / 2.4 * (0.98 + 0.04*rng.Float64())
		room.Learn(c, call.Usage{Input: call.Tokens(real), Output: 100, Exact: true})
	}
	got := room.Estimate(english(30000))
	if math.Abs(float64(got.Input)/10200-1) > 0.03 {
		t.Errorf("input %d, want about 10,000 and 2 %% more", got.Input)
	}
	if got.Spread > 0.05 || got.Output != 100 || got.OutputHigh != 100 {
		t.Errorf("spread %.3f, output %d to %d after 100 regular calls", got.Spread, got.Output, got.OutputHigh)
	}
	other := english(30000)
	other.Tenant = "newcomer"
	if got := room.Estimate(other); math.Abs(float64(got.Input)/10200-1) > 0.03 {
		t.Errorf("a new tenant starts from the model's experience: %d", got.Input)
	}
}

func TestOutputLengths(t *testing.T) {
	room := estimate.New()
	c := english(100)
	for i := range 200 {
		n := call.Tokens(100)
		if i%5 == 0 {
			n = 800
		}
		room.Learn(c, call.Usage{Input: 30, Output: n, Exact: true})
	}
	if got := room.Estimate(c); got.Output < 200 || got.Output > 280 || got.OutputHigh != 800 {
		t.Errorf("%+v, want a mean of about 240 and nine of ten within 800", got)
	}
	c.MaxTokens = 200
	if got := room.Estimate(c); got.Output < 100 || got.Output > 130 || got.OutputHigh != 200 {
		t.Errorf("%+v, want no more than max_tokens, and a mean of those that end at it", got)
	}
	c.Content.Thinking = true
	if got := room.Estimate(c); got.Output != 200 {
		t.Errorf("%+v: answers with thinking are another kind", got)
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

func TestEstimateAllocatesNothing(t *testing.T) {
	room, c := estimate.New(), conversation("t", 8, time.Hour)
	room.Learn(c, call.Usage{Input: 1000, CacheWrite: 8000, Exact: true})
	if n := testing.AllocsPerRun(100, func() { room.Estimate(c) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzLearn(f *testing.F) {
	f.Add(uint32(1), uint32(2), uint32(3), int64(4), int64(5), int64(6))
	f.Fuzz(func(t *testing.T, letters, pages, pixels uint32, input, read, output int64) {
		room := estimate.New()
		c := conversation("t", 3, time.Hour)
		c.Content.Text[call.Letters], c.Content.Pages = int32(letters>>1), int32(pages>>1)
		c.Content.Pixels = [2]int32{int32(pixels >> 1), int32(pixels >> 1)}
		for range 12 {
			c.Estimate = room.Estimate(c)
			if e := c.Estimate; e.Input < 1 || e.Output < 0 || e.OutputHigh < 0 || e.Cached < 0 || !(e.Spread >= 0.02 && e.Spread <= 0.4) {
				t.Fatalf("%+v", e)
			}
			room.Learn(c, call.Usage{
				Input: call.Tokens(input >> 20), CacheRead: call.Tokens(read >> 20), Output: call.Tokens(output >> 20), Exact: true,
			})
		}
	})
}
