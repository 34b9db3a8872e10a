package bench

import (
	"testing"
	"testing/synctest"
)

// leastGain is how many times more input the agents get through the same
// quota, at the least, when the gateway sets the marks.
const leastGain = 3.0

func agents(t *testing.T, a Agents, m Marking) (r AgentsResult) {
	synctest.Test(t, func(t *testing.T) {
		var err error
		if r, err = RunAgents(t.Context(), a, m); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("%-22s %9.0f input tokens a minute (%9.0f from the cache, %.0f charged), %4d answers, %d refused, %d upstream 429s, $%v a million",
		m, r.Input(), r.Freed(), r.Charged/r.Span.Minutes(), r.Answered, r.Refused, r.Surprises, r.PerMillion())
	return r
}

// TestPromptCachingTriplesTheInput has coding agents that set no marks work
// with the same quota, with and without the gateway's.
func TestPromptCachingTriplesTheInput(t *testing.T) {
	a := CodingAgents(Short)
	without, with := agents(t, a, NoMarks), agents(t, a, WeirMark)
	if gain := with.Input() / without.Input(); gain < leastGain {
		t.Errorf("%.1f times the input, want %v", gain, leastGain)
	} else {
		t.Logf("%.1f times the input (bar %v)", gain, leastGain)
	}
	if n := without.Refused + with.Refused; n > 0 {
		t.Errorf("%d requests were refused", n)
	}
	if with.Surprises+without.Surprises > 0 {
		t.Errorf("429s of the upstream: %d without marks, %d with", without.Surprises, with.Surprises)
	}
}
