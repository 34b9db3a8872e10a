package weir_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
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

// named is a protection that lets all pass and reports what it is told to.
type named []call.RuleReport

func (n named) Enter(context.Context, *call.Call) (func(), *call.Refusal) { return func() {}, nil }
func (n named) Report() []call.RuleReport                                 { return n }

// TestRulesAreCounted: rules that share a name are one series, or the whole
// page of metrics would fail.
func TestRulesAreCounted(t *testing.T) {
	g, err := weir.New(weir.WithProtection(named{
		{Rule: "tenants", Kind: "hotspot", Resource: "a", Refused: 3},
		{Rule: "tenants", Kind: "hotspot", Resource: "b", Refused: 4},
		{Rule: "tenants", Kind: "flow", Resource: "a"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	got := scrape(t, g)
	for _, want := range []string{
		`weir_rule_refused_total{kind="hotspot",rule="tenants"} 7`, `weir_rule_refused_total{kind="flow",rule="tenants"} 0`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("metrics lack %s\n%.500s", want, got)
		}
	}
	if r := g.Protection(); len(r.Rules) != 3 || r.Breakers == nil {
		t.Errorf("report %+v", r)
	}
}

// TestBreakersSayWhy: people read what is wrong, not only which rule says so.
func TestBreakersSayWhy(t *testing.T) {
	slow := []byte(`[{"id":"crawl","resource":"*","strategy":0,"threshold":0.5,"maxAllowedRtMs":1000,"minRequestAmount":2,"statIntervalMs":20000,"retryTimeoutMs":5000}]`)
	for cause, tt := range map[string]struct {
		status int
		takes  time.Duration
		rules  []byte
	}{
		"failing":    {status: http.StatusServiceUnavailable},
		"overloaded": {status: 529},
		"slow":       {status: http.StatusOK, takes: 2 * time.Second, rules: slow},
	} {
		t.Run(cause, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
					time.Sleep(tt.takes)
					w.Header().Set("Content-Type", "text/event-stream")
					w.WriteHeader(tt.status)
					io.WriteString(w, events)
				}, weir.WithBreaker(weir.Breaker{Rules: tt.rules}))
				var calls sync.WaitGroup
				for range 12 {
					calls.Go(func() { h.post(t, streamed, "weir-max-wait", "20s") })
				}
				calls.Wait()
				r := h.gateway.Protection()
				if len(r.Breakers) != 1 {
					t.Fatalf("report %+v", r)
				}
				if b := r.Breakers[0]; b.Cause != cause || b.State != "open" || b.Opened == 0 || b.Rule == "" || b.RetryAt == nil {
					t.Errorf("report %+v", b)
				}
			})
		})
	}
}
