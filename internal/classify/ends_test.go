package classify_test

import (
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/classify"
)

// TestEnds has blocks of every kind, and long strings, whose insides are not
// read byte by byte.
func TestEnds(t *testing.T) {
	long := strings.Repeat("word ", 20_000)
	body := `{"model":"m","messages":[` +
		`{"content":"` + long + `","role":"user"},` +
		`{"role":"assistant","content":[{"type":"thinking","thinking":"x"},{"type":"tool_use","id":"1","name":"t","input":{}}]},` +
		`{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":[{"type":"text","text":"r"}]} , {"type":"text","text":"` + long + `"},{"type":"text","text":" \n"},{"type":"other"}]}` +
		`],"system":"` + long + `","tools":[{"name":"t"},{"name":"u","defer_loading":true},{}]}`
	room := classify.New(classify.Config{Ends: true})
	c, err := room.Classify(request("POST", "/v1/messages", body), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range c.Content.Ends {
		block := body[e.To-10 : e.To]
		if e.Text > 0 {
			block = body[e.Text:e.To]
		}
		if e.Open {
			block = "*" + block
		}
		got = append(got, block)
	}
	want := []string{
		`*name":"t"}`, `ng":true}`, `true},{}`, "*" + body[strings.Index(body, `"system":`)+9:strings.Index(body, `,"tools"`)],
		`*"` + long + `"`, `ng":"x"}`, `put":{}}`, `*"r"}]}`, `*word "}`, `*`, `other"}`,
	}
	if len(got) != len(want) {
		t.Fatalf("%d ends, want %d", len(got), len(want))
	}
	for i, w := range want {
		open := strings.HasPrefix(w, "*")
		if i == 9 {
			open, w = false, ` \n"}`
		}
		if e := c.Content.Ends[i]; e.Open != open || !strings.HasSuffix(got[i], strings.TrimPrefix(w, "*")) {
			t.Errorf("end %d is %.40q, open %v; want %.40q", i, got[i], e.Open, w)
		}
	}
	parts := slices.Compact(slices.Collect(func(yield func(call.Part) bool) {
		for _, e := range c.Content.Ends {
			if !yield(e.Part) {
				return
			}
		}
	}))
	if !slices.Equal(parts, []call.Part{call.InTools, call.InSystem, call.InMessages}) {
		t.Errorf("the parts are %v", parts)
	}
}

func TestEndsAreForThoseWhoWantThem(t *testing.T) {
	plain := `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"}]}]}`
	marked := strings.Replace(plain, `"a"`, `"a","cache_control":{"type":"ephemeral"}`, 1)
	escaped := strings.Replace(plain, `"a"`, `"a","\u0063ache_control":{"type":"ephemeral"}`, 1)
	for name, tc := range map[string]struct {
		wanted bool
		path   string
		body   string
		ends   int
	}{
		"wanted":       {true, "/v1/messages", plain, 1},
		"not-wanted":   {false, "/v1/messages", plain, 0},
		"count-tokens": {true, "/v1/messages/count_tokens", plain, 0},
		"marked":       {true, "/v1/messages", marked, 0},
		"escaped":      {true, "/v1/messages", escaped, 0},
		"escaped-null": {true, "/v1/messages", strings.Replace(escaped, `{"type":"ephemeral"}`, `null`, 1), 0},
		"automatic":    {true, "/v1/messages", strings.Replace(plain, "{", `{"cache_control":{"type":"ephemeral"},`, 1), 0},
	} {
		c, err := classify.New(classify.Config{Ends: tc.wanted}).Classify(request("POST", tc.path, tc.body), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Content.Ends) != tc.ends || (c.Content.Read != nil) != (tc.ends > 0) {
			t.Errorf("%s: %d ends, want %d", name, len(c.Content.Ends), tc.ends)
		}
	}
}

// TestEndsAreBounded: a body of millions of tiny blocks does not take a
// hundred times its size.
func TestEndsAreBounded(t *testing.T) {
	tiny := strings.Repeat("1,", 1<<19) + "1" // 1 MB
	for name, body := range map[string]string{
		"wanted": `{"model":"m","messages":[{"role":"user","content":[` + tiny + `]}]}`,
		"marked": `{"model":"m","messages":[{"role":"user","content":[` + tiny + `]}],"cache_control":{"type":"ephemeral"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			room := classify.New(classify.Config{Ends: true})
			req := request("POST", "/v1/messages", body)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			c, err := room.Classify(req, time.Now())
			if err != nil || c.Content.Ends != nil || c.Content.Prefixes != nil {
				t.Fatalf("%d ends, %d prefixes, %v", len(c.Content.Ends), len(c.Content.Prefixes), err)
			}
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > 24*uint64(len(body)) {
				t.Errorf("%d bytes were allocated for a body of %d", took, len(body))
			}
		})
	}
}
