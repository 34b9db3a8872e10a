package weir_test

import (
	"fmt"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/weir"
)

// left holds while so much of the tightest limit is left, as a share of it.
type left struct{ from, to float64 }

func (c left) Holds(s call.Signals) (bool, error) {
	return s.Headroom >= c.from && s.Headroom < c.to, nil
}
func (c left) PerTenant() bool { return false }
func (c left) String() string  { return fmt.Sprintf("%v%% to %v%% left", 100*c.from, 100*c.to) }

// While less than a fifth of the quota is left, and until there is twice as
// much, calls of class batch are answered with less effort.
func ExampleWithLadder() {
	gateway, err := weir.New(weir.WithLadder(weir.Ladder{Rungs: []weir.Rung{{
		Do:      call.Rung{Kind: call.RungEffort, Effort: "low"},
		Enter:   left{0, 0.2},
		Leave:   left{0.4, 1.01},
		Classes: []call.Class{call.Batch},
	}}}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer gateway.Close()
	for _, r := range gateway.Degradation().Rungs {
		fmt.Printf("%s: enter at %s, leave at %s; in force for %d\n", r.Rung, r.Enter, r.Leave, len(r.InForce))
	}
	// Output:
	// effort: enter at 0% to 20% left, leave at 40% to 101% left; in force for 0
}
