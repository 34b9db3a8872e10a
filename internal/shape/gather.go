package shape

import (
	"bytes"
	"strings"

	"github.com/weir-gateway/weir/call"
)

// Gather is the step that has long answers sent as a stream and put together
// for callers that asked for one piece: nothing between Weir and the API is
// silent for long then, and a stall shows within its patience.
type Gather struct {
	Above call.Tokens // only calls whose max_tokens is larger; 0: none
}

// Prepare implements [Step]. The estimate does not depend on it.
func (g Gather) Prepare(c *call.Call) bool {
	c.Gather = g.Above > 0 && !c.Stream && c.MaxTokens > g.Above && !eager(c)
	return false
}

// eager reports whether a stream may bring something else than the answer in
// one piece: the input of tools, before the API has checked it.
func eager(c *call.Call) bool {
	for _, list := range c.Header["Anthropic-Beta"] {
		if strings.Contains(list, "fine-grained-tool-streaming") {
			return true
		}
	}
	return bytes.Contains(c.Body, []byte("eager_input_streaming"))
}
