package bench

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/load"
)

// coder makes the requests of coding agents such as Claude Code: large
// definitions of tools and a long system prompt, and a conversation that grows
// by a call of a tool and its result at each turn. All of them have the same
// tools and the same instructions; what is told of the project is each
// session's own.
type coder struct {
	prose *load.Prose
	tools []codeTool
	rules string
	marks bool // as Claude Code sets them: at the end of tools, system and the last two user turns
}

type codeTool struct {
	Name        string         `json:"name"`
	Description string         `json:"description"`
	InputSchema map[string]any `json:"input_schema"`
	Cache       *codeMark      `json:"cache_control,omitempty"`
}

type codeMark struct {
	Type string `json:"type"`
}

type codeBlock struct {
	Type      string         `json:"type"`
	Text      string         `json:"text,omitempty"`
	ID        string         `json:"id,omitempty"`
	Name      string         `json:"name,omitempty"`
	Input     map[string]any `json:"input,omitempty"`
	ToolUseID string         `json:"tool_use_id,omitempty"`
	Content   string         `json:"content,omitempty"`
	Cache     *codeMark      `json:"cache_control,omitempty"`
}

type codeMessage struct {
	Role    string      `json:"role"`
	Content []codeBlock `json:"content"`
}

type codeRequest struct {
	Model     string        `json:"model"`
	MaxTokens int           `json:"max_tokens"`
	Stream    bool          `json:"stream"`
	System    []codeBlock   `json:"system"`
	Tools     []codeTool    `json:"tools"`
	Messages  []codeMessage `json:"messages"`
}

// Sizes of what all sessions share, in tokens: about 17,000 together.
const (
	codeTools  = 14
	codeTool1  = 850
	codeRules  = 4500
	codeOwn    = 350
	codeModel  = "claude-sonnet-5"
	codeAnswer = 32_000 // max_tokens
)

func newCoder(prose *load.Prose, marks bool) *coder {
	c := &coder{prose: prose, rules: prose.Opening(codeRules), marks: marks}
	for i := range codeTools {
		c.tools = append(c.tools, codeTool{
			Name: fmt.Sprintf("Tool%d", i), Description: prose.Opening(codeTool1 + call.Tokens(i)),
			InputSchema: map[string]any{"type": "object", "properties": map[string]any{"path": map[string]any{"type": "string"}}},
		})
	}
	if marks {
		c.tools[codeTools-1].Cache = &codeMark{"ephemeral"}
	}
	return c
}

// session is one conversation.
type session struct {
	coder   *coder
	rng     *rand.Rand
	request codeRequest
	turns   int // that are left
}

// open begins a conversation.
func (c *coder) open(rng *rand.Rand) *session {
	own := codeBlock{Type: "text", Text: "Working directory: /home/" + c.prose.Passage(rng, codeOwn)}
	if c.marks {
		own.Cache = &codeMark{"ephemeral"}
	}
	return &session{coder: c, rng: rng, turns: 15 + rng.IntN(40), request: codeRequest{
		Model: codeModel, MaxTokens: codeAnswer, Stream: true, Tools: c.tools,
		System: []codeBlock{{Type: "text", Text: c.rules}, own},
		Messages: []codeMessage{{Role: "user", Content: []codeBlock{
			{Type: "text", Text: "<reminder>" + c.prose.Passage(rng, 400)},
			{Type: "text", Text: c.prose.Passage(rng, 120)},
		}}},
	}}
}

// body is the next request.
func (s *session) body() []byte {
	if s.coder.marks {
		left := 2
		for i := len(s.request.Messages) - 1; i >= 0; i-- {
			m := &s.request.Messages[i]
			last := &m.Content[len(m.Content)-1]
			if last.Cache = nil; m.Role == "user" && left > 0 {
				last.Cache = &codeMark{"ephemeral"}
				left--
			}
		}
	}
	body, _ := json.Marshal(s.request) // strings and numbers alone cannot fail
	return body
}

// results are how long what tools bring is: most of it is short, some are files.
func results() load.Size { return load.Lognormal(700, 8000, 1) }

// goOn adds what the model said and what its tools brought: mostly one call, at
// times several at once, and now and then the person says something.
func (s *session) goOn() {
	calls := 1
	if s.rng.IntN(8) == 0 {
		calls += s.rng.IntN(6)
	}
	said := codeMessage{Role: "assistant", Content: []codeBlock{{Type: "text", Text: s.coder.prose.Passage(s.rng, 60)}}}
	brought := codeMessage{Role: "user"}
	for i := range calls {
		id := fmt.Sprintf("toolu_%d_%d_%d", len(s.request.Messages), i, s.rng.IntN(1e9))
		said.Content = append(said.Content, codeBlock{
			Type: "tool_use", ID: id, Name: s.coder.tools[s.rng.IntN(codeTools)].Name,
			Input: map[string]any{"path": s.coder.prose.Passage(s.rng, 90)},
		})
		brought.Content = append(brought.Content, codeBlock{
			Type: "tool_result", ToolUseID: id, Content: s.coder.prose.Passage(s.rng, results().Draw(s.rng)),
		})
	}
	if s.rng.IntN(6) == 0 {
		brought.Content = append(brought.Content, codeBlock{Type: "text", Text: s.coder.prose.Passage(s.rng, 80)})
	}
	s.request.Messages = append(s.request.Messages, said, brought)
	s.turns--
}

// pause is how long it is until the next turn: tools run, people read, and
// sometimes they go to lunch, longer than the upstream remembers.
func (s *session) pause() time.Duration {
	seconds := 0.5 + 4*s.rng.Float64()
	switch n := s.rng.IntN(100); {
	case n == 0:
		seconds += 400
	case n < 10:
		seconds += 20 + 40*s.rng.Float64()
	}
	return time.Duration(seconds * float64(time.Second))
}

// readUsage finds the usage in a streamed answer.
func readUsage(stream string) (u call.Usage, ok bool) {
	for line := range strings.Lines(stream) {
		data, found := strings.CutPrefix(line, "data: ")
		if !found || !strings.Contains(data, `"message_start"`) {
			continue
		}
		var start struct {
			Message struct {
				Usage struct {
					Input int64 `json:"input_tokens"`
					Write int64 `json:"cache_creation_input_tokens"`
					Read  int64 `json:"cache_read_input_tokens"`
				}
			}
		}
		if json.Unmarshal([]byte(data), &start) != nil {
			return u, false
		}
		wire := start.Message.Usage
		return call.Usage{Input: call.Tokens(wire.Input), CacheWrite: call.Tokens(wire.Write), CacheRead: call.Tokens(wire.Read)}, true
	}
	return u, false
}
