package weir_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/weir"
)

// TestBlocksAreRechecked: an account has no credit for half an hour. The
// gateway finds out by itself that it has again; no caller's request is spent
// on it, and it looks ever more rarely.
func TestBlocksAreRechecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			mu     sync.Mutex
			broke  = true
			asked  int
			probes []string
		)
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			raw, _ := io.ReadAll(r.Body)
			if asked++; string(raw) != request {
				probes = append(probes, string(raw))
			}
			w.Header().Set("Anthropic-Organization-Id", "org")
			if broke {
				w.WriteHeader(http.StatusBadRequest)
				io.WriteString(w, `{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}`)
				return
			}
			io.WriteString(w, answer)
		}, weir.WithAPIKey("main", "sk-ant-main"))
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); h.gateway.Run(ctx) }()
		for range 180 {
			began := time.Now()
			if resp, body := h.post(t, request); resp.StatusCode != http.StatusBadRequest || resp.Header.Get("X-Should-Retry") != "false" || time.Since(began) > 0 {
				t.Fatalf("after %v: %s %s", time.Since(began), resp.Status, body)
			}
			time.Sleep(10 * time.Second)
		}
		mu.Lock()
		if asked-len(probes) != 1 || len(probes) < 4 || len(probes) > 6 {
			t.Errorf("%d calls and %d probes upstream in half an hour", asked-len(probes), len(probes))
		}
		for _, p := range probes {
			if !strings.Contains(p, `"max_tokens":1`) || !strings.Contains(p, `"claude-haiku-4-5"`) || len(p) > 120 {
				t.Errorf("probe %s", p)
			}
		}
		broke = false
		mu.Unlock()
		time.Sleep(17 * time.Minute)
		if resp, body := h.post(t, request); resp.StatusCode != http.StatusOK {
			t.Errorf("with credit again: %s %s", resp.Status, body)
		}
		if h.inFlight() != 0 {
			t.Errorf("%d permits were not settled", h.inFlight())
		}
		stop()
		<-done
	})
}

// TestCallersRecheckWhereNobodyElseDoes: a program that never calls Run is not
// shut out for ever either.
func TestCallersRecheckWhereNobodyElseDoes(t *testing.T) {
	for name, opts := range map[string][]weir.Option{"pass-through": nil, "pool": {weir.WithAPIKey("main", "sk-ant-main")}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
					if asked++; asked == 1 {
						w.WriteHeader(http.StatusPaymentRequired)
						fmt.Fprint(w, `{"type":"error","error":{"type":"billing_error","message":"pay"}}`)
						return
					}
					io.WriteString(w, answer)
				}, opts...)
				for range 3 {
					h.post(t, request)
				}
				if asked != 1 {
					t.Errorf("asked %d times at once", asked)
				}
				time.Sleep(2 * time.Minute)
				if resp, body := h.post(t, request); resp.StatusCode != http.StatusOK {
					t.Errorf("%s %s", resp.Status, body)
				}
			})
		})
	}
}
