package sim_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/weir-gateway/weir/sim"
)

func TestMessage(t *testing.T) {
	inBubble(t, sim.Config{}, func(b *bench) {
		r := b.message("Hello, who are you?", "x-sim-output-tokens", "25")
		a := r.answer(b.T)
		if a.Type != "message" || a.Role != "assistant" || a.Model != "claude-sonnet-5-5" || a.Stop != "end_turn" ||
			!strings.HasPrefix(a.ID, "msg_") || len(a.Content) != 1 || a.Content[0].Text == "" {
			t.Errorf("the answer is %s", r.body)
		}
		if a.Usage.Output != 25 || a.Usage.Input < 8 || a.Usage.Input > 20 {
			t.Errorf("the usage is %+v, want 25 tokens out and about 13 in", a.Usage)
		}
		for _, name := range []string{"request-id", "anthropic-organization-id", "anthropic-workspace-id", "date"} {
			if r.Header.Get(name) == "" {
				t.Errorf("header %s is missing", name)
			}
		}
		if r.Header.Get("x-should-retry") != "" || r.Header.Get("retry-after") != "" {
			t.Error("an answer carries hints for a retry")
		}
	})
}

func TestRateLimitHeadersAreTheRecordedOnes(t *testing.T) {
	inBubble(t, sim.Config{}, func(b *bench) {
		var got []string
		for name := range b.message("hi").Header {
			if strings.HasPrefix(name, "Anthropic-Ratelimit-") {
				got = append(got, name)
			}
		}
		if len(got) != 12 {
			t.Errorf("the headers are %v, want limit, remaining and reset of four groups", got)
		}
	})
}

func TestMaxTokensAndStopSequences(t *testing.T) {
	inBubble(t, sim.Config{}, func(b *bench) {
		a := b.ask("POST", "/v1/messages", messageBody("hi", `,"max_tokens":7`)).answer(b.T)
		if a.Stop != "max_tokens" || a.Usage.Output != 7 {
			t.Errorf("max_tokens 7: stop %s after %d tokens", a.Stop, a.Usage.Output)
		}
		a = b.ask("POST", "/v1/messages", messageBody("hi", `,"stop_sequences":["zzz","the water"]`),
			"x-sim-output-tokens", "500").answer(b.T)
		if a.Stop != "stop_sequence" || a.Seq != "the water" || a.Usage.Output >= 500 || strings.Contains(a.Content[0].Text, a.Seq) {
			t.Errorf("stop sequence: %s %q after %d tokens: %q", a.Stop, a.Seq, a.Usage.Output, a.Content[0].Text)
		}
		a = b.ask("POST", "/v1/messages", messageBody("hi", `,"max_tokens":0`)).answer(b.T)
		if a.Usage.Output != 0 || len(a.Content) != 0 {
			t.Errorf("warming the cache said %+v", a.Content)
		}
	})
}

const weather = `,"tools":[{"name":"get_weather","input_schema":{"type":"object","properties":` +
	`{"city":{"type":"string"},"days":{"type":"integer"},"unit":{"enum":["C","F"]},"tags":{"type":"array","items":{"type":"boolean"}}}}}]`

func TestToolUse(t *testing.T) {
	for _, tc := range []struct {
		name, text, choice string
		kinds              []string
	}{
		{"forced-any", "hi", `,"tool_choice":{"type":"any"}`, []string{"tool_use"}},
		{"forced-one", "hi", `,"tool_choice":{"type":"tool","name":"get_weather"}`, []string{"tool_use"}},
		{"mentioned", "call get_weather for Paris", ``, []string{"text", "tool_use"}},
		{"not-mentioned", "hi", ``, []string{"text"}},
		{"forbidden", "call get_weather", `,"tool_choice":{"type":"none"}`, []string{"text"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, sim.Config{}, func(b *bench) {
				a := b.ask("POST", "/v1/messages", messageBody(tc.text, weather+tc.choice)).answer(b.T)
				var kinds []string
				for _, c := range a.Content {
					kinds = append(kinds, c.Type)
					if c.Type == "tool_use" {
						checkCall(t, c.Name, c.ID, c.Input)
					}
				}
				if diff := cmp.Diff(tc.kinds, kinds); diff != "" {
					t.Errorf("blocks (-want +got):\n%s", diff)
				}
				if wantsTool := tc.kinds[len(tc.kinds)-1] == "tool_use"; wantsTool != (a.Stop == "tool_use") {
					t.Errorf("stop reason is %s", a.Stop)
				}
			})
		})
	}
}

func checkCall(t *testing.T, name, id string, raw json.RawMessage) {
	t.Helper()
	var in struct {
		City *string
		Days *int
		Unit string
		Tags []bool
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		t.Fatal(err)
	}
	if name != "get_weather" || !strings.HasPrefix(id, "toolu_") || in.City == nil || in.Days == nil || len(in.Tags) != 1 ||
		in.Unit != "C" && in.Unit != "F" {
		t.Errorf("call %s of %s with %s does not fit the schema", id, name, raw)
	}
}

func TestStructuredOutput(t *testing.T) {
	inBubble(t, sim.Config{}, func(b *bench) {
		a := b.ask("POST", "/v1/messages", messageBody("hi", `,"output_config":{"format":{"type":"json_schema","schema":`+
			`{"type":"object","properties":{"ok":{"type":"boolean"}}}}}`)).answer(b.T)
		var got map[string]bool
		if err := json.Unmarshal([]byte(a.Content[0].Text), &got); err != nil || len(got) != 1 {
			t.Errorf("the text %q does not fit the schema (%v)", a.Content[0].Text, err)
		}
	})
}

func TestStream(t *testing.T) {
	inBubble(t, sim.Config{}, func(b *bench) {
		r := b.ask("POST", "/v1/messages", messageBody("call get_weather", weather+`,"stream":true,"max_tokens":4000,`+
			`"thinking":{"type":"enabled","budget_tokens":1024}`), "x-sim-output-tokens", "300")
		events := r.events(b.T)
		block := "content_block_start content_block_delta content_block_stop "
		want := "message_start content_block_start ping content_block_delta content_block_stop " + block + block +
			"message_delta message_stop"
		if got := names(events); got != want {
			t.Errorf("events are\n%s, want\n%s", got, want)
		}
		if got := r.Header.Get("content-type"); got != "text/event-stream; charset=utf-8" {
			t.Errorf("content type is %q", got)
		}
		var input, signature string
		for _, e := range events {
			if e.name != e.data.Type {
				t.Errorf("event %s has data of type %s", e.name, e.data.Type)
			}
			input += e.data.Delta.Partial
			signature += e.data.Delta.Signature
		}
		if !json.Valid([]byte(input)) || signature == "" {
			t.Errorf("the tool's input is %q, the signature %q", input, signature)
		}
		first, last := events[0].data.Message, events[len(events)-2].data
		if first.Usage.Input == 0 || first.Usage.Output != 1 || len(first.Content) != 0 || first.Stop != "" {
			t.Errorf("message_start carries %+v", first)
		}
		if last.Usage.Output != 300 || last.Usage.Input != first.Usage.Input || last.Delta.Stop != "tool_use" ||
			last.Usage.Details.Thinking != 100 {
			t.Errorf("message_delta carries %+v, want the sums of the whole answer", last)
		}
	})
}

func TestStreamAndJSONSayTheSame(t *testing.T) {
	var whole, streamed string
	inBubble(t, sim.Config{Seed: 3}, func(b *bench) {
		whole = b.message("hi").answer(b.T).Content[0].Text
	})
	inBubble(t, sim.Config{Seed: 3}, func(b *bench) {
		for _, e := range b.ask("POST", "/v1/messages", messageBody("hi", `,"stream":true`)).events(b.T) {
			streamed += e.data.Delta.Text
		}
	})
	if streamed != whole || whole == "" {
		t.Errorf("streamed %q, whole %q", streamed, whole)
	}
}

func TestStreamIsPaced(t *testing.T) {
	c := sim.Config{Timing: sim.Timing{TTFT: 2 * time.Second, TokensPerSecond: 50}}
	inBubble(t, c, func(b *bench) {
		r := b.ask("POST", "/v1/messages", messageBody("hi", `,"stream":true`), "x-sim-output-tokens", "500")
		if r.took != 12*time.Second {
			t.Errorf("500 tokens at 50/s took %v, want 2 s + 10 s", r.took)
		}
		// 75 ms are three tokens at that speed.
		if n := len(r.events(b.T)); n < 500/3 || n > 500/3+10 {
			t.Errorf("%d events, want one per three tokens", n)
		}
		if r = b.message("hi", "x-sim-output-tokens", "100", "x-sim-ttft", "5s"); r.took != 7*time.Second {
			t.Errorf("steered by its headers it took %v, want 5 s + 2 s", r.took)
		}
	})
}

func TestSpeed(t *testing.T) {
	c := sim.Config{Speed: 60, Timing: sim.Timing{TTFT: time.Minute}, Limits: sim.Limits{Requests: 2}}
	inBubble(t, c, func(b *bench) {
		date := b.srv.Now()
		if r := b.message("hi"); r.took != time.Second {
			t.Errorf("a minute at 60 times the speed took %v, want 1 s", r.took)
		}
		if got := b.srv.Now().Sub(date); got != time.Minute {
			t.Errorf("the server's clock went on by %v, want a minute", got)
		}
		if r := b.message("hi"); r.StatusCode != 200 || r.remaining(t, "requests") != 1 {
			t.Errorf("after a minute of the server's time there is no request left: %s", r.body)
		}
	})
}

func TestVersionsAndKeys(t *testing.T) {
	inBubble(t, sim.Config{}, func(b *bench) {
		for _, tc := range []struct {
			name    string
			headers []string
			status  int
			want    string
		}{
			{"newer", []string{"anthropic-version", "2026-10-21"}, 200, ""},
			{"bearer", []string{"x-api-key", "", "authorization", "Bearer sk-ant-x"}, 200, ""},
			{"no-version", []string{"anthropic-version", ""}, 400, "anthropic-version: header is required"},
			{"odd-version", []string{"anthropic-version", "2024-01-01"}, 400, `"2024-01-01" is not a valid version`},
			{"no-key", []string{"x-api-key", ""}, 401, "x-api-key header is required"},
			{"bad-key", []string{"x-api-key", "sk-ant-invalid"}, 401, "invalid x-api-key"},
		} {
			r := b.message("hi", tc.headers...)
			if r.StatusCode != tc.status {
				t.Errorf("%s: status %d, want %d", tc.name, r.StatusCode, tc.status)
			}
			if tc.status == 200 {
				continue
			}
			if e := r.error(b.T); !strings.Contains(e.Error.Message, tc.want) || r.Header.Get("x-should-retry") != "false" {
				t.Errorf("%s: %q, x-should-retry %q", tc.name, e.Error.Message, r.Header.Get("x-should-retry"))
			}
			if r.Header.Get("anthropic-ratelimit-requests-limit") != "" {
				t.Errorf("%s: an error has rate-limit headers", tc.name)
			}
			if known := r.Header.Get("anthropic-organization-id") != ""; known != (tc.status != 401) {
				t.Errorf("%s: organization known is %v", tc.name, known)
			}
		}
	})
}

func TestOddRequests(t *testing.T) {
	inBubble(t, sim.Config{}, func(b *bench) {
		for _, tc := range []struct {
			name, method, path, body string
			status                   int
			kind                     string
		}{
			{"unknown-path", "GET", "/v1/elsewhere", "", 404, "not_found_error"},
			{"wrong-method", "GET", "/v1/messages", "", 404, "not_found_error"},
			{"unknown-model", "POST", "/v1/messages", `{"model":"gpt-4","max_tokens":1,"messages":[]}`, 404, "not_found_error"},
			{"malformed", "POST", "/v1/messages", `{`, 400, "invalid_request_error"},
			{"too-large", "POST", "/v1/messages", strings.Repeat(" ", 33<<20), 413, "request_too_large"},
			{"odd-encoding", "POST", "/v1/messages", `{}`, 400, "invalid_request_error"},
		} {
			var headers []string
			if tc.name == "odd-encoding" {
				headers = []string{"content-encoding", "br"}
			}
			r := b.ask(tc.method, tc.path, tc.body, headers...)
			if e := r.error(b.T); r.StatusCode != tc.status || e.Error.Type != tc.kind {
				t.Errorf("%s: %d %s, want %d %s", tc.name, r.StatusCode, e.Error.Type, tc.status, tc.kind)
			}
		}
	})
}
