package weir_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// eventsOf reads a stream as a client's library does.
func eventsOf(t *testing.T, stream string) (list []map[string]any) {
	t.Helper()
	for part := range strings.SplitSeq(strings.TrimSpace(stream), "\n\n") {
		name, data, ok := strings.Cut(part, "\ndata: ")
		var e map[string]any
		if err := json.Unmarshal([]byte(data), &e); !ok || err != nil {
			t.Fatalf("%v: %q", err, part)
		}
		if name != "event: "+e["type"].(string) {
			t.Errorf("event %q holds %v", name, e["type"])
		}
		if e["type"] != "ping" {
			list = append(list, e)
		}
	}
	return list
}

// messageOf puts together what a client's library makes of a stream.
func messageOf(t *testing.T, list []map[string]any) map[string]any {
	t.Helper()
	type object = map[string]any
	var message object
	var blocks []any
	var input string
	for _, e := range list {
		switch e["type"] {
		case "message_start":
			message = e["message"].(object)
		case "content_block_start":
			blocks, input = append(blocks, e["content_block"]), ""
		case "content_block_delta":
			block, delta := blocks[len(blocks)-1].(object), e["delta"].(object)
			for _, field := range []string{"text", "thinking", "signature"} {
				if more, ok := delta[field].(string); ok {
					block[field] = block[field].(string) + more
				}
			}
			if more, ok := delta["partial_json"].(string); ok {
				input += more
			}
		case "content_block_stop":
			if block := blocks[len(blocks)-1].(object); block["type"] == "tool_use" && input != "" {
				var v any
				if err := json.Unmarshal([]byte(input), &v); err != nil {
					t.Fatal(err)
				}
				block["input"] = v
			}
		case "message_delta":
			maps.Copy(message, e["delta"].(object))
			maps.Copy(message["usage"].(object), e["usage"].(object))
		}
	}
	message["content"] = blocks
	return message
}

// TestReplay keeps answers of the simulator in either form and asks for them in
// both: the same events, and the same message.
func TestReplay(t *testing.T) {
	const tool = `"tools":[{"name":"look","description":"d","input_schema":{"type":"object","properties":{"where":{"type":"string"},"n":{"type":"integer"}},"required":["where","n"]}}],"tool_choice":{"type":"any"}`
	for name, more := range map[string]string{
		"text": `"max_tokens":4000`, "tool": `"max_tokens":4000,` + tool,
		"thinking": `"max_tokens":4000,"thinking":{"type":"enabled","budget_tokens":1024}`,
		"stop":     `"max_tokens":4000,"stop_sequences":["a"]`,
		"json":     `"max_tokens":4000,"output_config":{"format":{"type":"json_schema","schema":{"type":"object","properties":{"x":{"type":"string"}},"required":["x"],"additionalProperties":false}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api, err := sim.New(sim.Config{})
				if err != nil {
					t.Fatal(err)
				}
				b := newLodge(t, api, weir.WithCache(weir.Cache{Default: call.CacheOn}))
				for _, kept := range []bool{true, false} {
					body := func(stream bool) string {
						s := `{"model":"claude-sonnet-4-5",` + more + `,"messages":[{"role":"user","content":"` + map[bool]string{true: "one", false: "two"}[kept] + `"}]`
						if stream {
							s += `,"stream":true`
						}
						return s + "}"
					}
					ask := func(stream bool, want string) string {
						resp, text := send(t, &http.Client{Transport: b.door}, newPost(t, "http://weir/v1/messages", body(stream), "Anthropic-Version", "2023-06-01", "X-Sim-Output-Tokens", "300"))
						if resp.StatusCode != 200 || resp.Header.Get("Weir-Cache") != want {
							t.Fatalf("%d %s: %s", resp.StatusCode, resp.Header.Get("Weir-Cache"), text)
						}
						return text
					}
					first := ask(kept, "miss")
					if again := ask(kept, "hit"); again != first {
						t.Errorf("replayed as it came, it is another one:\n%s", cmp.Diff(first, again))
					}
					other := ask(!kept, "hit")
					stream, whole := first, other
					if !kept {
						stream, whole = other, first
					}
					var message map[string]any
					if err := json.Unmarshal([]byte(whole), &message); err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(message, messageOf(t, eventsOf(t, stream))); diff != "" {
						t.Errorf("kept as a stream: %v\n%s", kept, diff)
					}
				}
			})
		})
	}
}

// TestSideDoorHasTheCache: a Go program gets hits by the same corridor.
func TestSideDoorHasTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, whole)
		}, weir.WithCache(weir.Cache{}))
		client := &http.Client{Transport: h.gateway.Transport()}
		for _, want := range []string{"miss", "hit"} {
			resp, text := send(t, client, newPost(t, "http://any/v1/messages", request, "Weir-Cache", "on"))
			if got := resp.Header.Get("Weir-Cache"); got != want || text != whole {
				t.Errorf("%s, want %s: %s", got, want, text)
			}
		}
		events := h.journal.list
		if len(events) != 2 || events[1].Cached != call.CacheHit || events[1].Cost != 0 || events[1].Usage != (call.Usage{}) || events[0].Cost == 0 {
			t.Errorf("booked %+v", events)
		}
	})
}
