package shape_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/message"
)

// said writes messages: u and a are a turn of the user and of the model, U
// brings the result of a tool, and A uses one.
func said(turns string) (list []string) {
	for i, turn := range turns {
		list = append(list, map[rune]string{
			'u': fmt.Sprintf(`{"role":"user","content":"q%d"}`, i),
			'a': fmt.Sprintf(`{"role":"assistant","content":[{"type":"text","text":"a%d"}]}`, i),
			'A': fmt.Sprintf(`{"role":"assistant","content":[{"type":"tool_use","id":"toolu_%d","name":"t","input":{}}]}`, i),
			'U': fmt.Sprintf(`{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_%d","content":"r"}]}`, i-1),
			's': `{"role":"system","content":"mind"}`,
		}[turn])
	}
	return list
}

func TestRungTrim(t *testing.T) {
	for name, tc := range map[string]struct {
		turns    string
		keep     int
		from, to int // messages that are left out
	}{
		"text":                   {"uauauau", 1, 2, 6},
		"two-kept":               {"uauauau", 2, 2, 4},
		"short":                  {"uauau", 2, 0, 0},
		"at-least-the-last":      {"uauau", 0, 2, 4},
		"prefilled":              {"uauaua", 1, 2, 4},
		"tools-before":           {"uAUauau", 1, 1, 5}, // its own model's turn goes with the oldest that is kept
		"tools-across":           {"uauaAU", 1, 1, 3},  // "aA" is one turn of the model
		"tools-across-the-cut":   {"uauauAU", 1, 1, 5},
		"tools-behind":           {"uauauauAU", 2, 2, 6},
		"only-tools":             {"uAUAUAUAU", 2, 1, 5},
		"of-one-role-in-a-row":   {"uuaauauu", 1, 4, 6},
		"of-the-user-last":       {"uauauuu", 1, 2, 4},
		"begins-with-the-model":  {"auauau", 1, 0, 0},
		"others-take-part":       {"uausauau", 1, 0, 0},
		"nothing-but-a-question": {"u", 1, 0, 0},
	} {
		all := said(tc.turns)
		request := func(list []string) string {
			return `{"model":"claude-opus-5","system":"mind","messages": [ ` + strings.Join(list, ",") + ` ],"max_tokens":10}`
		}
		c, _ := simpler(t, request(all), call.Rung{Kind: call.RungTrim, Turns: tc.keep})
		judge(t, name, c, request(slices.Concat(all[:tc.from], all[tc.to:])), tc.to > 0, "trim")
	}
}

// talk draws turns of up to three messages each, some of which use
// tools.
func talk(t *rapid.T) (messages []string) {
	var open []string // tools that wait for their result
	for i := range rapid.IntRange(1, 24).Draw(t, "turns") {
		role := []string{"user", "assistant"}[i%2]
		parts := rapid.IntRange(1, 3).Draw(t, "messages")
		for n := range parts {
			var blocks []string
			for _, id := range open {
				blocks = append(blocks, fmt.Sprintf(`{"type":"tool_result","tool_use_id":%q,"content":[{"type":"text","text":"r"}]}`, id))
			}
			open = nil
			text := rapid.SampledFrom([]string{"x", `a \"tool\" \u00e9`, "tool_use", `],{"role":"user"}`}).Draw(t, "text")
			quoted, _ := json.Marshal(text)
			blocks = append(blocks, fmt.Sprintf(`{ "text":%s,"type":"text"}`, quoted))
			if role == "assistant" && n == parts-1 {
				for u := range rapid.IntRange(0, 2).Draw(t, "uses") {
					open = append(open, fmt.Sprintf("toolu_%d_%d", i, u))
					blocks = append(blocks, fmt.Sprintf(`{"type":"tool_use","id":%q,"name":"t","input":{}}`, open[u]))
				}
			}
			messages = append(messages, fmt.Sprintf(`{"role":%q,"content":[%s]}`, role, strings.Join(blocks, ", ")))
		}
	}
	if len(open) > 0 {
		messages = append(messages, fmt.Sprintf(`{"content":[%s],"role":"user"}`, results(open)))
	}
	return messages
}

func results(ids []string) string {
	var list []string
	for _, id := range ids {
		list = append(list, fmt.Sprintf(`{"type":"tool_result","tool_use_id":%q}`, id))
	}
	return strings.Join(list, ",")
}

// TestTrimKeepsConversationsValid: whatever the conversation, what remains is
// one, with the user's first turn and the last one, and no byte of it is another.
func TestTrimKeepsConversationsValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list, keep := talk(t), rapid.IntRange(0, 6).Draw(t, "keep")
		between := rapid.SampledFrom([]string{",", " ,\n"}).Draw(t, "between")
		body := `{"model":"claude-opus-5","messages":[` + strings.Join(list, between) + ` ], "max_tokens":10}`
		c, _ := simpler(t, body, call.Rung{Kind: call.RungTrim, Turns: keep})
		raw, err := message.Get(c.Body, "messages")
		if err != nil {
			t.Fatal(err)
		}
		left, err := message.Elements(raw)
		if err != nil {
			t.Fatal(err)
		}
		from := 0
		for from < len(left) && string(left[from]) == list[from] {
			from++
		}
		gone := len(list) - len(left)
		for i := from; i < len(left); i++ {
			if string(left[i]) != list[i+gone] {
				t.Fatalf("message %d is none that was there: %s", i, left[i])
			}
		}
		users, was := check(t, left), check(t, raws(list))
		if want := min(was, max(keep, 1)+1); users != want {
			t.Fatalf("%d turns of the user are left of %d, want %d", users, was, want)
		}
		if (gone > 0) != c.Degraded.Has(call.RungTrim) || gone == 0 && string(c.Body) != body {
			t.Fatalf("%d left out, and marked %q", gone, c.Degraded.Rung)
		}
		same := 0
		for same < len(c.Body) && c.Body[same] == body[same] {
			same++
		}
		if !bytes.HasSuffix([]byte(body), c.Body[same:]) {
			t.Fatalf("more than one piece is missing: %s", c.Body)
		}
	})
}

func raws(list []string) [][]byte {
	out := make([][]byte, len(list))
	for i, m := range list {
		out[i] = []byte(m)
	}
	return out
}

// check fails t if messages are no conversation of two whose tools have their
// results at once, and counts the user's turns.
func check(t *rapid.T, messages [][]byte) (users int) {
	last, open := "assistant", map[string]bool{}
	for i, raw := range messages {
		var m struct {
			Role    string
			Content []struct {
				Type      string
				ID        string
				ToolUseID string `json:"tool_use_id"`
			}
		}
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		if m.Role == "user" && last == "assistant" {
			users++
		} else if m.Role == "assistant" && i == 0 {
			t.Fatal("the model begins")
		}
		last = m.Role
		waiting := open
		open = map[string]bool{}
		for _, b := range m.Content {
			switch b.Type {
			case "tool_use":
				open[b.ID] = true
			case "tool_result":
				if !waiting[b.ToolUseID] {
					t.Fatalf("message %d brings the result of %s, which is not used before", i, b.ToolUseID)
				}
				delete(waiting, b.ToolUseID)
			}
		}
		if len(waiting) > 0 {
			t.Fatalf("message %d lacks results: %v", i, waiting)
		}
	}
	if len(open) > 0 {
		t.Fatalf("tools are used last: %v", open)
	}
	return users
}
