package load

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
)

func TestCompareAlternatesAndFindsTheRatio(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sides := [2]Target{
			{URL: "http://a", Transport: answering(time.Second)},
			{URL: "http://b", Transport: answering(2 * time.Second)},
		}
		var order []int
		w := Workload{Agents: 3, Input: Fixed(50), Duration: 400 * time.Second}
		c, err := Compare(t.Context(), sides, w, 4, func(r Round) { order = append(order, r.First) })
		if err != nil {
			t.Fatal(err)
		}
		if len(order) != 4 || order[0] != 0 || order[1] != 1 || order[2] != 0 {
			t.Errorf("first were %v, want them by turns", order)
		}
		for i, want := range []float64{0.5, 0.5, 2, 2, 0, 1} {
			if want == 0 {
				continue // nothing was streamed
			}
			if r := c.Ratios[i]; math.Abs(r.Median-want) > 0.03 || r.Rounds != 4 || r.Low > r.Median || r.High < r.Median {
				t.Errorf("%+v, want %v", r, want)
			}
		}
		// The last requests of a slice are seen through: none is cut.
		if a := c.Sides[0].Report; a.Cut != 0 || math.Abs(a.PerSecond-3) > 0.1 || !c.Answered() {
			t.Errorf("the first side: %+v", a)
		}
	})
}

func TestCompareEndsWithTheLastWholeRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		purse := NewPurse(call.Dollar / 10)
		side := Target{URL: "http://a", Transport: answering(time.Second), Purse: purse}
		c, err := Compare(t.Context(), [2]Target{side, side}, Workload{Input: Fixed(50), Duration: time.Hour}, 100, func(Round) {})
		if err != nil || !c.Cost.Exhausted || len(c.Rounds) >= 100 || c.Cost.Spent > c.Cost.Max {
			t.Errorf("%v, %d rounds, %+v", err, len(c.Rounds), c.Cost)
		}
		if _, err := Compare(t.Context(), [2]Target{side, side}, Workload{}, 1, nil); err == nil {
			t.Error("one round has no spread")
		}
	})
}
