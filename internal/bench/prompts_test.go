package bench

import (
	"os"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
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

// promptsVariable names the file that TestBenchPrompts writes.
const promptsVariable = "WEIR_BENCH_PROMPTS"

// TestBenchPrompts has the agents work from every side and writes the page.
func TestBenchPrompts(t *testing.T) {
	name := os.Getenv(promptsVariable)
	if name == "" {
		t.Skipf("set %s to a file, or run make bench-prompts", promptsVariable)
	}
	began := time.Now()
	var days []AgentsDay
	for _, n := range []int{8, 24, 72} {
		a := CodingAgents(Long)
		a.Agents = n
		d := AgentsDay{Agents: a}
		for m := range numMarkings {
			d.Results = append(d.Results, agents(t, a, m))
		}
		days = append(days, d)
	}
	out, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	m := Machine{
		Command: "make bench-prompts", Cores: runtime.NumCPU(), Go: runtime.Version(),
		Revision: os.Getenv("WEIR_REVISION"), Took: time.Since(began),
	}
	if err := WriteAgents(out, m, days); err != nil {
		t.Error(err)
	}
	if err := out.Close(); err != nil {
		t.Error(err)
	}
}
