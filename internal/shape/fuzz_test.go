package shape_test

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/classify"
	"github.com/weir-gateway/weir/internal/shape"
)

// read classifies a request of a tenant, as if it were input tokens long.
func read(room *classify.Room, tenant string, body []byte, input call.Tokens) (*call.Call, error) {
	req := httptest.NewRequest("POST", "/v1/messages", bytes.NewReader(body))
	req.Header.Set("x-api-key", "sk-ant-api03-x")
	req.Header.Set("weir-tenant", tenant)
	c, err := room.Classify(req, time.Now())
	if err == nil {
		c.Estimate.Input = input
	}
	return c, err
}

// FuzzBreakpoints: whatever the request, it says the same with marks in it, and
// they are few and where they may be.
func FuzzBreakpoints(f *testing.F) {
	for _, body := range []string{
		`{"model":"m","system":"Be kind.","messages":[{"role":"user","content":"Hi \"there\" \u00e9"}]}`,
		`{"messages":[{"content":[{"type":"text","text":"a"},{"type":"thinking","thinking":"b","signature":"c"}],"role":"user"},{"role":"assistant","content":"x"}],"model":"m","tools":[{"name":"t","input_schema":{}} , {"name":"u","defer_loading":true}]}`,
		`{"model":"m","tools":[{"name":"\u00e9","\u0063ache_control":null}],"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBO"}},{"type":"tool_result","tool_use_id":"1","content":[{"type":"text","text":"r"}]},{"type":"text","text":" \n"}]}]}`,
		`{"model":"m","system":[{"type":"text","text":"a"},{"type":"text","text":"b" }],"messages":[{"role":"user","content":{"type":"text","text":"no list"}},{"role":"user","content":["bare",{}]}]}`,
		`{"model":"m","system":[],"messages":[{"role":"user","content":""},{"role":"user","content":[]},{"role":"system","content":"s"},5,"x"]}`,
		`{"model":"m","cache_control":{"type":"ephemeral"},"messages":[{"role":"user","content":"x"}]}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		room, step := classify.New(classify.Config{Ends: true}), shape.NewBreakpoints(shape.BreakpointsConfig{})
		before := bytes.Clone(body)
		for range 3 {
			c, err := read(room, "a", body, 1e9)
			if err != nil {
				return
			}
			marked := step.Prepare(c)
			if !bytes.Equal(body, before) {
				t.Fatal("the caller's bytes were changed")
			}
			if marked != (c.Prompt.Marks > 0) || marked == bytes.Equal(c.Body, body) {
				t.Fatalf("marked %v, %d marks, from %s to %s", marked, c.Prompt.Marks, body, c.Body)
			}
			if marked {
				sameButMarked(t, body, c)
				sameUnmarked(t, shape.New(nil, step), body, c)
				step = shape.NewBreakpoints(shape.BreakpointsConfig{}) // it would do no more
			}
		}
	})
}

// sameButMarked fails t unless c has the value of body, with marks in it.
func sameButMarked(t testing.TB, body []byte, c *call.Call) {
	t.Helper()
	var was, is map[string]any
	if json.Unmarshal(body, &was) != nil {
		return // long strings are the upstream's to judge
	}
	if err := json.Unmarshal(c.Body, &is); err != nil {
		t.Fatalf("%s became %s: %v", body, c.Body, err)
	}
	marks := takeMarks(t, is)
	if marks != c.Prompt.Marks || marks > 4 {
		t.Fatalf("%d marks, said to be %d: %s", marks, c.Prompt.Marks, c.Body)
	}
	if takeMarks(t, was) != 0 || !reflect.DeepEqual(was, is) {
		t.Fatalf("%s became %s", body, c.Body)
	}
	if n := len(c.Content.Prefixes); n == 0 || c.Content.Prefixes[n-1].TTL == 0 {
		t.Fatalf("the prefixes do not show the marks: %+v", c.Content.Prefixes)
	}
	if n := bytes.Count(c.Body, []byte(mark)) + bytes.Count(c.Body, []byte(hourMark)); n != marks {
		t.Fatalf("%d marks are spelled as they should be: %s", n, c.Body)
	}
}

// sameUnmarked fails t unless the marks can be taken back.
func sameUnmarked(t *testing.T, room *shape.Room, body []byte, c *call.Call) {
	t.Helper()
	no := call.Verdict{Kind: call.BadRequest, Message: "system.0.cache_control: no"}
	if room.Undo(time.Now(), c, call.Verdict{Kind: call.BadRequest, Message: "no"}) || !room.Undo(time.Now(), c, no) || room.Undo(time.Now(), c, no) {
		t.Fatal("what is taken back is not what was refused")
	}
	var was, is map[string]any
	if json.Unmarshal(body, &was) != nil {
		return
	}
	if err := json.Unmarshal(c.Body, &is); err != nil || takeMarks(t, is)+takeMarks(t, was) > 0 || !reflect.DeepEqual(was, is) {
		t.Fatalf("%s became %s: %v", body, c.Body, err)
	}
	if c.Prompt.Marks != 0 || c.Content.Prefixes != nil {
		t.Fatalf("the call still says that it is marked: %+v", c)
	}
}

// takeMarks takes the marks out of a request and counts them, and makes lists of
// strings that stand for one.
func takeMarks(t testing.TB, doc map[string]any) (marks int) {
	t.Helper()
	take := func(list any, may func(block map[string]any) bool) {
		blocks, _ := list.([]any)
		for _, b := range blocks {
			block, _ := b.(map[string]any)
			mark, marked := block["cache_control"]
			if !marked {
				continue
			}
			if kind, _ := mark.(map[string]any); kind["type"] != "ephemeral" || !may(block) {
				t.Fatalf("marked: %v", block)
			}
			delete(block, "cache_control")
			marks++
		}
	}
	filled := func(block map[string]any) bool {
		kind, _ := block["type"].(string)
		switch kind {
		case "text":
			return block["text"] != "" && block["text"] != " \n"
		case "image", "document", "search_result", "tool_use", "tool_result":
			return true
		}
		return false
	}
	take(doc["tools"], func(tool map[string]any) bool { return tool["defer_loading"] == nil })
	doc["system"] = list(doc["system"])
	take(doc["system"], filled)
	messages, _ := doc["messages"].([]any)
	for _, m := range messages {
		if message, ok := m.(map[string]any); ok {
			message["content"] = list(message["content"])
			take(message["content"], func(block map[string]any) bool { return message["role"] == "user" && filled(block) })
		}
	}
	return marks
}

func list(content any) any {
	if text, ok := content.(string); ok {
		return []any{map[string]any{"type": "text", "text": text}}
	}
	return content
}
