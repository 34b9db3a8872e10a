package message_test

import (
	"encoding/json"
	"testing"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/message"
)

func TestUsageOver(t *testing.T) {
	var u call.Usage
	for _, step := range []struct {
		text string
		want call.Usage
	}{
		{`{"input_tokens":9,"cache_creation_input_tokens":5,"cache_read_input_tokens":4,"output_tokens":1,"cache_creation":{"ephemeral_1h_input_tokens":2},"service_tier":"batch","inference_geo":"us"}`,
			call.Usage{Input: 9, CacheWrite: 5, CacheRead: 4, Output: 1, HourWrite: 2, Batch: true, US: true}},
		{`{"output_tokens":30,"input_tokens":null,"server_tool_use":{"web_search_requests":3}}`,
			call.Usage{Input: 9, CacheWrite: 5, CacheRead: 4, Output: 30, HourWrite: 2, Searches: 3, Batch: true, US: true}},
		{`{"output_tokens":-1,"input_tokens":-1,"server_tool_use":{"web_search_requests":-1},"speed":"fast"}`,
			call.Usage{Input: 9, CacheWrite: 5, CacheRead: 4, Output: 30, HourWrite: 2, Searches: 3, Batch: true, US: true, Fast: true}},
	} {
		var w message.Usage
		if err := json.Unmarshal([]byte(step.text), &w); err != nil {
			t.Fatal(err)
		}
		if u = w.Over(u); u != step.want {
			t.Errorf("after %s: %+v, want %+v", step.text, u, step.want)
		}
	}
}
