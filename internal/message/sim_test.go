package message_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-gateway/weir/internal/message"
	"github.com/weir-gateway/weir/internal/sse"
	"github.com/weir-gateway/weir/sim"
)

// ask sends body to a simulator that has answered nothing yet: the same seed
// gives the same answer, streamed or not.
func ask(t *testing.T, body string) []byte {
	t.Helper()
	server, err := sim.New(sim.Config{Seed: 7, Timing: sim.Timing{Output: sim.Output{Median: 900}}})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/v1/messages", strings.NewReader(body))
	r.Header.Set("x-api-key", "sk-test")
	r.Header.Set("anthropic-version", "2023-06-01")
	w := httptest.NewRecorder()
	server.ServeHTTP(w, r)
	out, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("status %d, %v: %s", w.Code, err, out)
	}
	return out
}

func TestStreamedAndNotAreTheSame(t *testing.T) {
	tool := `"tools":[{"name":"look","description":"d","input_schema":{"type":"object","properties":{"q":{"type":"string"}}}}],"tool_choice":{"type":"any"},`
	for name, more := range map[string]string{
		"text":       ``,
		"thinking":   `"thinking":{"type":"enabled","budget_tokens":2000},`,
		"tool":       tool,
		"max_tokens": `"stop_sequences":["x"],`,
	} {
		t.Run(name, func(t *testing.T) {
			body := `{` + more + `"model":"claude-sonnet-5-5","max_tokens":4000,"messages":[{"role":"user","content":"hi 漢"}]`
			stream, want := ask(t, body+`,"stream":true}`), ask(t, body+`}`)
			var a message.Assembler
			var scan sse.Scanner
			scan.Feed(stream, func(e sse.Event) {
				if err := a.Add(e.Name, e.Data); err != nil {
					t.Error(err)
				}
			})
			got, err := a.Message()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(decode(t, want), decode(t, got)); diff != "" {
				t.Errorf("-not streamed +streamed\n%s", diff)
			}
			if diff := cmp.Diff(decode(t, want), decode(t, thereAndBack(t, want))); diff != "" {
				t.Errorf("played: -want +got\n%s", diff)
			}
		})
	}
}

// long is a message with 64 KB of text.
func long() []byte {
	return []byte(`{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"` +
		strings.Repeat(`Some words, a \"quote\" and 漢字.\n`, 2000) + `"}],"stop_reason":"end_turn","stop_sequence":null,` +
		`"usage":{"input_tokens":1,"output_tokens":16000}}`)
}

func BenchmarkEvents(b *testing.B) {
	raw := long()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := message.Events(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAssembler(b *testing.B) {
	events, err := message.Events(long())
	if err != nil {
		b.Fatal(err)
	}
	small := bytes.Repeat([]byte("x"), 20) // as the API cuts: a few tokens an event
	delta := []byte(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"` + string(small) + `"}}`)
	b.SetBytes(int64(4000 * len(delta)))
	b.ReportAllocs()
	for b.Loop() {
		var a message.Assembler
		for _, e := range events[:2] {
			if err := a.Add(e.Name, e.Data); err != nil {
				b.Fatal(err)
			}
		}
		for range 4000 {
			if err := a.Add("content_block_delta", delta); err != nil {
				b.Fatal(err)
			}
		}
		for _, e := range events[len(events)-2:] {
			if err := a.Add(e.Name, e.Data); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := a.Message(); err != nil {
			b.Fatal(err)
		}
	}
}

// TestDeltasAreCheap holds the budget of what a stream has most of.
func TestDeltasAreCheap(t *testing.T) {
	events, err := message.Events(long())
	if err != nil {
		t.Fatal(err)
	}
	var a message.Assembler
	for _, e := range events[:2] {
		if err := a.Add(e.Name, e.Data); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(1000, func() {
		if err := a.Add("content_block_delta", events[2].Data); err != nil {
			t.Error(err)
		}
	}); n > 4 {
		t.Errorf("%v allocations for a delta", n)
	}
}
