package weir_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/weir-gateway/weir/internal/sentinel"
	"github.com/weir-gateway/weir/weir"
)

// BenchmarkRefusal is how long a client on a real socket waits for a refusal:
// of an account that cannot pay, and of an upstream that is down. The upstream
// of both answers after a second, so that nothing of it can be in the figure.
func BenchmarkRefusal(b *testing.B) {
	for name, fail := range map[string]func(http.ResponseWriter){
		"account-blocked": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusTooManyRequests)
			fmt.Fprint(w, `{"type":"error","error":{"type":"rate_limit_error","message":"You have reached your API usage limits.","details":{"error_code":"enforced_spend_limit_reached"}}}`)
		},
		"breaker-open": func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) },
	} {
		b.Run(name, func(b *testing.B) {
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(time.Second)
				fail(w)
			}))
			defer api.Close()
			rules := []byte(`[{"resource":"*","strategy":2,"threshold":1,"minRequestAmount":1,"statIntervalMs":600000,"retryTimeoutMs":600000}]`)
			g, err := weir.New(weir.WithUpstream(api.URL), weir.WithAPIKey("main", "sk-ant-api03-bench"),
				weir.WithBreaker(weir.Breaker{Core: sentinel.Build, Rules: rules}))
			if err != nil {
				b.Fatal(err)
			}
			defer g.Close()
			front := httptest.NewServer(g.Handler())
			defer front.Close()
			ask := func() {
				if resp, _ := post(b, front.URL+"/v1/messages", request, "Weir-Max-Wait", "1s"); resp.StatusCode < 400 {
					b.Fatal(resp.Status)
				}
			}
			ask()
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				ask()
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-p50")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
			b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "ms-max")
		})
	}
}
