package load

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
)

func TestParseRamp(t *testing.T) {
	r, err := ParseRamp("1, 2,8x20s")
	if err != nil || len(r.Values) != 3 || r.Values[2] != 8 || r.By != ByAgents || r.Each != 20*time.Second {
		t.Errorf("read %+v, %v", r, err)
	}
	if r, err := ParseRamp("5"); err != nil || r.Each != defaultStep {
		t.Errorf("one step: %+v, %v", r, err)
	}
	for _, bad := range []string{"", "0", "1,1", "3,2", "1,2x", "1,2x-3s", "1,2xlong", "a", "size=1,2", "input=", "agents=1,20000"} {
		if r, err := ParseRamp(bad); err == nil {
			t.Errorf("%q was read as %+v", bad, r)
		}
	}
}

func TestBeyond(t *testing.T) {
	step := func(agents int, perSecond float64) Step {
		return Step{By: ByAgents, Value: agents, Report: Report{OK: 1, PerSecond: perSecond, Took: Quantiles{P95: 1}}}
	}
	limited := step(2, 9)
	limited.Report.Retried = map[int]int{429: 1}
	slow, failed := step(2, 2), step(2, 2)
	slow.Report.Took.P95 = 4
	failed.Report.Failed, failed.Report.Asked = 2, 100
	sized := func(tokens int, p95 float64) Step {
		return Step{By: ByInput, Value: tokens, Report: Report{
			OK: 1, PerSecond: 1, InputTokens: call.Tokens(tokens), Took: Quantiles{P95: p95},
		}}
	}
	for name, tt := range map[string]struct {
		steps []Step
		want  string
	}{
		"first":       {[]Step{step(1, 1)}, ""},
		"grows":       {[]Step{step(1, 1), step(2, 1.8)}, ""},
		"hardly":      {[]Step{step(1, 1), step(2, 1.1)}, "more agents"},
		"finer-steps": {[]Step{step(10, 10), step(11, 10.5)}, ""},
		"429":         {[]Step{step(1, 1), limited}, "429s"},
		"nothing":     {[]Step{{Value: 1}}, "nothing"},
		"slow":        {[]Step{step(1, 1), slow}, "p95 rose from 1.00s to 4.00s"},
		"failures":    {[]Step{step(1, 1), failed}, "2 of 100"},
		"larger":      {[]Step{sized(1000, 1), sized(2000, 4)}, ""},
		"too-slow":    {[]Step{sized(1000, 1), sized(2000, 7)}, "p95"},
		"no-larger":   {[]Step{sized(1000, 1), {By: ByInput, Value: 2000, Report: Report{OK: 1, PerSecond: 0.5, InputTokens: 2000}}}, "more input"},
	} {
		if got := Beyond(tt.steps); !strings.HasPrefix(got, tt.want) || (got == "") != (tt.want == "") {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestWatchKeepsTheLowest(t *testing.T) {
	left := []string{"80", "20", "", "60"}
	w := NewWatch(upstream(func(w http.ResponseWriter, _ *http.Request) {
		if left[0] != "" {
			w.Header().Set("anthropic-ratelimit-requests-limit", "100")
			w.Header().Set("anthropic-ratelimit-requests-remaining", left[0])
		}
		left = left[1:]
		io.WriteString(w, okBody)
	}))
	rec := NewRecorder(0)
	if err := Run(t.Context(), Target{URL: "http://x", Transport: w}, Workload{Requests: 4}, rec); err != nil {
		t.Fatal(err)
	}
	if own := w.Take(); len(own) != 1 || own[0].Lowest != 20 || w.Take() != nil {
		t.Errorf("the step saw %+v", own)
	}
	got := w.Limits()
	if len(got) != 1 || got[0] != (Limit{"requests", 100, 20, 0.2}) || w.String() != "requests 20 %" {
		t.Errorf("saw %+v, %s", got, w)
	}
	r := Report{OK: 10, InputTokens: 5000}
	rate, by := Sustained([]Limit{{Limiter: "requests", Limit: 600}, {Limiter: "input-tokens", Limit: 60_000}}, r)
	if rate != 2 || by != "input-tokens" {
		t.Errorf("sustained %v by %s, want 2 by input-tokens: 1,000 tokens a second, 500 for each", rate, by)
	}
}

func TestParse(t *testing.T) {
	w, err := Parse("w.yaml", []byte("agents: 3\npace: 2s\nclient: none\ninput: {median: 100, max: 900, sigma: 1}\n"+
		"tenants: [{name: a, weight: 2}, {name: b, class: batch}]\nduration: 1m\n"))
	if err != nil {
		t.Fatal(err)
	}
	if w.Agents != 3 || w.Pace != 2*time.Second || w.Client != None() || w.Input.Sigma != 1 ||
		len(w.Tenants) != 2 || w.Tenants[1].Class != "batch" || w.Duration != time.Minute {
		t.Errorf("read %+v", w)
	}
	_, err = Parse("w.yaml", []byte("agents: -1\npaze: 2s\nclient: curl\ntenants: [{name: a, class: urgent}]\n"))
	if err == nil {
		t.Fatal("no fault found")
	}
	for _, want := range []string{"agents", "paze", "client", "class"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the report does not speak of %s:\n%v", want, err)
		}
	}
	if w, err := Parse("empty.yaml", []byte("{}")); err != nil || w.Client != SDK() {
		t.Errorf("an empty file: %+v, %v", w, err)
	}
}

func TestUsersWithoutPatienceLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rep := run(t, answering(time.Minute), Workload{Requests: 2, Patience: time.Second})
		if rep.Left != 2 || rep.Asked != 0 || rep.Cut != 0 {
			t.Errorf("left %d, asked %d, cut %d", rep.Left, rep.Asked, rep.Cut)
		}
	})
}
