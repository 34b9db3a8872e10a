package split_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/split"
)

// three is a request of three parts.
func three(more string, merge call.Merge) *call.Call {
	return wish(about(more, text("Go."), text(prose(6_000))), merge)
}

// TestUsage adds up all numbers of all requests, whatever they are called.
func TestUsage(t *testing.T) {
	d := &desk{window: 1_000}
	m := d.answer(t, split.Config{}, three("", call.MergeReduce), func(n int, q question) (int, string) {
		return 200, message("end_turn", `{"input_tokens":100,"output_tokens":2,"cache_read_input_tokens":7,"cache_creation":{"ephemeral_5m_input_tokens":3},
			"server_tool_use":{"web_search_requests":1},"service_tier":"standard","later":null}`, says("x"))
	})
	n := float64(len(d.asked)) // with the last one
	want := map[string]any{
		"input_tokens": 100 * n, "output_tokens": 2 * n, "cache_read_input_tokens": 7 * n,
		"cache_creation": map[string]any{"ephemeral_5m_input_tokens": 3 * n}, "server_tool_use": map[string]any{"web_search_requests": n},
		"service_tier": "standard", "later": nil,
	}
	if diff := cmp.Diff(want, m.Usage); diff != "" || n != 4 {
		t.Errorf("%v requests (-want +got)\n%s", n, diff)
	}
}

func TestStopReasons(t *testing.T) {
	for name, tc := range map[string]struct {
		stops []string // of the parts, in order
		want  string
		seq   any
	}{
		"all-end":   {[]string{"end_turn", "end_turn", "end_turn"}, "end_turn", nil},
		"cut-off":   {[]string{"end_turn", "max_tokens", "refusal"}, "max_tokens", nil},
		"refused":   {[]string{"refusal", "end_turn", "end_turn"}, "refusal", nil},
		"sequence":  {[]string{"end_turn", "stop_sequence", "end_turn"}, "stop_sequence", "END"},
		"last-only": {[]string{"end_turn", "end_turn", "stop_sequence"}, "stop_sequence", "END"},
	} {
		t.Run(name, func(t *testing.T) {
			d := &desk{window: 1_000}
			m := d.answer(t, split.Config{Parallel: 1}, three("", call.MergeConcat), func(n int, _ question) (int, string) {
				body := message(tc.stops[n-1], usage, says("x"))
				if tc.stops[n-1] == "stop_sequence" {
					body = strings.Replace(body, `"stop_sequence":null`, `"stop_sequence":"END"`, 1)
				}
				return 200, body
			})
			if m.StopReason != tc.want || m.StopSequence != tc.seq {
				t.Errorf("stopped for %s, %v", m.StopReason, m.StopSequence)
			}
		})
	}
}

const thought = `{"type":"thinking","thinking":"Hm.","signature":"s"}`

// TestContents merges answers with thoughts and citations.
func TestContents(t *testing.T) {
	cited := `{"type":"text","text":"Cited.","citations":[{"type":"char_location","start_char_index":3}]}`
	kinds := func(m merged) (out []string) {
		for _, b := range m.Content {
			out = append(out, fmt.Sprint(b["type"], b["citations"]))
		}
		return out
	}
	for _, tc := range []struct {
		merge call.Merge
		want  []string
	}{
		{call.MergeConcat, []string{"text<nil>"}},
		{call.MergeList, []string{"thinking<nil>", "text<nil>", "thinking<nil>", "text<nil>", "thinking<nil>", "text<nil>"}},
		{call.MergeReduce, []string{"thinking<nil>", "text<nil>"}},
	} {
		d, c := &desk{window: 1_000}, three("", tc.merge)
		m := d.answer(t, split.Config{Parallel: 1}, c, func(int, question) (int, string) { return 200, message("end_turn", usage, thought, cited) })
		if diff := cmp.Diff(tc.want, kinds(m)); diff != "" {
			t.Errorf("merge %d (-want +got)\n%s", tc.merge, diff)
		}
		if tc.merge == call.MergeConcat && m.Content[0]["text"] != "Cited.\n\nCited.\n\nCited." {
			t.Errorf("text %q", m.Content[0]["text"])
		}
		if named := len(m.Weir.Parts); named != map[bool]int{true: 3}[tc.merge == call.MergeList] {
			t.Errorf("merge %d names %d parts", tc.merge, named)
		}
		for i, p := range m.Weir.Parts {
			if p.Blocks != 2 || p.ID != fmt.Sprint("part_", i) || p.Stop != "end_turn" {
				t.Errorf("part %+v", p)
			}
		}
	}
}

// TestRounds reduces in several rounds: no step may show more than a part has
// room for.
func TestRounds(t *testing.T) {
	d, c := &desk{window: 1_000}, wish(about("", text("Go."), text(prose(30_000))), call.MergeReduce)
	rounds := 0
	m := d.answer(t, split.Config{Parallel: 4}, c, func(n int, q question) (int, string) {
		if strings.Contains(q.Messages[0].Content[1].Text, "answered alone") {
			rounds++
			if size := len(q.Messages[0].Content[1].Text); size > 3_300 {
				t.Errorf("a step has %d bytes", size)
			}
		}
		return 200, message("end_turn", usage, says(prose(900)))
	})
	done, total := c.Progress.State()
	if rounds < 4 || len(m.Content) != 1 || int(total) != len(d.asked) || done != total || c.Progress.Parts() != c.Parts {
		t.Errorf("%d steps, %d blocks, %d/%d of %d", rounds, len(m.Content), done, total, len(d.asked))
	}
}

// TestGivesUpReducing keeps answers that are too long to be put beside another.
func TestGivesUpReducing(t *testing.T) {
	for more, blocks := range map[string]int{"": 1, `"output_config":{"format":{"type":"json_schema"}},`: 3} {
		d := &desk{window: 1_000}
		m := d.answer(t, split.Config{}, three(more, call.MergeReduce), func(int, question) (int, string) {
			return 200, message("end_turn", usage, says(prose(5_000)))
		})
		if len(d.asked) != 3 || len(m.Content) != blocks {
			t.Errorf("%q: %d requests, %d blocks", more, len(d.asked), len(m.Content))
		}
	}
}

// TestForms refuses to put answers one behind the other that programs read.
func TestForms(t *testing.T) {
	for more, refused := range map[string]bool{
		`"output_config":{"format":{"type":"json_schema"}},`: true, `"output_format":{"type":"json_schema"},`: true,
		`"output_config":{"effort":"low","format":null},`: false,
	} {
		d := &desk{window: 1_000}
		_, err := d.room(split.Config{}).Answer(t.Context(), three(more, call.MergeConcat), d.ask(t, well))
		if no, ok := err.(*call.Refusal); ok != refused || ok && (no.Reason != call.Malformed || len(d.asked) > 0) {
			t.Errorf("%s: %v", more, err)
		}
		if m := (&desk{window: 1_000}).answer(t, split.Config{}, three(more, call.MergeList), well); len(m.Content) != 3 {
			t.Errorf("%s: a list of %d", more, len(m.Content))
		}
	}
}

// TestStream answers with the stream of the one message.
func TestStream(t *testing.T) {
	d, c := &desk{window: 1_000}, three(`"stream":true,`, call.MergeList)
	c.Stream = true
	resp, err := d.room(split.Config{Parallel: 1}).Answer(t.Context(), c, d.ask(t, well))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := io.ReadAll(resp.Body)
	for _, want := range []string{": weir-split: 3\n", "event: message_start\n", "answer 3", `"input_tokens":30`, "event: message_stop\n"} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("no %q in %s", want, raw)
		}
	}
	if resp.Header.Get("Request-Id") != "req_3" || resp.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
		t.Errorf("header %v", resp.Header)
	}
	if want := "whole 200 ok "; len(d.booked) != 1 || d.booked[0] != want {
		t.Errorf("booked %q", d.booked)
	}
}

// TestMarksOfParts carries what happened to any part over to the whole.
func TestMarksOfParts(t *testing.T) {
	d, c := &desk{window: 1_000}, three("", call.MergeConcat)
	ask := d.ask(t, well)
	resp, err := d.room(split.Config{Parallel: 1}).Answer(t.Context(), c, func(ctx context.Context, p *call.Call) (*http.Response, error) {
		r, err := ask(ctx, p)
		if p.Cached = call.CacheHit; len(d.asked) == 2 {
			p.Degrade("fallback")
		}
		return r, err
	})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if c.Attempts != 3 || c.Cached != call.CacheHit || c.Degraded.String() != "fallback; from=m" {
		t.Errorf("%d attempts, cache %s, degraded %q", c.Attempts, c.Cached, c.Degraded)
	}
}
