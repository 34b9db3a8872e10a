package weir_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/weir-gateway/weir/weir"
)

// TestBreakerIsToldOnMetrics opens a breaker.
func TestBreakerIsToldOnMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
		for range 10 {
			h.post(t, request, "Weir-Max-Wait", "5s")
		}
		metrics := scrape(t, h.gateway)
		for _, want := range []string{`weir_breaker_state{scope="api/claude-haiku-4-5"} 2`, `to="open"} 1`} {
			if !strings.Contains(metrics, want) {
				t.Errorf("metrics lack %s", want)
			}
		}
	})
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
