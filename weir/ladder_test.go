package weir_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/condition"
	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// when reads a condition.
func when(t testing.TB, text string) weir.Condition {
	t.Helper()
	c, err := condition.Compile(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// always is the condition of a rung that is in force from the first call on.
const always = "headroom <= 1.0"

// recorder answers everything, and keeps the body that came last.
func recorder(last *atomic.Value) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		last.Store(string(raw))
		io.WriteString(w, answer)
	}
}

const heavy = `{"model":"claude-opus-5","max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":4096}, "odd" : 1.50,"messages":[{"role":"user","content":"hi"}]}`

func TestLadderMakesCallsSimpler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last atomic.Value
		h := newHouse(t, recorder(&last), weir.WithFallback("claude-opus-5", "claude-haiku-4-5"), weir.WithLadder(weir.Ladder{
			Rungs: []weir.Rung{
				{Do: call.Rung{Kind: call.RungEffort, Effort: "low"}, Enter: when(t, always)},
				{Do: call.Rung{Kind: call.RungThinking}, Enter: when(t, always)},
				{Do: call.Rung{Kind: call.RungMaxTokens, MaxTokens: 1000}, Enter: when(t, always), Classes: []call.Class{call.Normal, call.Batch}},
				{Do: call.Rung{Kind: call.RungModel}, Enter: when(t, `tenant == "small"`)},
				{Do: call.Rung{Kind: call.RungRefuse}, Enter: when(t, always)},
			},
			Tenants: []string{"core*"},
		}))
		for name, c := range map[string]struct {
			headers        []string
			status         int
			mark, contains string
		}{
			"all-of-them": {nil, 200, "effort+thinking+max_tokens; from=claude-opus-5", `"thinking":{"type":"disabled"}, "odd" : 1.50`},
			"another":     {[]string{"Weir-Tenant", "small"}, 200, "fallback+thinking+max_tokens; from=claude-opus-5", `"model":"claude-haiku-4-5","max_tokens":1000,`},
			"interactive": {[]string{"Weir-Class", "interactive"}, 200, "effort+thinking; from=claude-opus-5", `"max_tokens":9000`},
			"lowest":      {[]string{"Weir-Class", "batch"}, 429, "refuse; from=claude-opus-5", ""},
			"opted-out":   {[]string{"Weir-Class", "batch", "Weir-Degrade", "off"}, 200, "", heavy},
			"protected":   {[]string{"Weir-Tenant", "core-1"}, 200, "", heavy},
		} {
			last.Store("")
			resp, text := h.post(t, heavy, c.headers...)
			if resp.StatusCode != c.status || resp.Header.Get("Weir-Degraded") != c.mark || !strings.Contains(last.Load().(string), c.contains) {
				t.Errorf("%s: %s %q, sent %s: %s", name, resp.Status, resp.Header.Get("Weir-Degraded"), last.Load(), text)
			}
			if c.status == 429 && (resp.Header.Get("Retry-After") == "" || !strings.Contains(text, "degrade.refuse") || last.Load() != "") {
				t.Errorf("%s: refused as %v %s", name, resp.Header, text)
			}
		}
		page := scrape(t, h.gateway)
		for _, want := range []string{
			`weir_degraded_total{rung="effort"} 2`, `weir_degraded_total{rung="fallback"} 1`, `weir_degraded_total{rung="refuse"} 1`,
			`weir_degrade_level{class="normal"} 4`, `weir_degrade_in_force{rung="effort"} 3`, `weir_degrade_in_force{rung="refuse"} 1`, `weir_degrade_changes_total{rung="refuse"} 1`,
		} {
			if !strings.Contains(page, want) {
				t.Errorf("no %s", want)
			}
		}
	})
}

// TestLadderOnlyReports: a dry run changes nothing and counts.
func TestLadderOnlyReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last atomic.Value
		h := newHouse(t, recorder(&last), weir.WithLadder(weir.Ladder{DryRun: true, Rungs: []weir.Rung{
			{Do: call.Rung{Kind: call.RungMaxTokens, MaxTokens: 1000}, Enter: when(t, always)},
			{Do: call.Rung{Kind: call.RungRefuse}, Enter: when(t, always)},
		}}))
		resp, _ := h.post(t, heavy, "Weir-Class", "batch")
		if resp.StatusCode != 200 || resp.Header.Get("Weir-Degraded") != "" || last.Load() != heavy {
			t.Errorf("%s %v, sent %s", resp.Status, resp.Header, last.Load())
		}
		page := scrape(t, h.gateway)
		for _, want := range []string{`weir_degrade_dry_run_total{rung="max_tokens"} 1`, `weir_degrade_dry_run_total{rung="refuse"} 1`} {
			if !strings.Contains(page, want) {
				t.Errorf("no %s", want)
			}
		}
	})
}

// TestLadderTakesBack: a model refuses the effort that a rung has given it, and
// gets the call as it came.
func TestLadderTakesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent []string
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
			raw, _ := io.ReadAll(r.Body)
			sent = append(sent, string(raw))
			if strings.Contains(string(raw), "output_config") {
				w.WriteHeader(400)
				io.WriteString(w, `{"type":"error","error":{"type":"invalid_request_error","message":"output_config: no such field"}}`)
				return
			}
			io.WriteString(w, answer)
		}, weir.WithLadder(weir.Ladder{Rungs: []weir.Rung{{Do: call.Rung{Kind: call.RungEffort, Effort: "low"}, Enter: when(t, always)}}}))
		resp, text := h.post(t, strings.Replace(request, "claude-haiku-4-5", "some-model", 1))
		if resp.StatusCode != 200 || resp.Header.Get("Weir-Degraded") != "" || len(sent) != 2 || strings.Contains(sent[1], "effort") {
			t.Errorf("%s %q %s, sent %q", resp.Status, resp.Header.Get("Weir-Degraded"), text, sent)
		}
		if h.inFlight() != 0 {
			t.Errorf("%d permits were not settled", h.inFlight())
		}
	})
}

func TestFaultsOfLadders(t *testing.T) {
	for name, r := range map[string]weir.Rung{
		"kind":        {Do: call.Rung{Kind: "lift"}, Enter: when(t, always)},
		"never":       {Do: call.Rung{Kind: call.RungModel}},
		"no-number":   {Do: call.Rung{Kind: call.RungMaxTokens}, Enter: when(t, always)},
		"effort":      {Do: call.Rung{Kind: call.RungEffort, Effort: "least"}, Enter: when(t, always)},
		"interactive": {Do: call.Rung{Kind: call.RungRefuse}, Enter: when(t, always), Classes: []call.Class{call.Interactive}},
		"negative":    {Do: call.Rung{Kind: call.RungTrim, Turns: -1}, Enter: when(t, always)},
		"dwell":       {Do: call.Rung{Kind: call.RungModel}, Enter: when(t, always), Dwell: -time.Second},
		"pattern":     {Do: call.Rung{Kind: call.RungModel}, Enter: when(t, always), Tenants: []string{"team["}},
	} {
		if _, err := weir.New(weir.WithLadder(weir.Ladder{Rungs: []weir.Rung{r}})); err == nil {
			t.Errorf("%s: no fault", name)
		}
	}
	if _, err := weir.New(weir.WithLadder(weir.Ladder{Clients: []string{"core["}})); err == nil {
		t.Error("what is to be protected fits nothing, and that is no fault")
	}
}

// TestRungsComeFirst: marks for the prompt cache, the estimate and the money set
// aside are those of the request as it is sent.
func TestRungsComeFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, err := sim.New(sim.Config{})
		if err != nil {
			t.Fatal(err)
		}
		var last atomic.Value
		b := newLodge(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			raw, _ := io.ReadAll(r.Body)
			last.Store(string(raw))
			r.Body = io.NopCloser(bytes.NewReader(raw))
			api.ServeHTTP(w, r)
		}), weir.WithPromptCaching(weir.PromptCaching{}), weir.WithBudgets(weir.Budget{Name: "b", Limit: call.Dollar / 5, Period: "day"}),
			weir.WithLadder(weir.Ladder{Tenants: []string{"core"}, Rungs: []weir.Rung{
				{Do: call.Rung{Kind: call.RungTrim, Turns: 1}, Enter: when(t, always)},
				{Do: call.Rung{Kind: call.RungMaxTokens, MaxTokens: 10}, Enter: when(t, always)},
			}}))
		const turn = `{"role":"assistant","content":"yes"},{"role":"user","content":"%s"}`
		var body string
		for i := range 4 { // the money would do for none of them, if max_tokens were as asked
			body = `{"model":"claude-sonnet-5","max_tokens":20000,"system":"` + prose("Weir", 40) + `","messages":[{"role":"user","content":"hi"},` +
				fmt.Sprintf(turn, prose("Old", 100)) + "," + fmt.Sprintf(turn, fmt.Sprint("new ", i)) + `]}`
			e := asked(t, b, body)
			if e.Degraded.Rung != "trim+max_tokens" || i > 1 && e.Prompt.Marks == 0 || (e.Prompt.Marks > 0) != strings.Contains(last.Load().(string), "cache_control") {
				t.Errorf("%d: %s, %d marks, sent %.200s", i, e.Degraded, e.Prompt.Marks, last.Load())
			}
			used := e.Usage.Charged() + e.Usage.CacheRead
			if est := e.Estimate.Input + e.Estimate.Cached; used > 8000 || est < used/2 || est > 2*used {
				t.Errorf("%d: estimated at %d tokens, and used %d", i, est, used)
			}
		}
		if resp, _ := send(t, &http.Client{Transport: b.door}, newPost(t, "http://weir/v1/messages", body, "Weir-Tenant", "core")); resp.StatusCode != http.StatusTooManyRequests {
			t.Errorf("there is no money for the request as it came, and yet %s", resp.Status)
		}
	})
}
