package weir_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/internal/breaker"
	"github.com/weir-gateway/weir/internal/sentinel"
	"github.com/weir-gateway/weir/weir"
)

// TestOutage: the upstream is down for a minute. Calls that had begun wait it
// out, and so does one that comes when a probe is due; the others that come
// later are refused at once.
func TestOutage(t *testing.T) {
	for name, core := range map[string]breaker.Builder{"own": breaker.Window, "sentinel": sentinel.Build} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { outage(t, core) })
		})
	}
}

func outage(t *testing.T, core breaker.Builder) {
	var down atomic.Bool
	var calls atomic.Int64
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		time.Sleep(100 * time.Millisecond)
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, answer)
	}, weir.WithBreaker(weir.Breaker{Core: core}))
	h.post(t, request)
	down.Store(true)
	var waiting sync.WaitGroup
	for range 20 {
		waiting.Go(func() {
			if resp, text := h.post(t, request); resp.StatusCode != http.StatusOK {
				t.Errorf("a call that had begun before: %s %s", resp.Status, text)
			}
		})
	}
	time.Sleep(20 * time.Second)
	var refused atomic.Int64
	for range 40 {
		waiting.Go(func() {
			began := time.Now()
			resp, text := h.post(t, request)
			if resp.StatusCode == http.StatusOK {
				return // it has been a probe and has waited
			}
			refused.Add(1)
			if took := time.Since(began); took > 50*time.Millisecond || resp.StatusCode != http.StatusBadGateway ||
				resp.Header.Get("Retry-After") == "" || !strings.Contains(text, "upstream_unavailable") {
				t.Errorf("refused after %v by %s %v %s", took, resp.Status, resp.Header, text)
			}
		})
		time.Sleep(time.Second)
	}
	if n, up := refused.Load(), calls.Load(); n < 30 || up > 40 {
		t.Errorf("%d of 40 refused, %d upstream calls while it is down", n, up)
	}
	down.Store(false)
	waiting.Wait()
	if resp, text := h.post(t, request); resp.StatusCode != http.StatusOK {
		t.Errorf("after the outage: %s %s", resp.Status, text)
	}
	metrics := scrape(t, h.gateway)
	for _, want := range []string{`weir_breaker_state{scope="api/claude-haiku-4-5"} 0`, `to="open"`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}

func scrape(t *testing.T, g *weir.Gateway) string {
	t.Helper()
	w := httptest.NewRecorder()
	g.Metrics().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

// TestLimitsNeverTrip: an organization's own 429s are no fault of its upstream.
func TestLimitsNeverTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls int
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
			if calls++; calls <= 60 {
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(http.StatusTooManyRequests)
				io.WriteString(w, `{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your organization's rate limit"}}`)
				return
			}
			io.WriteString(w, answer)
		})
		if resp, text := h.post(t, request); resp.StatusCode != http.StatusOK {
			t.Errorf("%s %s", resp.Status, text)
		}
		if strings.Contains(scrape(t, h.gateway), "weir_breaker_state{") {
			t.Error("the breaker moved")
		}
	})
}

func TestBreakerRulesAreChecked(t *testing.T) {
	if _, err := weir.New(weir.WithBreaker(weir.Breaker{Rules: []byte(`[{"resource":"*"}]`)})); err == nil {
		t.Error("a rule without times is taken")
	}
}
