package ladder

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
)

// when is a condition in Go.
type when struct {
	holds  func(call.Signals) (bool, error)
	tenant bool
}

func (w when) Holds(s call.Signals) (bool, error) { return w.holds(s) }
func (w when) PerTenant() bool                    { return w.tenant }
func (w when) String() string                     { return "in a test" }

func below(share float64) when {
	return when{holds: func(s call.Signals) (bool, error) { return s.Headroom < share, nil }}
}

// effort is a rung with a condition.
func effort(enter Condition) Rung {
	return Rung{Do: call.Rung{Kind: call.RungEffort, Effort: "low"}, Enter: enter}
}

// scene is a room whose signals a test sets.
type scene struct {
	*Room
	now  time.Time
	seen call.Signals
}

func newScene(cfg Config, rungs ...Rung) *scene {
	s := &scene{now: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)}
	cfg.Signals = func(now time.Time, c *call.Call) call.Signals {
		out := s.seen
		out.Now, out.Class, out.Tenant, out.Model = now, c.Class, c.Tenant, c.Model
		return out
	}
	s.Room = New(cfg, Plan{Rungs: rungs})
	return s
}

// takes reports whether a call takes a rung after so long.
func (s *scene) takes(after time.Duration, c call.Call) bool {
	s.now = s.now.Add(after)
	c.Endpoint = call.Messages
	s.Choose(s.now, &c)
	return len(c.Rungs) > 0
}

// TestRungsComeAndGo: between its two conditions a rung stays as it is, and it
// dwells.
func TestRungsComeAndGo(t *testing.T) {
	r := effort(below(0.2))
	r.Leave = when{holds: func(s call.Signals) (bool, error) { return s.Headroom > 0.5, nil }}
	s := newScene(Config{}, r)
	for i, step := range []struct {
		after    time.Duration
		headroom float64
		want     bool
	}{
		{0, 0.9, false},
		{time.Second, 0.1, true},
		{time.Second, 0.9, true}, // it dwells
		{28 * time.Second, 0.3, true},
		{time.Minute, 0.4, true}, // neither condition holds
		{time.Second, 0.6, false},
		{time.Second, 0.1, false}, // it dwells
		{29 * time.Second, 0.1, true},
	} {
		s.seen.Headroom = step.headroom
		if got := s.takes(step.after, call.Call{}); got != step.want {
			t.Errorf("step %d: in force %t, want %t", i, got, step.want)
		}
	}
	if report := s.Report(s.now); report.Rungs[0].Changes != 3 || report.Rungs[0].Places != 1 || s.Levels()[call.Interactive] != 1 {
		t.Errorf("reported %+v, levels %v", report.Rungs[0], s.Levels())
	}
}

// TestPlaces: a rung is in force where its condition has been seen to hold, and
// nowhere else.
func TestPlaces(t *testing.T) {
	tight := func(s call.Signals) (bool, error) { return s.Tenant == "a" || s.Model == "m", nil }
	for _, c := range []struct {
		name  string
		cfg   Config
		enter when
		first call.Call
		other call.Call
		want  bool // the rung is in force for the other as well, on the first's account
	}{
		{"tenant-not-looked-at", Config{}, when{holds: tight}, call.Call{Tenant: "a"}, call.Call{Tenant: "b"}, true},
		{"per-tenant", Config{}, when{tight, true}, call.Call{Tenant: "a"}, call.Call{Tenant: "b"}, false},
		{"per-client", Config{}, when{tight, true}, call.Call{Tenant: "a", Client: "x"}, call.Call{Tenant: "a", Client: "y"}, true},
		{"class", Config{}, when{holds: tight}, call.Call{Tenant: "a"}, call.Call{Class: call.Batch}, false},
		{"model", Config{}, when{holds: tight}, call.Call{Model: "m"}, call.Call{Model: "n"}, false},
		{"pool", Config{}, when{holds: tight}, call.Call{Tenant: "a", Credential: call.Key{Print: "1"}}, call.Call{Credential: call.Key{Print: "2"}}, true},
		{"own-keys", Config{PerAccount: true}, when{holds: tight}, call.Call{Tenant: "a", Credential: call.Key{Print: "1"}}, call.Call{Credential: call.Key{Print: "2"}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(c.cfg, effort(c.enter))
			if !s.takes(0, c.first) {
				t.Fatal("it is not in force where its condition holds")
			}
			if got := s.takes(0, c.other); got != c.want {
				t.Errorf("in force elsewhere: %t, want %t", got, c.want)
			}
		})
	}
}

// TestPlacesAreBounded: names that callers make up take no more room than there
// is, and places where nobody calls from are given up.
func TestPlacesAreBounded(t *testing.T) {
	s := newScene(Config{}, effort(below(0.2)))
	for i := range maxSteps {
		s.takes(0, call.Call{Model: fmt.Sprint(i)})
	}
	s.seen.Headroom = 1 // they are all in force, and dwell
	if s.takes(time.Second, call.Call{Model: "one more"}) || len(s.steps) != maxSteps {
		t.Errorf("%d places, want %d", len(s.steps), maxSteps)
	}
	s.tick(s.now.Add(time.Minute)) // none is in force, and all dwell
	if s.takes(time.Minute, call.Call{Model: "one more"}) || len(s.steps) != maxSteps {
		t.Errorf("%d places, want %d: what dwells is not forgotten", len(s.steps), maxSteps)
	}
	s.seen.Headroom = 0
	if !s.takes(2*time.Minute, call.Call{Model: "one more"}) {
		t.Error("there is no room though no rung is in force")
	}
	s.seen.Headroom = 1
	s.tick(s.now.Add(time.Minute))
	if s.tick(s.now.Add(time.Hour)); len(s.steps) != 0 {
		t.Errorf("%d places are kept that nobody calls from", len(s.steps))
	}
}

// TestDwellIsNotForgotten: though nobody calls for longer than places are kept.
func TestDwellIsNotForgotten(t *testing.T) {
	r := effort(below(0.2))
	r.Dwell = time.Hour
	s := newScene(Config{}, r)
	s.takes(0, call.Call{})
	s.seen.Headroom = 1
	if s.takes(time.Hour, call.Call{}) {
		t.Fatal("it has not been left")
	}
	s.seen.Headroom = 0.1
	s.tick(s.now.Add(2 * stepIdle))
	if s.takes(2*stepIdle, call.Call{}) {
		t.Error("it came again within its dwell")
	}
	if !s.takes(time.Hour, call.Call{}) {
		t.Error("it does not come again behind its dwell")
	}
}

// TestFaultsChangeNothing: a condition that cannot be told leaves its rung as it
// was, and is reported.
func TestFaultsChangeNothing(t *testing.T) {
	broken := false
	s := newScene(Config{}, effort(when{holds: func(call.Signals) (bool, error) {
		if broken {
			return false, errors.New("division by zero")
		}
		return true, nil
	}}))
	s.takes(0, call.Call{})
	broken = true
	if !s.takes(time.Hour, call.Call{}) {
		t.Error("it was left by a fault")
	}
	if report := s.Report(s.now); report.Faults == 0 || report.Rungs[0].Fault != "division by zero" {
		t.Errorf("reported %+v", report)
	}
}

// TestAgain: whom a rung refuses is told when it may have been left.
func TestAgain(t *testing.T) {
	s := newScene(Config{}, Rung{Do: call.Rung{Kind: call.RungRefuse}, Enter: below(0.2)})
	job := call.Call{Class: call.Batch}
	if s.takes(0, call.Call{}) || !s.takes(0, job) {
		t.Error("it is for class batch alone")
	}
	if got := s.Again(s.now.Add(10*time.Second), &job); got != 20*time.Second {
		t.Errorf("again in %v, want 20s", got)
	}
	if got := s.Again(s.now.Add(time.Minute), &job); got != leastAgain {
		t.Errorf("again in %v, want %v", got, leastAgain)
	}
}

// TestAgainIsForTheCallsOwnPlace: the rung may have been in force for others
// since another time.
func TestAgainIsForTheCallsOwnPlace(t *testing.T) {
	refuses := func(s call.Signals) (bool, error) { return s.Budget > 0.9, nil }
	s := newScene(Config{}, Rung{Do: call.Rung{Kind: call.RungRefuse}, Enter: when{refuses, true}})
	s.seen.Budget = 1
	for i := range 20 {
		s.takes(time.Second, call.Call{Class: call.Batch, Tenant: fmt.Sprint(i)})
	}
	for i := range 20 {
		c := call.Call{Class: call.Batch, Tenant: fmt.Sprint(i)}
		if got, want := s.Again(s.now, &c), time.Duration(11+i)*time.Second; got != want {
			t.Errorf("tenant %d may come again in %v, want %v", i, got, want)
		}
	}
}
