package sim

import (
	"fmt"
	"strings"
	"testing"
)

// user is a request with the given fields around one user message.
func user(fields string) string {
	return `{"model":"claude-sonnet-5-5","max_tokens":1024,"messages":[{"role":"user","content":"hi"}]` + fields + `}`
}

// said is a request with the given messages.
func said(messages string) string {
	return `{"model":"claude-sonnet-5-5","max_tokens":1024,"messages":[` + messages + `]}`
}

const calling = `{"role":"user","content":"a"},` +
	`{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"f","input":{}}]}`

// badRequests are what the API refuses, with the words it uses.
var badRequests = []struct{ name, body, want string }{
	{"not-json", `{"model":`, "The request body is not valid JSON"},
	{"not-utf8", "{\"model\":\"\xff\"}", "not valid UTF-8"},
	{"not-an-object", `[]`, "valid dictionary"},
	{"no-model", `{"max_tokens":1,"messages":[]}`, "model: Field required"},
	{"no-max-tokens", `{"model":"claude-opus-5","messages":[{"role":"user","content":"x"}]}`, "max_tokens: Field required"},
	{"no-messages", `{"model":"claude-opus-5","max_tokens":1}`, "messages: Field required"},
	{"empty-messages", said(""), "messages: at least one message is required"},
	{"messages-no-list", `{"model":"claude-opus-5","max_tokens":1,"messages":"x"}`, "messages: Input should be a valid list"},
	{"unknown-model", `{"model":"claude-9","max_tokens":1,"messages":[]}`, "model: claude-9"},
	{"retired-model", `{"model":"claude-3-haiku-20240307","max_tokens":1,"messages":[]}`, "model: claude-3-haiku-20240307"},
	{"max-tokens-text", user(`,"max_tokens":"9"`), "max_tokens: Input should be a valid integer"},
	{"max-tokens-negative", user(`,"max_tokens":-1`), "max_tokens: Input should be greater than or equal to 0"},
	{"max-tokens-large", user(`,"max_tokens":200000`), "max_tokens: 200000 > 128000, which is the maximum"},
	{"max-tokens-0-stream", user(`,"max_tokens":0,"stream":true`), "max_tokens: 0 is only allowed"},
	{"stream-text", user(`,"stream":"yes"`), "stream: Input should be a valid boolean"},
	{"role-system", said(`{"role":"system","content":"x"}`), `messages.0.role: Unexpected role "system"`},
	{"role-other", said(`{"role":"robot","content":"x"}`), "messages.0.role: Input should be 'user' or 'assistant'"},
	{"no-role", said(`{"content":"x"}`), "messages.0.role: Field required"},
	{"no-content", said(`{"role":"user"}`), "messages.0.content: Field required"},
	{"content-number", said(`{"role":"user","content":1}`), "messages.0.content: Input should be a valid list"},
	{"message-number", said(`1`), "messages.0: Input should be a valid dictionary"},
	{"empty-text", said(`{"role":"user","content":[{"type":"text","text":""}]}`), "text content blocks must be non-empty"},
	{"no-text", said(`{"role":"user","content":[{"type":"text"}]}`), "text: Field required"},
	{"no-type", said(`{"role":"user","content":[{}]}`), "messages.0.content.0.type: Field required"},
	{"bad-base64", said(`{"role":"user","content":[{"type":"image","source":{"type":"base64","data":"?"}}]}`), "invalid base64"},
	{"bad-image", said(`{"role":"user","content":[{"type":"image","source":{"type":"base64","data":"AAAA"}}]}`), "Could not process image"},
	{"result-without-call", said(`{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"x"}]}`), "unexpected `tool_use_id`"},
	{"call-without-result", said(calling + `,{"role":"user","content":[{"type":"text","text":"x"}]}`), "without `tool_result` blocks"},
	{"call-at-the-end", said(calling), "without `tool_result` blocks"},
	{"tool-without-name", user(`,"tools":[{"input_schema":{}}]`), "tools.0.custom.name: Field required"},
	{"tool-without-schema", user(`,"tools":[{"name":"f"}]`), "tools.0.custom.input_schema: Field required"},
	{"choice-of-nothing", user(`,"tool_choice":{"type":"any"}`), "while providing tools"},
	{"choice-unknown", user(`,"tools":[{"name":"f","input_schema":{}}],"tool_choice":{"type":"tool","name":"g"}`), "Tool 'g' not found"},
	{"choice-odd", user(`,"tool_choice":{"type":"maybe"}`), "tool_choice: Input tag 'maybe'"},
	{"thinking-odd", user(`,"thinking":{"type":"deep"}`), "thinking: Input tag 'deep'"},
	{"thinking-small", user(`,"thinking":{"type":"enabled","budget_tokens":10}`), "greater than or equal to 1024"},
	{"thinking-large", user(`,"thinking":{"type":"enabled","budget_tokens":1024}`), "`max_tokens` must be greater"},
	{"stop-blank", user(`,"stop_sequences":[" "]`), "stop_sequences.0"},
	{"tier-odd", user(`,"service_tier":"gold"`), "service_tier: Input should be 'auto' or 'standard_only'"},
	{"system-number", user(`,"system":1`), "system: Input should be a valid string or list"},
	{"ttl-odd", user(`,"system":[{"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"9m"}}]`), "'5m' or '1h'"},
	{"cache-odd", user(`,"system":[{"type":"text","text":"x","cache_control":{"type":"forever"}}]`), "should be 'ephemeral'"},
	{"ttl-order", user(`,"system":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}},` +
		`{"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"1h"}}]`), "must not come after a ttl='5m'"},
	{"five-marks", user(`,"cache_control":{"type":"ephemeral"},"system":[` + strings.Repeat(
		`{"type":"text","text":"x","cache_control":{"type":"ephemeral"}},`, 3) +
		`{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}]`), "A maximum of 4 blocks with cache_control may be provided. Found 5."},
	{"unknown-field", user(`,"colour":"red"`), "colour: Extra inputs are not permitted"},
}

// newTestServer returns a server without any wait in it.
func newTestServer(t testing.TB, c Config) *Server {
	t.Helper()
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBadRequests(t *testing.T) {
	s := newTestServer(t, Config{})
	for _, tc := range badRequests {
		t.Run(tc.name, func(t *testing.T) {
			_, err := s.readRequest([]byte(tc.body), version2023, Rules{RejectUnknown: true}, false)
			if err == nil {
				t.Fatal("the request is taken")
			}
			if !strings.Contains(err.message, tc.want) {
				t.Errorf("message is %q, want %q in it", err.message, tc.want)
			}
			if want := 400; err.status != want && !strings.HasSuffix(tc.name, "-model") {
				t.Errorf("status is %d, want %d", err.status, want)
			}
		})
	}
}

func TestVersionsDiffer(t *testing.T) {
	s := newTestServer(t, Config{})
	for _, tc := range []struct{ name, body string }{
		{"temperature", user(`,"temperature":0.5`)},
		{"top-p", user(`,"top_p":0.5`)},
		{"top-k", user(`,"top_k":5`)},
		{"assistant-document", said(`{"role":"assistant","content":[{"type":"document","source":{"type":"text","data":"x"}}]},{"role":"user","content":"x"}`)},
		{"user-citations", said(`{"role":"user","content":[{"type":"text","text":"x","citations":[{"type":"char_location"}]}]}`)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := s.readRequest([]byte(tc.body), version2023, Rules{}, false); err != nil {
				t.Errorf("the older version refuses it: %s", err.message)
			}
			if _, err := s.readRequest([]byte(tc.body), version2026, Rules{}, false); err == nil || err.status != 400 {
				t.Errorf("the newer version takes it (%v)", err)
			}
		})
	}
	ok := said(`{"role":"user","content":[{"type":"text","text":"x","citations":[]},{"type":"document","source":{"type":"text","data":"x"}}]}`)
	if _, err := s.readRequest([]byte(ok), version2026, Rules{}, false); err != nil {
		t.Errorf("empty citations and a user's document are refused: %s", err.message)
	}
}

func TestGoodRequests(t *testing.T) {
	s := newTestServer(t, Config{})
	for name, body := range map[string]string{
		"plain":          user(""),
		"latest":         user(`,"model":"claude-sonnet-5-5-latest"`),
		"unknown-fields": user(`,"future":{"a":[1]}`),
		"prefill":        said(`{"role":"user","content":"x"},{"role":"assistant","content":"y"}`),
		"same-roles":     said(`{"role":"user","content":"x"},{"role":"user","content":"y"}`),
		"unknown-block":  said(`{"role":"user","content":[{"type":"hologram","data":"x"}]}`),
		"tool-result":    said(calling + `,{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1"}]}`),
		"image":          said(`{"role":"user","content":[{"type":"image","source":{"type":"base64","data":"` + pngOf(t, 8, 8) + `"}}]}`),
		"image-url":      said(`{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://x"}}]}`),
		"warm-up":        user(`,"max_tokens":0`),
		"built-in-tool":  user(`,"tools":[{"type":"web_search_20250305","name":"web_search"}]`),
		"null-fields":    user(`,"system":null,"tools":null,"stream":null,"cache_control":null,"thinking":null`),
	} {
		if _, err := s.readRequest([]byte(body), version2026, Rules{}, false); err != nil {
			t.Errorf("%s is refused: %s", name, err.message)
		}
	}
}

func TestTokensOfARequest(t *testing.T) {
	s := newTestServer(t, Config{})
	count := func(body string) int {
		t.Helper()
		q, err := s.readRequest([]byte(body), version2023, Rules{}, true)
		if err != nil {
			t.Fatal(err.message)
		}
		return q.total
	}
	bare := count(user(""))
	tool := `,"tools":[{"name":"get_weather","description":"The weather of a place","input_schema":{"type":"object"}}]`
	if more := count(user(tool)) - bare; more < 346 || more > 460 {
		t.Errorf("a tool adds %d tokens, want the fixed 346 and a few", more)
	}
	if more := count(user(tool+`,"tool_choice":{"type":"any"}`)) - count(user(tool)); more != forcedOverhead {
		t.Errorf("forcing the tool adds %d tokens, want %d", more, forcedOverhead)
	}
	if old := count(user(`,"model":"claude-sonnet-4-6","system":"` + strings.Repeat("some words ", 500) + `"`)); old >=
		count(user(`,"system":"`+strings.Repeat("some words ", 500)+`"`)) {
		t.Error("the newer tokenizer does not make more tokens of the same text")
	}
}

func FuzzRequest(f *testing.F) {
	for _, tc := range badRequests {
		f.Add(tc.body)
	}
	f.Add(user(`,"tools":[{"name":"f","input_schema":{"type":"object"}}],"thinking":{"type":"adaptive"}`))
	s := newTestServer(f, Config{})
	f.Fuzz(func(t *testing.T, body string) {
		for _, version := range []string{version2023, version2026} {
			q, err := s.readRequest([]byte(body), version, Rules{}, false)
			if (q == nil) == (err == nil) {
				t.Fatal("neither a request nor an error, or both")
			}
			if err != nil {
				if err.status < 400 || err.message == "" {
					t.Fatalf("a refusal without status or words: %+v", err)
				}
				continue
			}
			if q.total < 0 || len(q.blocks) == 0 {
				t.Fatalf("%d tokens in %d blocks", q.total, len(q.blocks))
			}
			p := s.cache.plan(0, "w", q)
			if p.uncached(q.total) < 0 || p.write5m < 0 || p.write1h < 0 {
				t.Fatalf("the cache plan does not add up: %+v of %d", p, q.total)
			}
			s.cache.commit(0, p)
			if again := s.cache.plan(0, "w", q); len(p.commits) > 0 && again.read == 0 {
				t.Fatalf("what was written is not read: %+v, then %+v", p, again)
			}
		}
	})
}

func TestGrouped(t *testing.T) {
	for n, want := range map[float64]string{5: "5", 999: "999", 1000: "1,000", 30000: "30,000", 1234567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("%s is %q, want %q", fmt.Sprint(n), got, want)
		}
	}
}
