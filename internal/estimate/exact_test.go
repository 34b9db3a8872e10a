package estimate_test

import (
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/estimate"
)

func TestExactCountsWhatIsWorthIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		var fail error
		x := estimate.NewExact(estimate.New(), 10_000, func(*call.Call) (call.Tokens, time.Duration, error) {
			asked++
			return 7777, time.Minute, fail
		})
		estimated := func(bytes int) call.Estimate {
			c := english(bytes)
			c.Deadline = time.Now().Add(time.Hour)
			return x.Estimate(c)
		}
		if e := estimated(500); asked != 0 || e.Input > 200 {
			t.Errorf("a small call was counted %d times: %+v", asked, e)
		}
		if e := estimated(40_000); asked != 1 || math.Abs(float64(e.Input)-7777*1.01) > 1 || e.Spread > 0.03 {
			t.Errorf("a large one %d times: %+v", asked, e)
		}
		if e := estimated(20_000); asked != 2 || e.Spread > 0.03 {
			t.Errorf("an uncertain one %d times: %+v", asked, e)
		}
		c := english(40_000)
		c.Deadline = time.Now().Add(time.Second)
		if x.Estimate(c); asked != 2 {
			t.Error("a call in a hurry was counted")
		}
		fail = errors.New("429")
		for range 5 {
			if e := estimated(40_000); e.Input < 9000 || e.Spread < 0.2 {
				t.Errorf("without a count the estimate stands: %+v", e)
			}
		}
		if asked != 3 {
			t.Errorf("asked %d times, want a pause after a failure", asked)
		}
		fail = nil
		time.Sleep(time.Minute)
		if e := estimated(40_000); asked != 4 || e.Spread > 0.03 {
			t.Errorf("asked %d times after the pause: %+v", asked, e)
		}
	})
}

func TestExactKnowsTheCache(t *testing.T) {
	room, k := estimate.New(), &cache{}
	for range 30 {
		k.serve(room, conversation("t", 20, time.Hour))
	}
	x := estimate.NewExact(room, 1000, func(*call.Call) (call.Tokens, time.Duration, error) { return 26_000, 0, nil })
	c := conversation("t", 25, time.Hour)
	c.Deadline = time.Now().Add(time.Hour)
	if e := x.Estimate(c); e.Cached != 20_000 || e.Input < 6000 || e.Input > 8000 {
		t.Errorf("%+v, want 6,000 of the 26,000 counted, and the reserve for a miss", e)
	}
}
