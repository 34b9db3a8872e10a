package conformance

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/anthropics/anthropic-sdk-go/v2"
	"github.com/anthropics/anthropic-sdk-go/v2/option"
)

func TestCreate(t *testing.T) {
	t.Parallel()
	client, sent := newClient("main")
	m, err := client.Messages.New(t.Context(), ask("Say hello.", 64))
	if err != nil {
		t.Fatal(err)
	}
	if text(m) == "" || m.Role != "assistant" || m.StopReason == "" || m.ID == "" {
		t.Errorf("incomplete message: %s", m.RawJSON())
	}
	if m.Model != model {
		t.Errorf("model = %q, want %q", m.Model, model)
	}
	if m.Usage.InputTokens <= 0 || m.Usage.OutputTokens <= 0 {
		t.Errorf("usage = %+v, want both counts", m.Usage)
	}
	if n := sent.Load(); n != 1 {
		t.Errorf("the SDK sent %d requests, want 1", n)
	}
}

// TestBaseURLWithVersion: the commonest mistake in setting the base URL. The
// simulator, like the API, does not forgive it.
func TestBaseURLWithVersion(t *testing.T) {
	t.Parallel()
	needGateway(t)
	client, _ := newClient("main", option.WithBaseURL(env("WEIR_URL")+"/v1"))
	if _, err := client.Messages.New(t.Context(), ask("Say hello.", 64)); err != nil {
		t.Error(err)
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	client, _ := newClient("main")
	stream := client.Messages.NewStreaming(t.Context(), ask("Tell me about weirs.", 200))
	defer stream.Close()
	var (
		m      anthropic.Message
		events []string
		deltas string
	)
	for stream.Next() {
		event := stream.Current()
		if err := m.Accumulate(event); err != nil {
			t.Fatalf("accumulate %s: %v", event.Type, err)
		}
		deltas += event.Delta.Text
		events = append(events, event.Type)
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	// Runs of one event become one.
	order := slices.Compact(events)
	want := []string{
		"message_start", "content_block_start", "content_block_delta",
		"content_block_stop", "message_delta", "message_stop",
	}
	if !slices.Equal(order, want) {
		t.Errorf("events = %v, want %v", order, want)
	}
	if text(&m) == "" || text(&m) != deltas {
		t.Errorf("assembled %q of deltas %q", text(&m), deltas)
	}
	if m.Usage.InputTokens <= 0 || m.Usage.OutputTokens <= 1 || m.StopReason == "" {
		t.Errorf("usage = %+v, stop reason %q", m.Usage, m.StopReason)
	}
}

// weather is a request that must be answered by a call of a tool.
func weather() anthropic.MessageNewParams {
	params := ask("What is the weather in Lyon?", 200)
	params.Tools = []anthropic.ToolUnionParam{anthropic.ToolUnionParamOfTool(
		anthropic.ToolInputSchemaParam{
			Properties: map[string]any{"city": map[string]any{"type": "string"}},
			Required:   []string{"city"},
		}, "get_weather")}
	params.ToolChoice = anthropic.ToolChoiceParamOfTool("get_weather")
	return params
}

func TestToolUse(t *testing.T) {
	t.Parallel()
	client, _ := newClient("main")
	params := weather()
	m, err := client.Messages.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	use := toolUse(t, m)

	params.Messages = append(params.Messages, m.ToParam(),
		anthropic.NewUserMessage(anthropic.NewToolResultBlock(use.ID, "18 degrees, light rain", false)))
	params.ToolChoice = anthropic.ToolChoiceUnionParam{OfAuto: &anthropic.ToolChoiceAutoParam{}}
	m, err = client.Messages.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	if text(m) == "" || m.StopReason == anthropic.StopReasonToolUse {
		t.Errorf("after the tool's result: stop reason %q, text %q", m.StopReason, text(m))
	}
}

func TestToolUseStream(t *testing.T) {
	t.Parallel()
	client, _ := newClient("main")
	stream := client.Messages.NewStreaming(t.Context(), weather())
	defer stream.Close()
	var m anthropic.Message
	for stream.Next() {
		if err := m.Accumulate(stream.Current()); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	toolUse(t, &m)
}

// toolUse returns the only tool call of m, checked.
func toolUse(t *testing.T, m *anthropic.Message) anthropic.ToolUseBlock {
	t.Helper()
	if m.StopReason != anthropic.StopReasonToolUse {
		t.Fatalf("stop reason %q, want tool_use: %s", m.StopReason, m.RawJSON())
	}
	for _, block := range m.Content {
		use, ok := block.AsAny().(anthropic.ToolUseBlock)
		if !ok {
			continue
		}
		if use.Name != "get_weather" || use.ID == "" || !json.Valid(use.Input) {
			t.Fatalf("tool use = %s", use.RawJSON())
		}
		return use
	}
	t.Fatalf("no tool_use block in %s", m.RawJSON())
	return anthropic.ToolUseBlock{}
}

func TestCountTokens(t *testing.T) {
	t.Parallel()
	client, _ := newClient("main")
	n, err := client.Messages.CountTokens(t.Context(), anthropic.MessageCountTokensParams{
		Model:    model,
		Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("How long is this?"))},
	})
	if err != nil {
		t.Fatal(err)
	}
	if n.InputTokens <= 0 {
		t.Errorf("input_tokens = %d", n.InputTokens)
	}
}

func TestModels(t *testing.T) {
	t.Parallel()
	client, _ := newClient("main")
	var ids []string
	pages := client.Models.ListAutoPaging(t.Context(), anthropic.ModelListParams{})
	for pages.Next() {
		ids = append(ids, pages.Current().ID)
	}
	if err := pages.Err(); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(ids, model) {
		t.Fatalf("%q is not among the listed models %v", model, ids)
	}
	info, err := client.Models.Get(t.Context(), model, anthropic.ModelGetParams{})
	if err != nil {
		t.Fatal(err)
	}
	if info.ID != model || info.DisplayName == "" {
		t.Errorf("model = %s", info.RawJSON())
	}
}

func TestCancelMidStream(t *testing.T) {
	t.Parallel()
	client, _ := newClient("cancel")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const long = 50_000 // tokens, many seconds' worth
	stream := client.Messages.NewStreaming(ctx, ask("Count to ten thousand.", 64_000), tokens(long))
	defer stream.Close()
	for seen := 0; seen < 3 && stream.Next(); {
		if stream.Current().Type == "content_block_delta" {
			seen++
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	cancel()
	// The upstream goes on charging as long as it does not know.
	last := -1
	eventually(t, 5*time.Second, "the upstream sees that the client has left", func() bool {
		before := last
		last = upstream(t, "cancel").output
		return last == before
	})
	if last <= 0 || last >= long/2 {
		t.Errorf("the upstream produced %d tokens of %d for a client that left at the third", last, long)
	}
}
