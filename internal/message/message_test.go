package message_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-gateway/weir/internal/message"
)

// assemble feeds a stream in the form "name data", one event a line.
func assemble(lines string) (string, error) {
	var a message.Assembler
	for line := range strings.Lines(lines) {
		name, data, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "" {
			continue
		}
		if err := a.Add(name, []byte(data)); err != nil {
			return "", err
		}
	}
	out, err := a.Message()
	return string(out), err
}

const begin = `message_start {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"cache_read_input_tokens":3,"output_tokens":1,"service_tier":"standard"}}}
`

const finish = `
message_delta {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":15,"cache_read_input_tokens":null}}
message_stop {"type":"message_stop"}
`

func TestAssemble(t *testing.T) {
	for name, tc := range map[string]struct{ in, content string }{
		"text": {`content_block_start {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}
ping {"type": "ping"}
content_block_delta {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel\u006co"}}
content_block_delta {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":", \ud83d"}}
content_block_delta {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\ude00"}}
content_block_stop {"type":"content_block_stop","index":0}`, `[{"type":"text","text":"Hel\u006co, \ud83d\ude00"}]`},
		"thinking": {`content_block_start {"index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}
content_block_delta {"index":0,"delta":{"type":"thinking_delta","thinking":"a"}}
content_block_delta {"index":0,"delta":{"type":"thinking_delta","thinking":"b"}}
content_block_delta {"index":0,"delta":{"type":"signature_delta","signature":"EqQB"}}`,
			`[{"type":"thinking","thinking":"ab","signature":"EqQB"}]`},
		"tool": {`content_block_start {"index":0,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":{}}}
content_block_delta {"index":0,"delta":{"type":"input_json_delta","partial_json":""}}
content_block_delta {"index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a\": [1,"}}
content_block_delta {"index":0,"delta":{"type":"input_json_delta","partial_json":" 2.50]}"}}`,
			`[{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":[1,2.50]}}]`},
		"tool-without-input": {`content_block_start {"index":0,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":{}}}
content_block_delta {"index":0,"delta":{"type":"input_json_delta","partial_json":""}}`,
			`[{"type":"tool_use","id":"toolu_1","name":"f","input":{}}]`},
		"tool-cut-off": {`content_block_start {"index":0,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":{}}}
content_block_delta {"index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a\":{\"b\":[true,{\"c\":1,\"d\":\"unfin"}}`,
			`[{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":{"b":[true,{"c":1}]}}}]`},
		"server-tool": {`content_block_start {"index":0,"content_block":{"type":"server_tool_use","id":"s","name":"web_search","input":{}}}
content_block_delta {"index":0,"delta":{"type":"input_json_delta","partial_json":"{\"query\":\"x\"}"}}
content_block_start {"index":1,"content_block":{"type":"web_search_tool_result","tool_use_id":"s","content":[{"type":"web_search_result","url":"u"}]}}
content_block_start {"index":2,"content_block":{"type":"text","text":"","citations":[]}}
content_block_delta {"index":2,"delta":{"type":"citations_delta","citation":{"type":"web_search_result_location","url":"u"}}}
content_block_delta {"index":2,"delta":{"type":"text_delta","text":"So."}}
content_block_delta {"index":2,"delta":{"type":"citations_delta","citation":{"type":"page_location","n":[ 1 ]}}}`,
			`[{"type":"server_tool_use","id":"s","name":"web_search","input":{"query":"x"}},{"type":"web_search_tool_result","tool_use_id":"s","content":[{"type":"web_search_result","url":"u"}]},{"type":"text","text":"So.","citations":[{"type":"web_search_result_location","url":"u"},{"type":"page_location","n":[1]}]}]`},
		"unknown": {`brand_new {"type":"brand_new","index":9}
content_block_start {"index":0,"content_block":{"type":"compaction","content":null,"x":{"y":1}}}
content_block_delta {"index":0,"delta":{"type":"compaction_delta","content":"sum"}}
content_block_delta {"index":0,"delta":{"type":"compaction_delta","content":"mary","also":[1]}}`,
			`[{"type":"compaction","content":"summary","x":{"y":1},"also":[1]}]`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := assemble(begin + tc.in + finish)
			want := `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":` + tc.content +
				`,"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":25,"cache_read_input_tokens":3,"output_tokens":15,"service_tier":"standard"}}`
			if err != nil || got != want {
				t.Errorf("got %s, %v\nwant %s", got, err, want)
			}
		})
	}
}

func TestTheEndTellsMore(t *testing.T) {
	got, err := assemble(begin + `message_delta {"type":"message_delta","delta":{"stop_reason":"refusal","stop_details":{"x":1},"container":{"id":"c"}},"usage":{"output_tokens":2},"context_management":{"applied_edits":[]}}
message_delta {"type":"message_delta","delta":{"container":null},"usage":{"output_tokens":3,"server_tool_use":{"web_search_requests":1}}}
message_stop {"type":"message_stop"}`)
	want := `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":"refusal","stop_sequence":null,"usage":{"input_tokens":25,"cache_read_input_tokens":3,"output_tokens":3,"service_tier":"standard","server_tool_use":{"web_search_requests":1}},"stop_details":{"x":1},"container":{"id":"c"},"context_management":{"applied_edits":[]}}`
	if err != nil || got != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
}

func TestWhatIsNoMessage(t *testing.T) {
	block := `content_block_start {"index":0,"content_block":{"type":"text","text":""}}`
	for name, tc := range map[string]struct {
		in   string
		want error
	}{
		"unfinished":     {begin + block, message.ErrUnfinished},
		"no-start":       {block, message.ErrBroken},
		"two-starts":     {begin + begin, message.ErrBroken},
		"gap":            {begin + strings.Replace(block, `:0`, `:1`, 1), message.ErrBroken},
		"no-block":       {begin + `content_block_delta {"index":0,"delta":{"type":"text_delta","text":"x"}}`, message.ErrBroken},
		"no-index":       {begin + block + "\n" + `content_block_delta {"delta":{"type":"text_delta","text":"x"}}`, message.ErrBroken},
		"cut":            {begin + `content_block_start {"index":0,"content_bl,,]`, message.ErrBroken},
		"two-in-one":     {begin + block + `{}`, message.ErrBroken},
		"not-an-object":  {`message_start 7`, message.ErrBroken},
		"no-message":     {`message_start {"type":"message_start"}`, message.ErrBroken},
		"empty-is-wrong": {`message_stop `, message.ErrBroken},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := assemble(tc.in); !errors.Is(err, tc.want) {
				t.Errorf("got %q, %v, want %v", got, err, tc.want)
			}
		})
	}
}

func TestErrorEvent(t *testing.T) {
	body := `{"type":"error","error":{"details":null,"type":"overloaded_error","message":"Over\u006coaded"},"request_id":"req_1"}`
	_, err := assemble(begin + "error " + body)
	e, ok := errors.AsType[*message.StreamError](err)
	if !ok || e.Type != "overloaded_error" || e.Message != "Overloaded" || string(e.Body) != body {
		t.Errorf("got %#v", err)
	}
}

// generate makes up a message of any shape that there is, and some that there
// are not yet.
func generate(rng *rand.Rand) []byte {
	text := func() string {
		alphabet := []string{"a", "é", "漢", "😀", `"`, `\`, "\n", "\x01", "\u2028", "<", "word ", "\ufffd"}
		var b strings.Builder
		for range rng.IntN(1 << rng.IntN(11)) {
			b.WriteString(alphabet[rng.IntN(len(alphabet))])
		}
		return b.String()
	}
	var value func(depth int) any
	value = func(depth int) any {
		switch k := rng.IntN(8); {
		case k == 0:
			return nil
		case k == 1:
			return rng.IntN(2) == 0
		case k == 2:
			return json.Number("1.50e3")
		case k == 3:
			return json.Number("12345678901234567890123")
		case k == 4 && depth > 0:
			return []any{value(depth - 1), value(depth - 1)}
		case k == 5 && depth > 0:
			return map[string]any{text(): value(depth - 1), "k": value(depth - 1)}
		}
		return text()
	}
	block := func() map[string]any {
		b := map[string]any{"type": []string{"text", "thinking", "redacted_thinking", "tool_use", "server_tool_use",
			"mcp_tool_use", "web_search_tool_result", "compaction", "new"}[rng.IntN(9)]}
		for _, name := range []string{"text", "thinking", "signature", "citations", "input", "content", "id", "data"} {
			switch rng.IntN(6) {
			case 0, 1:
				b[name] = text()
			case 2:
				b[name] = value(3)
			case 3:
				b[name] = map[string]any{"a": value(2), "b": value(2)}
			case 4:
				b[name] = []any{map[string]any{"c": value(2)}, value(2)}
			}
		}
		return b
	}
	m := map[string]any{"id": "msg_" + text(), "type": "message", "role": "assistant"}
	content := []any{}
	for range rng.IntN(5) {
		content = append(content, block())
	}
	m["content"] = content
	for _, name := range []string{"stop_reason", "stop_sequence", "stop_details", "container", "context_management", "diagnostics", "model"} {
		if rng.IntN(2) == 0 {
			m[name] = value(2)
		}
	}
	if rng.IntN(4) > 0 {
		usage := map[string]any{}
		for _, name := range []string{"input_tokens", "output_tokens", "cache_read_input_tokens", "x"} {
			if rng.IntN(4) > 0 {
				usage[name] = rng.IntN(1000)
			} else if rng.IntN(2) == 0 {
				usage[name] = nil
			}
		}
		for _, name := range []string{"server_tool_use", "output_tokens_details", "iterations", "cache_creation"} {
			if rng.IntN(2) == 0 {
				usage[name] = value(2)
			}
		}
		m["usage"] = usage
	}
	out, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		panic(err)
	}
	return out
}

// decode reads JSON as a value whose numbers are kept as they are written.
func decode(t *testing.T, raw []byte) (v any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return v
}

// thereAndBack plays a message as a stream and assembles it.
func thereAndBack(t *testing.T, raw []byte) []byte {
	t.Helper()
	events, err := message.Events(raw)
	if err != nil {
		t.Fatalf("events of %s: %v", raw, err)
	}
	var a message.Assembler
	for i, e := range events {
		if bytes.ContainsAny(e.Data, "\r\n") {
			t.Fatalf("a line end in %q", e.Data)
		}
		if a.Done() {
			t.Fatalf("whole before event %d of %d", i, len(events))
		}
		if err := a.Add(e.Name, e.Data); err != nil {
			t.Fatalf("event %s: %v", e.Data, err)
		}
	}
	back, err := a.Message()
	if err != nil {
		t.Fatal(err)
	}
	return back
}

func TestThereAndBack(t *testing.T) {
	for seed := range uint64(400) {
		raw := generate(rand.New(rand.NewPCG(seed, 1)))
		if want, got := decode(t, raw), decode(t, thereAndBack(t, raw)); !reflect.DeepEqual(want, got) {
			t.Fatalf("seed %d: -want +got\n%s", seed, cmp.Diff(want, got))
		}
	}
}

func FuzzThereAndBack(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(generate(rand.New(rand.NewPCG(seed, 2))))
	}
	f.Add([]byte(`{"content":[{"type":"text","text":"\ud83d"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := message.Events(raw); err != nil {
			return
		}
		back := thereAndBack(t, raw)
		if !reflect.DeepEqual(decode(t, raw), decode(t, back)) {
			t.Errorf("got %s\nwant %s", back, raw)
		}
	})
}

func FuzzAssembler(f *testing.F) {
	f.Add("message_start", []byte(`{"message":{"content":[]}}`), []byte(`{"index":0,"content_block":{}}`))
	f.Fuzz(func(t *testing.T, name string, one, two []byte) {
		var a message.Assembler
		_ = a.Add("message_start", []byte(`{"message":{"content":[],"usage":{}}}`))
		_ = a.Add("content_block_start", two)
		_ = a.Add(name, one)
		_ = a.Add("content_block_delta", two)
		_ = a.Add("message_delta", one)
		_ = a.Add("message_stop", []byte(`{}`))
		if out, err := a.Message(); err == nil && !json.Valid(out) {
			t.Errorf("not JSON: %s", out)
		}
	})
}
