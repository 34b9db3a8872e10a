package load

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// replay sends the trace's requests at their times, whether or not answers come
// back. As in an open loop, those that find no slot are dropped and counted.
func (r *runner) replay(ctx context.Context) {
	arrive := r.arrivals()
	defer arrive.wg.Wait()
	began := time.Now()
	for n, a := range r.workload.Trace {
		at := began.Add(time.Duration(a.At / r.workload.Speed * float64(time.Second)))
		if !arrive.at(ctx, at, func() {
			rng := r.rng(uint64(n))
			r.ask(ctx, rng, r.workload.recorded(a, r.prose.Passage(rng, a.InputTokens)), n)
		}) {
			return
		}
	}
}

// recorded makes the question of a line; text is for one without a body.
func (w Workload) recorded(a Arrival, text string) question {
	tenant := Tenant{Name: a.Tenant, Class: a.Class}
	q := question{
		body: a.Body, tenant: tenant, header: w.header(tenant, a.OutputTokens), size: a.InputTokens,
		model: cmp.Or(a.head.Model, w.Models[0]), maxTokens: cmp.Or(a.head.MaxTokens, w.MaxTokens), stream: a.head.Stream,
	}
	if a.OutputTokens == 0 {
		q.header.Del("x-sim-output-tokens")
	}
	if a.Body == nil {
		q.made = true
		q.maxTokens = max(q.maxTokens, int(a.OutputTokens))
		wire := wireRequest{
			Model: q.model, MaxTokens: q.maxTokens, Stream: q.stream,
			Messages: []wireMessage{{Role: "user", Content: text}},
		}
		if tenant.Name != "" {
			wire.Metadata = &wireMetadata{UserID: tenant.Name}
		}
		q.body, _ = json.Marshal(wire) // as in draw
	}
	return q
}

// Priceable says which line of a trace holds what no bound of its cost is known
// for, and nil if none does: a [Purse] can hold text and the caller's own tools
// at their worst, and nothing that the API fetches, decodes or runs itself.
func Priceable(trace []Arrival) error {
	for i, a := range trace {
		if a.Body == nil {
			continue
		}
		var body map[string]any
		if err := json.Unmarshal(a.Body, &body); err != nil {
			return err
		}
		if what := unpriced(body); what != "" {
			return fmt.Errorf("request %d of the trace has %s, whose cost has no known bound: leave it out, or run without --max-cost", i+1, what)
		}
	}
	return nil
}

// unpriced names what in a body has no bound, or "".
func unpriced(body map[string]any) string {
	for _, field := range []string{"mcp_servers", "container"} {
		if body[field] != nil {
			return field
		}
	}
	tools, _ := body["tools"].([]any)
	for _, t := range tools {
		tool, _ := t.(map[string]any)
		if kind, _ := tool["type"].(string); kind != "" && kind != "custom" {
			return "the tool " + kind
		}
	}
	if kind, err := media(body, 0); err != nil {
		return "blocks too deep to see"
	} else if kind != "" {
		return "a block of type " + kind
	}
	return ""
}

// media finds the first block whose tokens its bytes do not bound.
func media(v any, depth int) (kind string, err error) {
	if depth > 100 {
		return "", errors.New("too deep")
	}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if kind, err = media(e, depth+1); kind != "" || err != nil {
				return kind, err
			}
		}
	case map[string]any:
		switch t, _ := v["type"].(string); t {
		case "image", "document", "container_upload", "url", "file":
			return t, nil
		}
		for _, e := range v {
			if kind, err = media(e, depth+1); kind != "" || err != nil {
				return kind, err
			}
		}
	}
	return "", nil
}
