package sim_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/weir-gateway/weir/sim"
)

// TestOverload lets impatient agents, who obey retry-after and nothing else,
// at the overloaded account for half a minute: the server must keep its books,
// give what refills and no more, and refuse the rest.
func TestOverload(t *testing.T) {
	s, err := sim.LoadScenario("overload")
	if err != nil {
		t.Fatal(err)
	}
	inBubble(t, sim.Config{Scenario: s, Seed: 1}, func(b *bench) {
		time.Sleep(time.Second)
		b.message("hi")
		b.srv.ResetStats()
		began := time.Now()
		var wg sync.WaitGroup
		for i := range 24 {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(2, uint64(i)))
				for time.Since(began) < 30*time.Second {
					r := b.message(fmt.Sprint(i)+words(2000+rng.IntN(12_000)), "x-sim-output-tokens", "200")
					if r.StatusCode == 429 {
						time.Sleep(time.Duration(r.number(b.T, "retry-after")) * time.Second)
					}
				}
			})
		}
		wg.Wait()
		st := b.srv.Stats()
		in := b.bucket(sim.InputTokens)
		refilled := in.Limit / 60 * st.At.Sub(st.Since).Seconds()
		if booked := in.Admitted + in.Overflow + in.Level - in.LevelAtStart; math.Abs(booked-refilled) > 1 {
			t.Errorf("%v tokens refilled but %v are booked", refilled, booked)
		}
		if used := st.Used(sim.InputTokens); used < 0.9 || used > 1+in.LevelAtStart/refilled {
			t.Errorf("the binding limit was used to %.3f, want nearly all of what refilled, and of the stock", used)
		}
		if l, _ := st.Binding(); l != sim.InputTokens || st.Limited[sim.InputTokens] < 10 {
			t.Errorf("the limit that binds is %s, refused %v, want input", l, st.Limited)
		}
		if st.Running != 0 || in.Level > in.Limit {
			t.Errorf("%d run, level %v of %v", st.Running, in.Level, in.Limit)
		}
	})
}
