package weir_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/weir"
)

func TestDegradationTellsForWhomAndWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last atomic.Value
		h := newHouse(t, recorder(&last), weir.WithLadder(weir.Ladder{Rungs: []weir.Rung{
			{Do: call.Rung{Kind: call.RungMaxTokens, MaxTokens: 1000}, Enter: when(t, `headroom <= 1.0 && class == "batch"`), Leave: when(t, "headroom > 2.0")},
			{Do: call.Rung{Kind: call.RungThinking}, Enter: when(t, `tenant == "small"`)},
			{Do: call.Rung{Kind: call.RungTrim, Turns: 1}, Enter: when(t, "1 / waiting > 0")},
		}}))
		h.post(t, heavy, "Weir-Class", "batch", "Weir-Tenant", "large")
		time.Sleep(time.Minute)
		h.post(t, heavy, "Weir-Tenant", "small")
		got := h.gateway.Degradation()
		if len(got.Rungs) != 3 || got.DryRun || got.Faults == 0 {
			t.Fatalf("%+v", got)
		}
		capped, thinking, trim := got.Rungs[0], got.Rungs[1], got.Rungs[2]
		if capped.Places != 1 || capped.Changes != 1 || capped.Leave != "headroom > 2.0" || capped.Fault != "" {
			t.Errorf("max_tokens: %+v", capped)
		}
		at := capped.InForce[0]
		if at.Class != "batch" || at.Tenant != "" || at.Model != "claude-opus-5" || at.Values != `headroom = 1, class = "batch"` || got.At.Sub(at.Since) != time.Minute {
			t.Errorf("max_tokens is in force for %+v", at)
		}
		if thinking.Places != 1 || thinking.InForce[0].Tenant != "small" {
			t.Errorf("thinking: %+v", thinking)
		}
		if trim.Places != 0 || trim.InForce == nil || !strings.Contains(trim.Fault, "division by zero") {
			t.Errorf("trim: %+v", trim)
		}
	})
}

func TestDegradationCountsADryRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last atomic.Value
		h := newHouse(t, recorder(&last), weir.WithLadder(weir.Ladder{DryRun: true, Rungs: []weir.Rung{
			{Do: call.Rung{Kind: call.RungThinking}, Enter: when(t, always)},
		}}))
		h.post(t, heavy)
		h.post(t, heavy)
		if got := h.gateway.Degradation(); !got.DryRun || got.Rungs[0].Would != 2 || got.Rungs[0].Places != 1 {
			t.Errorf("%+v", got)
		}
	})
}

func TestExplain(t *testing.T) {
	tight := when(t, "headroom < 0.2")
	l := weir.Ladder{Tenants: []string{"core-*"}, Rungs: []weir.Rung{
		{Do: call.Rung{Kind: call.RungThinking}, Enter: tight, Leave: when(t, `headroom > 0.5 && breaker == "closed"`)},
		{Do: call.Rung{Kind: call.RungTrim}, Enter: when(t, "1 / waiting > 0")},
		{Do: call.Rung{Kind: call.RungRefuse}, Enter: tight},
	}}
	for name, c := range map[string]struct {
		signals call.Signals
		want    [3]weir.RungVerdict
	}{
		"short":     {call.Signals{Headroom: 0.1, Class: call.Batch, Waiting: 2, Breaker: "closed"}, [3]weir.RungVerdict{weir.RungEnters, weir.RungLeaves, weir.RungEnters}},
		"between":   {call.Signals{Headroom: 0.3, Class: call.Normal, Waiting: 1, Breaker: "closed"}, [3]weir.RungVerdict{weir.RungStays, weir.RungEnters, weir.RungElsewhere}},
		"plenty":    {call.Signals{Headroom: 0.9, Class: call.Batch, Breaker: "closed"}, [3]weir.RungVerdict{weir.RungLeaves, weir.RungStays, weir.RungLeaves}},
		"protected": {call.Signals{Tenant: "core-1", Waiting: 1}, [3]weir.RungVerdict{weir.RungProtected, weir.RungProtected, weir.RungProtected}},
	} {
		for i, e := range l.Explain(c.signals) {
			if e.Verdict != c.want[i] || (e.Err != nil) != (c.signals.Waiting == 0 && i == 1) {
				t.Errorf("%s: %s %s %v, want %s", name, e.Rung.Do.Kind, e.Verdict, e.Err, c.want[i])
			}
		}
	}
	if got := l.Explain(call.Signals{Headroom: 0.1234, Breaker: "open"})[0].Values; got != `headroom = 0.1234, breaker = "open"` {
		t.Errorf("it looks at %s", got)
	}
}
