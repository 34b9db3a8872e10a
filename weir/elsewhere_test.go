package weir_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/weir"
)

// byHost counts the calls of each upstream.
type byHost struct {
	mu sync.Mutex
	n  map[string]int // guarded by mu
}

func (b *byHost) count(r *http.Request) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.n == nil {
		b.n = map[string]int{}
	}
	b.n[r.Host]++
	return b.n[r.Host]
}

func (b *byHost) of(host string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.n[host]
}

// twoHomes are keys at two upstreams.
var twoHomes = weir.WithAPIKeys(
	weir.APIKey{Name: "main", Secret: "sk-ant-main"},
	weir.APIKey{Name: "relay", Secret: "sk-ant-relay", Upstream: "http://relay/v1"},
)

// TestAnotherUpstreamTakesOver: one of two upstreams fails for a minute. Nobody
// notices; its breaker keeps calls away from it, and it is used again after it
// has recovered.
func TestAnotherUpstreamTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		var calls byHost
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
			calls.count(r)
			if want := map[string]string{"api": "sk-ant-main", "relay": "sk-ant-relay"}[r.Host]; r.Header.Get("X-Api-Key") != want {
				t.Errorf("%s was sent the key %s", r.Host, r.Header.Get("X-Api-Key"))
			}
			if down.Load() && r.Host == "relay" {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			io.WriteString(w, answer)
		}, twoHomes)
		ask := func(n int) {
			for i := range n {
				if resp, body := h.post(t, request, "X-Claude-Code-Session-Id", fmt.Sprint(i)); resp.StatusCode != http.StatusOK {
					t.Fatalf("%s %s", resp.Status, body)
				}
				time.Sleep(100 * time.Millisecond)
			}
		}
		ask(100)
		if n := calls.of("relay"); n < 20 || n > 80 {
			t.Errorf("the relay has %d of 100 conversations", n)
		}
		down.Store(true)
		before := calls.of("relay")
		ask(600)
		if failed := calls.of("relay") - before; failed > 100 {
			t.Errorf("%d calls went to the relay while it was down", failed)
		}
		down.Store(false)
		time.Sleep(10 * time.Second)
		before = calls.of("relay")
		ask(100)
		if n := calls.of("relay") - before; n < 20 {
			t.Errorf("the relay has %d of 100 conversations after it has recovered", n)
		}
	})
}

// TestFallback: a model is overloaded, and the next one of its chain that is
// open answers, and says so.
func TestFallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bodies sync.Map // by model
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
			raw, _ := io.ReadAll(r.Body)
			if strings.Contains(string(raw), "claude-haiku-4-5") {
				w.WriteHeader(529)
				io.WriteString(w, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`)
				return
			}
			bodies.Store(r.Host, string(raw))
			io.WriteString(w, answer)
		}, weir.WithFallback("claude-haiku-4-5", "claude-sonnet-5", "claude-opus-5"))
		body := "{ \"metadata\":{\"model\":\"x\"},\n \"model\" : \"claude-haiku-4-5\", \"odd\":1.50,\"max_tokens\":10,\"messages\":[{\"role\":\"user\",\"content\":\"h\\u0069\"}]}"
		for range 30 {
			resp, text := h.post(t, body)
			if resp.StatusCode != http.StatusOK || resp.Header.Get("Weir-Degraded") != "fallback; from=claude-haiku-4-5" {
				t.Fatalf("%s %q %s", resp.Status, resp.Header.Get("Weir-Degraded"), text)
			}
		}
		if got, _ := bodies.Load("api"); got != strings.Replace(body, "claude-haiku-4-5", "claude-sonnet-5", 1) {
			t.Errorf("sent %s", got)
		}
		for name, headers := range map[string][]string{
			"opted-out": {"Weir-Degrade", "off", "Weir-Max-Wait", "5s"},
			"wrong":     {"Weir-Degrade", "maybe"},
		} {
			resp, text := h.post(t, body, headers...)
			if want := map[string]int{"opted-out": 529, "wrong": 400}[name]; resp.StatusCode != want || resp.Header.Get("Weir-Degraded") != "" {
				t.Errorf("%s: %s %s", name, resp.Status, text)
			}
		}
		if h.inFlight() != 0 {
			t.Errorf("%d permits were not settled", h.inFlight())
		}
	})
}

// TestHedge: a conversation's key is slow, and the other one answers.
func TestHedge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slow atomic.Value
		slow.Store("")
		var calls, left atomic.Int64
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			io.Copy(io.Discard, r.Body) // or net/http does not see the client leave
			if r.Host == slow.Load() {
				select {
				case <-time.After(40 * time.Second):
				case <-r.Context().Done():
					left.Add(1)
					return
				}
			}
			serveEvents(w, events)
		}, twoHomes, weir.WithHedge(5*time.Second))
		ask := func() time.Duration {
			began := time.Now()
			if resp, body := h.post(t, streamed, "X-Claude-Code-Session-Id", "one"); !strings.HasSuffix(body, events) {
				t.Fatalf("%s %s", resp.Status, body)
			}
			return time.Since(began)
		}
		ask()
		for _, host := range []string{"api", "relay"} { // one of them is the conversation's
			slow.Store(host)
			if took := ask(); took > 6*time.Second {
				t.Errorf("%s is slow: it took %v", host, took)
			}
		}
		synctest.Wait()
		if calls.Load() != 4 || left.Load() != 1 || h.inFlight() != 0 {
			t.Errorf("%d upstream calls, %d broken off, %d permits not settled; want 4, 1 and 0", calls.Load(), left.Load(), h.inFlight())
		}
		var most time.Duration // the credit is used up
		for _, host := range []string{"api", "relay"} {
			slow.Store(host)
			most = max(most, ask())
		}
		if most != 40*time.Second {
			t.Errorf("without credit it took %v, want 40 s", most)
		}
	})
}
