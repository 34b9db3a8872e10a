package weir_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// TestSaturationIsOneWarning keeps an account busy for a quarter of an hour, whose
// buckets Weir then holds near empty on purpose, and lets it rest. People hear
// that a bucket is low, that it has become worse, and that it is over, once
// each.
func TestSaturationIsOneWarning(t *testing.T) {
	for name, tc := range map[string]struct {
		limits sim.Limits
		words  int // of a request, at most
	}{
		"small-requests": {sim.Limits{Requests: 600, InputTokens: 100_000, OutputTokens: 20_000}, 2000},
		"large-requests": {sim.Limits{Requests: 600, InputTokens: 100_000, OutputTokens: 20_000}, 60_000},
		"five-a-minute":  {sim.Limits{Requests: 5, InputTokens: 25_000, OutputTokens: 5000}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api, err := sim.New(sim.Config{Limits: tc.limits, Seed: 1, Timing: sim.Timing{TTFT: 300 * time.Millisecond, TokensPerSecond: 100}})
				if err != nil {
					t.Fatal(err)
				}
				began, told := time.Now(), map[string][]string{}
				b := newLodge(t, api, weir.WithWarnings(weir.Warnings{Observer: func(raised, cleared []call.Warning) {
					at := time.Since(began).Truncate(time.Second)
					for _, w := range raised {
						told[w.Limiter] = append(told[w.Limiter], fmt.Sprintf("%v %s %s", at, w.Kind, w.Level))
					}
					for _, w := range cleared {
						told[w.Limiter] = append(told[w.Limiter], fmt.Sprintf("%v over", at))
					}
				}}))
				running(t, b.gateway)
				busy, done := context.WithTimeout(t.Context(), 15*time.Minute)
				defer done()
				var agents sync.WaitGroup
				for i := range 6 {
					agents.Go(func() {
						r := rand.New(rand.NewPCG(uint64(i), 1))
						for busy.Err() == nil {
							b.ask(t, "claude-haiku-4-5", strings.Repeat("word ", 1+r.IntN(tc.words)))
						}
					})
				}
				agents.Wait()
				time.Sleep(5 * time.Minute)
				synctest.Wait() // nobody is told anything now
				if len(told) == 0 || len(b.gateway.Warnings()) > 0 {
					t.Errorf("told %v, and still %v", told, b.gateway.Warnings())
				}
				for limiter, lines := range told {
					t.Logf("%s: %s", limiter, strings.Join(lines, ", "))
					over := 0
					for _, line := range lines {
						if strings.HasSuffix(line, "over") {
							over++
						}
					}
					if over != 1 || len(lines) > 1+call.NumWarningLevels {
						t.Errorf("%s: %d messages, %d of them an end", limiter, len(lines), over)
					}
				}
			})
		})
	}
}
