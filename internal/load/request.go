package load

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strconv"

	"github.com/weir-gateway/weir/call"
)

// question is one request, ready to be sent as often as the policy wants.
type question struct {
	body      []byte
	header    http.Header
	tenant    Tenant
	model     string
	stream    bool
	maxTokens int
	made      bool        // its text is made up, not recorded
	size      call.Tokens // input tokens aimed for, cached part included
}

type wireText struct {
	Type  string     `json:"type"`
	Text  string     `json:"text"`
	Cache *wireCache `json:"cache_control,omitempty"`
}

type wireCache struct {
	Type string `json:"type"`
}

type wireMessage struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type wireMetadata struct {
	UserID string `json:"user_id"`
}

type wireRequest struct {
	Model     string        `json:"model"`
	MaxTokens int           `json:"max_tokens"`
	Stream    bool          `json:"stream,omitempty"`
	Metadata  *wireMetadata `json:"metadata,omitempty"`
	System    []wireText    `json:"system,omitempty"`
	Messages  []wireMessage `json:"messages"`
}

// draw makes one question of w for tenant.
func (w Workload) draw(rng *rand.Rand, prose *Prose, tenant Tenant) question {
	own := call.Tokens(float64(w.Input.Draw(rng)) * (1 - w.CachedShare))
	shared := call.Tokens(w.Input.Mean() * w.CachedShare)
	q := question{
		tenant: tenant,
		model:  w.Models[rng.IntN(len(w.Models))],
		stream: rng.Float64() < w.StreamShare,
		made:   true,
		size:   own + shared,
	}
	output := w.Output.Draw(rng)
	wire := wireRequest{
		Model:     q.model,
		MaxTokens: max(w.MaxTokens, int(output)),
		Stream:    q.stream,
		Messages:  []wireMessage{{Role: "user", Content: prose.Passage(rng, own)}},
	}
	if tenant.Name != "" {
		wire.Metadata = &wireMetadata{UserID: tenant.Name}
	}
	if shared > 0 {
		wire.System = []wireText{{
			Type:  "text",
			Text:  prose.Opening(shared),
			Cache: &wireCache{Type: "ephemeral"},
		}}
	}
	q.maxTokens = wire.MaxTokens
	q.body, _ = json.Marshal(wire) // strings and numbers alone cannot fail
	q.header = w.header(tenant, output)
	return q
}

// header returns what an SDK would send, and what steers Weir and the
// simulator.
func (w Workload) header(tenant Tenant, output call.Tokens) http.Header {
	h := http.Header{}
	h.Set("content-type", "application/json")
	h.Set("anthropic-version", "2023-06-01")
	h.Set("user-agent", "weir-load")
	h.Set("x-stainless-timeout", strconv.Itoa(int(w.Timeout.Seconds())))
	h.Set("x-sim-output-tokens", strconv.FormatInt(int64(output), 10))
	if tenant.Name != "" {
		h.Set("weir-tenant", tenant.Name)
	}
	if tenant.Class != "" {
		h.Set("weir-class", tenant.Class)
	}
	return h
}
