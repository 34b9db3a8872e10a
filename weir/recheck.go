package weir

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/keys"
)

// recheckWithin bounds one re-check.
const recheckWithin = time.Minute

// recheck finds out, again and again, whether accounts that could not pay can
// pay now, by calls of one word and one token.
func (g *Gateway) recheck(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.keys.Blocked():
		case <-timer.C:
		}
		due, next := g.keys.Due(time.Now())
		var wg sync.WaitGroup
		for _, check := range due {
			wg.Go(func() { g.probe(ctx, check) })
		}
		wg.Wait()
		if !next.IsZero() {
			timer.Reset(time.Until(next))
		}
	}
}

func (g *Gateway) probe(ctx context.Context, check keys.Check) {
	ctx, cancel := context.WithTimeout(ctx, recheckWithin)
	defer cancel()
	body, _ := json.Marshal(map[string]any{ // strings and numbers only: it cannot fail
		"model": check.Model, "max_tokens": 1,
		"messages": []map[string]string{{"role": "user", "content": "Hi"}},
	})
	now := time.Now()
	g.corridor.Probe(ctx, &call.Call{
		ID: "weir_" + rand.Text(), Received: now, Deadline: now.Add(recheckWithin),
		Endpoint: call.Messages, Method: http.MethodPost, Path: "/v1/messages",
		Header: http.Header{"Content-Type": {"application/json"}, "Anthropic-Version": {"2023-06-01"}},
		Body:   body, Model: check.Model, MaxTokens: 1,
		Class: call.Batch, Tenant: "weir", Lang: "en",
	}, check.Key)
}
