package weir_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// edges is an upstream that fails as told before the simulator answers, and
// keeps what came last.
type edges struct {
	api      http.Handler
	overload int           // so many calls of the model first asked meet a 529
	broken   int           // so many calls meet a 500
	knowsNo  bool          // a request with an effort is refused with 400
	slow     time.Duration // before each answer

	last []byte
}

func (e *edges) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	e.last = raw
	time.Sleep(e.slow)
	fail := func(status int, kind string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"type":"error","error":{"type":%q,"message":"no"}}`, kind)
	}
	switch {
	case e.overload > 0 && bytes.Contains(raw, []byte(`"claude-opus-5"`)):
		e.overload--
		fail(529, "overloaded_error")
	case e.broken > 0:
		e.broken--
		fail(500, "api_error")
	case e.knowsNo && bytes.Contains(raw, []byte(`"effort"`)):
		fail(400, "invalid_request_error")
	default:
		r.Body = io.NopCloser(bytes.NewReader(raw))
		e.api.ServeHTTP(w, r)
	}
}

const (
	pixel = `iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==`
	full  = `{"model":"claude-opus-5","max_tokens":8000, "thinking":{"type":"enabled","budget_tokens":2048},"messages":[` +
		`{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + pixel + `"}},{"type":"text","text":"?"}]},` +
		`{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"t","input":{}}]},` +
		`{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"1"}]},` +
		`{"role":"assistant","content":"2"},{"role":"user","content":"3"},{"role":"assistant","content":"4"},{"role":"user","content":"5"}]` +
		`,"tools":[{"name":"t","input_schema":{"type":"object"}}]}`
)

// differences names the rungs that have made sent of came, by what differs. Of
// what no rung edits, nothing may.
func differences(t *testing.T, came, sent []byte) []string {
	t.Helper()
	if bytes.Equal(came, sent) {
		return nil
	}
	var was, is map[string]any
	if err := json.Unmarshal(came, &was); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(sent, &is); err != nil {
		t.Fatalf("%s: %v", sent, err)
	}
	var rungs []string
	for name, rung := range map[string]call.RungKind{"model": call.RungModel, "output_config": call.RungEffort, "thinking": call.RungThinking, "max_tokens": call.RungMaxTokens} {
		if !reflect.DeepEqual(was[name], is[name]) {
			rungs = append(rungs, string(rung))
		}
	}
	if len(was["messages"].([]any)) != len(is["messages"].([]any)) {
		rungs = append(rungs, string(call.RungTrim))
	}
	if bytes.Contains(sent, []byte("[image left out]")) {
		rungs = append(rungs, string(call.RungImages))
	}
	for _, edited := range []string{"model", "output_config", "thinking", "max_tokens", "messages"} {
		delete(was, edited)
		delete(is, edited)
	}
	if !reflect.DeepEqual(was, is) || len(rungs) == 0 {
		t.Errorf("something else has changed: %s became %s", came, sent)
	}
	slices.Sort(rungs)
	return rungs
}

// marked is the mark of an answer, wherever it stands: in the header, or in a
// comment before the first event of a stream whose header was already out.
func marked(t *testing.T, resp *http.Response, body string) string {
	t.Helper()
	header, held := resp.Header.Get("Weir-Degraded"), false
	for rest, ok := strings.CutPrefix(body, ping); ok; rest, ok = strings.CutPrefix(body, ping) {
		body, held = rest, true
	}
	comment := ""
	if rest, ok := strings.CutPrefix(body, ": weir-degraded: "); ok {
		comment, body, _ = strings.Cut(rest, "\n\n")
	}
	if !held && comment != "" || held && header != "" || strings.Contains(body, "weir-degraded") {
		t.Errorf("marked in the wrong place: header %q, comment %q, %s", header, comment, body)
	}
	return header + comment
}

// TestMarks holds all marks to what the upstream got, over random rungs,
// failures and ways to ask: an answer is marked if and only if its request was
// changed, and the mark, like the event, names exactly what has changed it.
func TestMarks(t *testing.T) {
	kinds := map[string]int{}
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) { kinds[oneMark(t, rand.New(rand.NewPCG(seed, 7)))]++ })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%d different marks: %v", len(kinds), kinds)
	if len(kinds) < 20 || kinds[""] == 0 || kinds["fallback"] == 0 {
		t.Errorf("too few kinds of marks are tried")
	}
}

// oneMark tries one random call and returns which rungs changed it.
func oneMark(t *testing.T, r *rand.Rand) string {
	rungs := []call.Rung{
		{Kind: call.RungEffort, Effort: "low"}, {Kind: call.RungThinking}, {Kind: call.RungMaxTokens, MaxTokens: 3000},
		{Kind: call.RungTrim, Turns: 1}, {Kind: call.RungImages}, {Kind: call.RungModel},
	}
	plan := weir.Ladder{Tenants: []string{"core"}, DryRun: r.IntN(8) == 0}
	for _, do := range rungs {
		if r.IntN(2) == 0 {
			plan.Rungs = append(plan.Rungs, weir.Rung{Do: do, Enter: when(t, always)})
		}
	}
	api, err := sim.New(sim.Config{Limits: sim.Limits{Requests: 1000, InputTokens: 1_000_000, OutputTokens: 200_000}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	upstream := &edges{api: api, overload: r.IntN(4), broken: r.IntN(3), knowsNo: r.IntN(3) == 0}
	if r.IntN(2) == 0 {
		upstream.slow = 7 * time.Second
	}
	opts := []weir.Option{weir.WithLadder(plan)}
	if r.IntN(3) > 0 {
		opts = append(opts, weir.WithFallback("claude-opus-5", []string{"claude-haiku-4-5", "claude-opus-4-6"}[r.IntN(2)]))
	}
	h := newHouse(t, upstream.ServeHTTP, opts...)

	body, stream := full, r.IntN(2) == 0
	if r.IntN(3) == 0 {
		body = request // little to edit
	}
	if stream {
		body = strings.Replace(body, "{", `{"stream":true,`, 1)
	}
	headers, off := []string{"Anthropic-Version", "2023-06-01"}, false
	untouched := plan.DryRun
	switch r.IntN(6) {
	case 0:
		headers, off = append(headers, "Weir-Degrade", "off"), true
	case 1:
		headers, untouched = append(headers, "Weir-Tenant", "core"), true
	}
	resp, text := h.post(t, body, headers...)
	mark := marked(t, resp, text)
	changed := differences(t, []byte(body), upstream.last)
	event := h.journal.list[len(h.journal.list)-1]
	named, from, _ := strings.Cut(mark, "; from=")
	var names []string
	if named != "" {
		names = slices.Sorted(strings.SplitSeq(named, "+"))
	}
	wantFrom := ""
	if len(changed) > 0 {
		json.Unmarshal([]byte(body), &struct{ Model *string }{&wantFrom})
	}
	if !slices.Equal(names, changed) || from != wantFrom || event.Degraded.String() != mark {
		t.Errorf("marked %q, event %q, changed by %v: plan %+v, stream %v, upstream %+v, sent %s: %s %.300s",
			mark, event.Degraded, changed, plan, stream, upstream, upstream.last, resp.Status, text)
	}
	if off && changed != nil || untouched && slices.ContainsFunc(changed, func(s string) bool { return s != "fallback" }) {
		t.Errorf("touched by %v though it must not be", changed)
	}
	return strings.Join(changed, "+")
}

// TestSplitsAreMarked: an answer that was put together bears the marks of its
// parts.
func TestSplitsAreMarked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told journal
		b := newLodge(t, newAPI(t, sim.Limits{Requests: 1000, InputTokens: 400_000, OutputTokens: 80_000}), weir.WithObserver(&told),
			weir.WithLadder(weir.Ladder{Rungs: []weir.Rung{{Do: call.Rung{Kind: call.RungMaxTokens, MaxTokens: 50}, Enter: when(t, always)}}}))
		for _, more := range []string{"", `"stream":true,`} {
			resp, body := b.split(t.Context(), t, summary(book(300_000), more), "auto; merge=concat")
			mark := resp.Header.Get("Weir-Degraded")
			if _, comment, found := strings.Cut(body, ": weir-degraded: "); found {
				mark += strings.SplitN(comment, "\n", 2)[0]
			}
			if last := told.list[len(told.list)-1]; !strings.HasPrefix(mark, "max_tokens; from=claude-") || last.Degraded.String() != mark {
				t.Errorf("marked %q, event %q, %d %.300s", mark, last.Degraded, resp.StatusCode, body)
			}
		}
	})
}

// TestFailuresAreMarkedLate: a stream that has begun says what was done even
// where it ends with an error, and the caller's word for the model cannot be
// mistaken for events.
func TestFailuresAreMarkedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(7 * time.Second)
			w.WriteHeader(500)
			io.WriteString(w, `{"type":"error","error":{"type":"api_error","message":"no"}}`)
		}, weir.WithoutRetries(), weir.WithLadder(weir.Ladder{Rungs: []weir.Rung{{Do: call.Rung{Kind: call.RungMaxTokens, MaxTokens: 5}, Enter: when(t, always)}}}))
		_, body := h.post(t, strings.Replace(streamed, "claude-haiku-4-5", `a\n\nevent: x`, 1))
		if want := ping + ": weir-degraded: max_tokens; from=a event: x\n\nevent: error\n"; !strings.HasPrefix(body, want) {
			t.Errorf("got %q, want %q", body, want)
		}
	})
}
