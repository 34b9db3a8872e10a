package shape_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/classify"
	"github.com/weir-gateway/weir/internal/message"
	"github.com/weir-gateway/weir/internal/shape"
)

// failing is what tests and properties have in common.
type failing interface {
	Helper()
	Fatalf(format string, args ...any)
}

// simpler leads a request through rungs. It returns the room, for what comes of
// the call.
func simpler(t failing, body string, rungs ...call.Rung) (*call.Call, *shape.Room) {
	t.Helper()
	classifier := classify.New(classify.Config{})
	c, err := read(classifier, "a", []byte(body), 1000)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	c.Rungs = rungs
	room := shape.New(map[string][]string{"claude-opus-5": {"claude-haiku-4-5", "claude-opus-5-5"}}, &shape.Rungs{Reread: classifier.Reread})
	room.Prepare(c)
	return c, room
}

// asking is a request to a model with more members.
func asking(model, more string) string {
	return fmt.Sprintf(`{"model":%q,%s"max_tokens":9000,"messages":[{"role":"user","content":"hi"}]}`, model, more)
}

func TestRungEffort(t *testing.T) {
	for name, tc := range map[string]struct{ model, effort, said, want string }{
		"by-default":        {"claude-opus-5", "low", ``, `"output_config":{"effort":"low"},`},
		"as-by-default":     {"claude-opus-5", "high", ``, ``},
		"medium-by-default": {"claude-opus-5-5", "medium", ``, ``},
		"below-medium":      {"claude-haiku-5-5", "low", ``, `"output_config":{"effort":"low"},`},
		"lowered":           {"claude-fable-5-2", "medium", `"output_config":{"effort":"max"},`, `"output_config":{"effort":"medium"},`},
		"from-xhigh":        {"claude-opus-4-7", "high", `"output_config":{"effort":"xhigh"},`, `"output_config":{"effort":"high"},`},
		"low-already":       {"claude-sonnet-5", "medium", `"output_config":{"effort":"low"},`, `"output_config":{"effort":"low"},`},
		"beside-a-format":   {"claude-sonnet-4-6", "low", `"output_config": {"format":{"type":"json_schema","schema":{}} },`, `"output_config": {"effort":"low","format":{"type":"json_schema","schema":{}} },`},
		"null":              {"claude-opus-4-5-20251101", "low", `"output_config":{"effort":null},`, `"output_config":{"effort":"low"},`},
		"no-config":         {"claude-mythos-5", "low", `"output_config":null,`, `"output_config":{"effort":"low"},`},
		"unheard-of":        {"claude-opus-5", "low", `"output_config":{"effort":"utmost"},`, `"output_config":{"effort":"utmost"},`},
		"unheard-of-model":  {"claude-opus-6", "low", ``, `"output_config":{"effort":"low"},`},
		"haiku-4-5":         {"claude-haiku-4-5-20251001", "low", ``, ``},
		"sonnet-4-5":        {"claude-sonnet-4-5", "low", ``, ``},
		"sonnet-4":          {"claude-sonnet-4-20250514", "low", ``, ``},
		"opus-4-1":          {"claude-opus-4-1", "low", ``, ``},
		"haiku-3-5":         {"claude-3-5-haiku-latest", "low", ``, ``},
	} {
		c, _ := simpler(t, asking(tc.model, tc.said), call.Rung{Kind: call.RungEffort, Effort: tc.effort})
		want := asking(tc.model, tc.want)
		if tc.said == "" && tc.want != "" { // a new member is the first
			want = strings.Replace(asking(tc.model, ""), "{", "{"+tc.want, 1)
		}
		judge(t, name, c, want, tc.want != tc.said, "effort")
	}
}

// judge compares what became of a request, and its mark.
func judge(t *testing.T, name string, c *call.Call, want string, changed bool, mark string) {
	t.Helper()
	if string(c.Body) != want {
		t.Errorf("%s: it became %s, want %s", name, c.Body, want)
	}
	if !changed {
		mark = ""
	}
	if c.Degraded.Rung != mark || (c.Plain != nil) != changed {
		t.Errorf("%s: marked %q, kept in full: %v", name, c.Degraded.Rung, c.Plain != nil)
	}
}

func TestRungThinking(t *testing.T) {
	for name, tc := range map[string]struct {
		to         call.Tokens
		said, want string
	}{
		"off":              {0, `"thinking":{"type":"enabled","budget_tokens":4096},`, `"thinking":{"type":"disabled"},`},
		"adaptive-off":     {0, `"thinking": {"type":"adaptive","display":"summarized"},`, `"thinking": {"type":"disabled"},`},
		"adaptive-smaller": {2048, `"thinking":{"type":"adaptive"},`, `"thinking":{"type":"adaptive"},`},
		"smaller":          {2048, `"thinking":{"type":"enabled" , "budget_tokens":4096},`, `"thinking":{"type":"enabled" , "budget_tokens":2048},`},
		"small-already":    {4096, `"thinking":{"type":"enabled","budget_tokens":4096},`, `"thinking":{"type":"enabled","budget_tokens":4096},`},
		"below-the-least":  {1000, `"thinking":{"type":"enabled","budget_tokens":4096},`, `"thinking":{"type":"disabled"},`},
		"disabled-already": {0, `"thinking":{"type":"disabled"},`, `"thinking":{"type":"disabled"},`},
		"none":             {0, ``, ``},
		"null":             {0, `"thinking":null,`, `"thinking":null,`},
	} {
		c, _ := simpler(t, asking("claude-opus-4-6", tc.said), call.Rung{Kind: call.RungThinking, Thinking: tc.to})
		judge(t, name, c, asking("claude-opus-4-6", tc.want), tc.want != tc.said, "thinking")
	}
}

func TestRungMaxTokens(t *testing.T) {
	for name, tc := range map[string]struct {
		to     call.Tokens
		budget string
		want   string // budget
		tokens int
	}{
		"lower":             {1000, ``, ``, 1000},
		"low-already":       {9000, ``, ``, 9000},
		"budget-below":      {4000, `2000`, `2000`, 4000},
		"budget-above":      {4000, `5000`, `2000`, 4000},
		"room-for-thinking": {500, `5000`, `1024`, 2048}, // the API wants 1,024 to think, and more than that in all
	} {
		think := func(budget string) string {
			if budget == "" {
				return ""
			}
			return `"thinking":{"type":"enabled","budget_tokens":` + budget + `},`
		}
		c, _ := simpler(t, asking("claude-opus-4-6", think(tc.budget)), call.Rung{Kind: call.RungMaxTokens, MaxTokens: tc.to})
		want := strings.Replace(asking("claude-opus-4-6", think(tc.want)), "9000", fmt.Sprint(tc.tokens), 1)
		judge(t, name, c, want, tc.tokens != 9000, "max_tokens")
		if asked := c.MaxTokensAsked; c.MaxTokens != call.Tokens(tc.tokens) || (asked == 9000) != (tc.tokens != 9000) {
			t.Errorf("%s: max_tokens %d, asked for %d", name, c.MaxTokens, asked)
		}
	}
}

// An image of four bytes, encoded, as a block with more members.
func image(source, more string) string { return `{"type":"image","source":` + source + more + `}` }

const (
	small   = `{"type":"base64","media_type":"image/png","data":"AAAA"}`
	large   = `{"type":"base64","media_type":"image/png","data":"AAAAAAAA"}`
	noImage = `{"type":"text","text":"[image left out]"}`
)

func TestRungImages(t *testing.T) {
	for name, tc := range map[string]struct{ content, want string }{
		"large":       {`[` + image(large, ``) + ` , {"type":"text","text":"image?"}]`, `[` + noImage + ` , {"type":"text","text":"image?"}]`},
		"small":       {`[` + image(small, ``) + `]`, ``},
		"one-of-two":  {`[` + image(small, ``) + `,` + image(large, ``) + `]`, `[` + image(small, ``) + `,` + noImage + `]`},
		"marked":      {`[` + image(large, `,"cache_control":{"type":"ephemeral","ttl":"1h"}`) + `]`, `[{"cache_control":{"type":"ephemeral","ttl":"1h"},"type":"text","text":"[image left out]"}]`},
		"url":         {`[` + image(`{"type":"url","url":"https://example.com/large-image.png"}`, ``) + `]`, ``},
		"file":        {`[` + image(`{"type":"file","file_id":"file_image_1"}`, ``) + `]`, ``},
		"document":    {`[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"image AAAAAAAA"}}]`, ``},
		"only-a-word": {`"an image of AAAAAAAA"`, ``},
		"of-a-tool": {
			`[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"here"},` + image(large, ``) + `]},{"type":"text","text":"so?"}]`,
			`[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"here"},` + noImage + `]},{"type":"text","text":"so?"}]`,
		},
	} {
		request := func(content string) string {
			return `{"messages":[{"role":"user","content":"look"},{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"t","input":{}}]},` +
				`{"role":"user", "content": ` + content + `} ],"model":"claude-opus-5","max_tokens":10}`
		}
		want := tc.want
		if want == "" {
			want = tc.content
		}
		c, _ := simpler(t, request(tc.content), call.Rung{Kind: call.RungImages, Bytes: 4})
		judge(t, name, c, request(want), want != tc.content, "images")
	}
}

// TestRungsOnePerEdit: all of them edit one request, the mark has them in their
// order, and the call is measured anew.
func TestRungsOnePerEdit(t *testing.T) {
	body := `{"model":"claude-opus-5","max_tokens":9000,"thinking":{"type":"adaptive"},"messages":[` +
		`{"role":"user","content":[` + image(large, ``) + `]},{"role":"assistant","content":"1"},{"role":"user","content":"` + strings.Repeat("long ", 500) + `"},` +
		`{"role":"assistant","content":"2"},{"role":"user","content":"last"}]}`
	before, _ := simpler(t, body)
	c, _ := simpler(t, body,
		call.Rung{Kind: call.RungImages, Bytes: 4}, call.Rung{Kind: call.RungTrim, Turns: 1}, call.Rung{Kind: call.RungMaxTokens, MaxTokens: 100},
		call.Rung{Kind: call.RungThinking}, call.Rung{Kind: call.RungEffort, Effort: "low"})
	want := `{"output_config":{"effort":"low"},"model":"claude-opus-5","max_tokens":100,"thinking":{"type":"disabled"},"messages":[` +
		`{"role":"user","content":[` + noImage + `]},{"role":"assistant","content":"1"},{"role":"user","content":"last"}]}`
	judge(t, "all", c, want, true, "images+trim+max_tokens+thinking+effort")
	if was, is := before.Content.Text[call.Letters], c.Content.Text[call.Letters]; is >= was/10 || string(c.Plain) != body {
		t.Errorf("measured as %d letters, which were %d; kept %s", is, was, c.Plain)
	}
}

// TestRungsOfAnotherModel: what is edited follows the model that is asked in the
// end, and taking it back leaves that model.
func TestRungsOfAnotherModel(t *testing.T) {
	effort, cap := call.Rung{Kind: call.RungEffort, Effort: "low"}, call.Rung{Kind: call.RungMaxTokens, MaxTokens: 100}
	c, room := simpler(t, asking("claude-opus-5", ""), effort, cap)
	judge(t, "first", c, `{"output_config":{"effort":"low"},`+strings.Replace(asking("claude-opus-5", "")[1:], "9000", "100", 1), true, "effort+max_tokens")
	if !room.Fallback(c, always) {
		t.Fatal("there is another model")
	}
	judge(t, "knows no effort", c, strings.Replace(asking("claude-haiku-4-5", ""), "9000", "100", 1), true, "fallback+max_tokens")
	if !room.Fallback(c, always) {
		t.Fatal("there is one more model")
	}
	judge(t, "knows effort", c, `{"output_config":{"effort":"low"},`+strings.Replace(asking("claude-opus-5-5", "")[1:], "9000", "100", 1), true, "fallback+effort+max_tokens")
	if !room.Undo(time.Now(), c, call.Verdict{Kind: call.BadRequest}) {
		t.Fatal("it can be taken back")
	}
	if string(c.Body) != asking("claude-opus-5-5", "") || c.Degraded.String() != "fallback; from=claude-opus-5" || c.MaxTokens != 9000 || c.MaxTokensAsked != 0 {
		t.Errorf("taken back: %s, %s, max_tokens %d of %d", c.Body, c.Degraded, c.MaxTokens, c.MaxTokensAsked)
	}
	if room.Undo(time.Now(), c, call.Verdict{Kind: call.BadRequest}) {
		t.Error("taken back twice")
	}
}

// FuzzRungs: whatever the request, it is one after all rungs, with other members
// than it had only where they edit, and as it came once that is taken back.
func FuzzRungs(f *testing.F) {
	for _, body := range []string{
		asking("claude-opus-5", `"thinking":{"type":"enabled","budget_tokens":4096},"output_config":{"effort":"max"},`),
		`{"model":"m","messages":[` + strings.Join(said("uAUauau"), ",") + `],"system":[{"type":"text","text":"s"}]}`,
		`{"messages":[{"role":"user","content":[` + image(large, `,"x":1`) + `, 1.50]}],"model":"b\u0069g","m\u0061x_tokens":2e3}`,
		`{"model":"m","messages":{},"thinking":[],"output_config":""}`,
	} {
		f.Add([]byte(body))
	}
	rungs := []call.Rung{
		{Kind: call.RungEffort, Effort: "low"}, {Kind: call.RungThinking, Thinking: 2000}, {Kind: call.RungMaxTokens, MaxTokens: 5},
		{Kind: call.RungTrim}, {Kind: call.RungImages}, {Kind: call.RungThinking},
	}
	edited := map[string]bool{"output_config": true, "thinking": true, "max_tokens": true, "messages": true}
	f.Fuzz(func(t *testing.T, body []byte) {
		classifier, before := classify.New(classify.Config{}), bytes.Clone(body)
		c, err := read(classifier, "a", body, 1000)
		if err != nil {
			return
		}
		c.Rungs = rungs
		step := &shape.Rungs{Reread: classifier.Reread}
		did := step.Prepare(c)
		if !bytes.Equal(body, before) {
			t.Fatal("the caller's bytes were changed")
		}
		if did != (c.Degraded.Rung != "") || did == bytes.Equal(c.Body, body) {
			t.Fatalf("marked %q, %s became %s", c.Degraded.Rung, body, c.Body)
		}
		var was, is map[string]json.RawMessage
		if json.Unmarshal(body, &was) == nil {
			if err := json.Unmarshal(c.Body, &is); err != nil {
				t.Fatalf("%s became %s: %v", body, c.Body, err)
			}
			for name, value := range is {
				if !edited[name] && !bytes.Equal(value, was[name]) {
					t.Errorf("%s of %s became %s", name, body, value)
				}
			}
		}
		if did != step.Undo(time.Now(), c, call.Verdict{}) || did && !sameButModel(c.Body, body) {
			t.Errorf("%s came back as %s", body, c.Body)
		}
	})
}

// sameButModel compares requests whose model may be written in other ways.
func sameButModel(a, b []byte) bool {
	a, errA := message.Set(a, "model", []byte("0"))
	b, errB := message.Set(b, "model", []byte("0"))
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// TestBrokenEditLeavesNoTrace: a body that cannot be read any more goes as it
// came, with everything that was measured of it.
func TestBrokenEditLeavesNoTrace(t *testing.T) {
	step := &shape.Rungs{Reread: func(c *call.Call) error {
		c.MaxTokens, c.Content = 10, call.Content{}
		return errors.New("broken")
	}}
	body := []byte(asking("claude-opus-5", ""))
	c := &call.Call{
		Model: "claude-opus-5", Body: body, MaxTokens: 9000, Content: call.Content{Thinking: true},
		Rungs: []call.Rung{{Kind: call.RungMaxTokens, MaxTokens: 10}},
	}
	if step.Prepare(c) || c.MaxTokens != 9000 || !c.Content.Thinking || !bytes.Equal(c.Body, body) || c.Degraded.Rung != "" {
		t.Errorf("left %+v", c)
	}
}
