package weir_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/sim"
)

// TestEstimatesKnowThePromptCache leads a conversation as Claude Code does: a
// long system prompt and tools, and a mark that moves with the end.
func TestEstimatesKnowThePromptCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, err := sim.New(sim.Config{})
		if err != nil {
			t.Fatal(err)
		}
		b := newLodge(t, api)
		var turns []string
		for i := range 25 {
			role := [2]string{"user", "assistant"}[i%2]
			turns = append(turns, fmt.Sprintf(`{"role":"%s","content":[{"type":"text","text":"turn %d: %s"`, role, i, strings.Repeat("func main() { return } ", 40+7*i)))
			if role == "assistant" {
				continue
			}
			request := `{"model":"claude-sonnet-5","max_tokens":10,"messages":[` + strings.Join(turns, "}]},") + `,"cache_control":{"type":"ephemeral"}}]}],` +
				`"system":[{"type":"text","text":"` + strings.Repeat("You are careful. ", 900) + `","cache_control":{"type":"ephemeral"}}],` +
				`"tools":[{"name":"read","description":"` + strings.Repeat("Reads a file. ", 300) + `","input_schema":{"type":"object"}}]}`
			resp, answer := b.post(t, request)
			synctest.Wait()
			e, ok := b.gateway.Request(resp.Header.Get("Weir-Request-Id"))
			if resp.StatusCode != 200 || !ok {
				t.Fatalf("turn %d: %d %s", i, resp.StatusCode, answer)
			}
			t.Logf("turn %2d: estimated %5d (±%.0f %%) beside %5d cached; charged %5d beside %5d", i,
				e.Estimate.Input, 100*e.Estimate.Spread, e.Estimate.Cached, e.Usage.Charged(), e.Usage.CacheRead)
			if off := e.Estimate.Cached - e.Usage.CacheRead; i > 0 && (off > 50 || off < -50) {
				t.Errorf("turn %d: expected to read %d from the cache, read %d", i, e.Estimate.Cached, e.Usage.CacheRead)
			}
			if i > 8 && (e.Estimate.Input < e.Usage.Charged() || 10*e.Estimate.Input > 15*e.Usage.Charged()) {
				t.Errorf("turn %d: estimated %d, charged %d", i, e.Estimate.Input, e.Usage.Charged())
			}
			time.Sleep(30 * time.Second)
		}
	})
}
