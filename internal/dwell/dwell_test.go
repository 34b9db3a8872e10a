package dwell_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weir-gateway/weir/internal/dwell"
)

func TestSwitch(t *testing.T) {
	var s dwell.Switch
	start := time.Unix(1000, 0)
	for i, step := range []struct {
		at           time.Duration
		enter, leave bool
		want         bool
	}{
		{0, false, true, false},
		{time.Second, true, false, true}, // a new one may go on at once
		{2 * time.Second, false, true, true},
		{30 * time.Second, false, true, true},
		{31 * time.Second, false, false, true}, // between the conditions
		{32 * time.Second, true, true, true},   // both: it stays on
		{33 * time.Second, false, true, false},
		{34 * time.Second, true, false, false},
		{63 * time.Second, true, false, true},
	} {
		s.Feed(start.Add(step.at), step.enter, step.leave, 30*time.Second)
		if s.On() != step.want {
			t.Fatalf("step %d: on is %v, want %v", i, s.On(), step.want)
		}
	}
	if got := s.Free(start.Add(70*time.Second), 30*time.Second); got != 23*time.Second {
		t.Errorf("free in %v, want 23s", got)
	}
}

// TestNeverFlaps feeds noise: whatever the conditions do, there are no more
// than two changes in any minute.
func TestNeverFlaps(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		var (
			s       dwell.Switch
			changes []time.Time
			now     = time.Unix(1000, 0)
		)
		for range 2000 {
			now = now.Add(time.Duration(r.IntN(3000)) * time.Millisecond)
			if s.Feed(now, r.IntN(2) == 0, r.IntN(2) == 0, 30*time.Second) {
				changes = append(changes, now)
			}
		}
		for i := 2; i < len(changes); i++ {
			if changes[i].Sub(changes[i-2]) < time.Minute {
				t.Fatalf("three changes within %v", changes[i].Sub(changes[i-2]))
			}
		}
	}
}
