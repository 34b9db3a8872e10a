package classify_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/classify"
)

// house lets three clients in, of which only the first may use every model.
func house() *classify.Room {
	clients := classify.Clients{}
	clients.Add("any", classify.Client{Name: "any", Tenant: "a"})
	clients.Add("small", classify.Client{Name: "small", Tenant: "a", Models: []string{"claude-haiku-*", "claude-sonnet-5"}})
	clients.Add("none", classify.Client{Name: "none", Tenant: "a", Models: []string{}})
	clients.Add("sonnet", classify.Client{Name: "sonnet", Tenant: "b"})
	clients.Add("version", classify.Client{Name: "version", Tenant: "a", Models: []string{"claude-3-5-sonnet-20240620"}})
	return classify.New(classify.Config{MaxBody: 1 << 20, Access: classify.Access{Clients: clients, Models: map[string][]string{
		"b": {"claude-sonnet-*"}, "haiku": {"claude-haiku-*"},
	}}})
}

// asking is a request of a model, with members of its own.
func asking(model, members string) string {
	return `{"model":"` + model + `",` + members + `"max_tokens":10,"messages":[{"role":"user","content":[{"type":"text","text":"hi","model":"claude-opus-5"}]}]}`
}

func batchOf(requests ...string) string {
	for i, r := range requests {
		requests[i] = `{"custom_id":"x","params":` + r + `}`
	}
	return `{"requests":[` + strings.Join(requests, ",") + `]}`
}

// refusal is how a request is refused, or nil.
func refusal(t *testing.T, r *classify.Room, req *http.Request) *call.Refusal {
	t.Helper()
	_, err := r.Classify(req, now)
	no, ok := errors.AsType[*call.Refusal](err)
	if err != nil && !ok {
		t.Fatal(err)
	}
	return no
}

func TestRights(t *testing.T) {
	const messages, count, batches = "/v1/messages", "/v1/messages/count_tokens", "/v1/messages/batches"
	for name, c := range map[string]struct {
		token, path, body string
		tenant            string // in the header
		denied            string // "": it goes on
	}{
		"anything":            {"any", messages, asking("claude-opus-5", ""), "", ""},
		"by-pattern":          {"small", messages, asking("claude-haiku-4-5", ""), "", ""},
		"by-name":             {"small", messages, asking("claude-sonnet-5", ""), "", ""},
		"version-of-a-name":   {"small", messages, asking("claude-sonnet-5-20260203", ""), "", ""},
		"longer-name":         {"small", messages, asking("claude-sonnet-5-5", ""), "", "claude-sonnet-5-5"},
		"latest":              {"version", messages, asking("claude-3-5-sonnet-latest", ""), "", "claude-3-5-sonnet-latest"},
		"another-version":     {"version", messages, asking("claude-3-5-sonnet-20241022", ""), "", "claude-3-5-sonnet-20241022"},
		"name-of-a-version":   {"version", messages, asking("claude-3-5-sonnet", ""), "", "claude-3-5-sonnet"},
		"other-case":          {"small", messages, asking("Claude-Haiku-4-5", ""), "", "Claude-Haiku-4-5"},
		"denied":              {"small", messages, asking("claude-opus-5", ""), "", "claude-opus-5"},
		"denied-count":        {"small", count, asking("claude-opus-5", ""), "", "claude-opus-5"},
		"nothing-allowed":     {"none", messages, asking("claude-haiku-4-5", ""), "", "claude-haiku-4-5"},
		"escaped":             {"small", messages, asking(`claude-\u006fpus-5`, ""), "", "claude-opus-5"},
		"tenant-of-token":     {"sonnet", messages, asking("claude-haiku-4-5", ""), "", "claude-haiku-4-5"},
		"tenant-of-token-too": {"sonnet", messages, asking("claude-haiku-4-5", ""), "haiku", "claude-haiku-4-5"},
		"named-tenant":        {"any", messages, asking("claude-opus-5", ""), "haiku", "claude-opus-5"},
		"nobody-left":         {"sonnet", messages, asking("claude-sonnet-5", ""), "haiku", "claude-sonnet-5"},
		"both-tenants":        {"small", messages, asking("claude-haiku-4-5", ""), "haiku", ""},
		"fallbacks":           {"small", messages, asking("claude-haiku-4-5", `"fallbacks":[{"model":"claude-sonnet-5"},{"model":"claude-opus-5"}],`), "", "claude-opus-5"},
		"allowed-fallbacks":   {"small", messages, asking("claude-haiku-4-5", `"fallbacks":[{"model":"claude-sonnet-5"}],`), "", ""},
		"default-fallbacks":   {"small", messages, asking("claude-haiku-4-5", `"fallbacks":"default",`), "", "default"},
		"advisor":             {"small", messages, asking("claude-haiku-4-5", `"tools":[{"type":"advisor_20260301","name":"advisor","model":"claude-opus-5"}],`), "", "claude-opus-5"},
		"hidden-advisor":      {"small", messages, asking("claude-haiku-4-5", `"tools":[{"type":"advisor_20260301","name":"advisor","mod\u0065l":"claude-opus-5"}],`), "", "claude-opus-5"},
		"speech-of-models":    {"small", messages, asking("claude-haiku-4-5", `"tools":[{"name":"t","input_schema":{"properties":{"model":{"type":"string"}},"default":{"model":"claude-opus-5"}}}],`), "", ""},
		"batch":               {"small", batches, batchOf(asking("claude-haiku-4-5", ""), asking("claude-sonnet-5", "")), "", ""},
		"denied-batch":        {"small", batches, batchOf(asking("claude-haiku-4-5", ""), asking("claude-opus-5", "")), "", "claude-opus-5"},
		"batch-for-tenant":    {"any", batches, batchOf(asking("claude-opus-5", "")), "haiku", "claude-opus-5"},
		"any-batch":           {"any", batches, "not read", "", ""},
		"cancelled-batch":     {"small", batches + "/msgbatch_1/cancel", "", "", ""},
		"file":                {"small", "/v1/files", "not read", "", ""},
		"agent":               {"small", "/v1/agents", `{"model":"claude-haiku-4-5"}`, "", "POST /v1/agents"},
		"any-agent":           {"any", "/v1/agents", `{"model":"claude-opus-5"}`, "", ""},
		"detour":              {"small", "/v1/messages/../messages", asking("claude-opus-5", ""), "", "POST /v1/messages/../messages"},
		"detour-by-batches":   {"small", "/v1/messages/batches/../../agents", asking("claude-opus-5", ""), "", "POST /v1/messages/batches/../../agents"},
		"detour-by-cancel":    {"small", "/v1/messages/batches/..%2F..%2Fagents%2Fx%2F/cancel", "", "", "POST /v1/messages/batches/../../agents/x//cancel"},
	} {
		headers := []string{"X-Api-Key", c.token}
		if c.tenant != "" {
			headers = append(headers, "Weir-Tenant", c.tenant)
		}
		no := refusal(t, house(), request("POST", c.path, c.body, headers...))
		switch {
		case no == nil && c.denied != "":
			t.Errorf("%s: it went on", name)
		case no != nil && (no.Reason != call.ModelDenied || no.Detail != c.denied):
			t.Errorf("%s: %v, want %q", name, no, c.denied)
		}
	}
}

// TestRightsSayWhatIsAllowed: to both, where two say something.
func TestRightsSayWhatIsAllowed(t *testing.T) {
	for headers, want := range map[[2]string][]string{
		{"small", ""}:       {"claude-haiku-*", "claude-sonnet-5"},
		{"small", "haiku"}:  {"claude-haiku-*"},
		{"small", "b"}:      {"claude-sonnet-5"},
		{"sonnet", "haiku"}: nil,
		{"none", ""}:        nil,
	} {
		no := refusal(t, house(), request("POST", "/v1/messages", asking("claude-opus-5", ""), "X-Api-Key", headers[0], "Weir-Tenant", headers[1]))
		if no == nil || !slices.Equal(no.Allowed, want) {
			t.Errorf("%v: %+v, want %v", headers, no, want)
		}
	}
}

// TestBatchIsReadWhereItMustBe: then it is bounded, and goes on as it came.
func TestBatchIsReadWhereItMustBe(t *testing.T) {
	body := batchOf(asking("claude-haiku-4-5", ""))
	for token, want := range map[string]string{"small": body, "any": ""} {
		req := request("POST", "/v1/messages/batches", body, "X-Api-Key", token)
		c, err := house().Classify(req, now)
		left, _ := io.ReadAll(req.Body)
		if err != nil || string(c.Body) != want || string(c.Body)+string(left) != body {
			t.Errorf("%s: %v, read %q and left %q", token, err, c.Body, left)
		}
	}
	for name, c := range map[string]struct {
		body   string
		reason call.Reason
	}{
		"large":       {batchOf(strings.Repeat(" ", 1<<20)), call.BodyTooLarge},
		"broken":      {body[:len(body)-4], call.Malformed},
		"two-objects": {body + batchOf(asking("claude-opus-5", "")), call.Malformed},
		"twice":       {batchOf(`{"model":"claude-haiku-4-5","model":"claude-opus-5"}`), call.Malformed},
		"not-unicode": {batchOf("{\"model\":\"claude-haiku-\xff\"}"), call.Malformed},
	} {
		no := refusal(t, house(), request("POST", "/v1/messages/batches", c.body, "X-Api-Key", "small"))
		if no == nil || no.Reason != c.reason {
			t.Errorf("%s: %v", name, no)
		}
	}
}
