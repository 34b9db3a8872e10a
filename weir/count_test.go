package weir_test

import (
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// counting is the simulator, which notes what it is asked to count and can
// refuse to.
type counting struct {
	api    http.Handler
	bodies []string
	refuse bool
}

func (k *counting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/v1/messages/count_tokens" {
		body, _ := io.ReadAll(r.Body) // what could be read is compared
		k.bodies = append(k.bodies, string(body))
		if k.refuse {
			w.Header().Set("Retry-After", "60")
			http.Error(w, "{}", http.StatusTooManyRequests)
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
	}
	k.api.ServeHTTP(w, r)
}

func TestLargeRequestsAreCountedExactly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, err := sim.New(sim.Config{})
		if err != nil {
			t.Fatal(err)
		}
		k := &counting{api: api}
		b := newLodge(t, k, weir.WithExactCounts(5000))
		ask := func(text string) (estimate, used float64) {
			resp, answer := b.post(t, `{"max_tokens":10,"messages":[{"role":"user","content":"`+text+`"}],"metadata":{"user_id":"u"},"model":"claude-sonnet-5"}`)
			synctest.Wait()
			e, ok := b.gateway.Request(resp.Header.Get("Weir-Request-Id"))
			if resp.StatusCode != 200 || !ok {
				t.Fatalf("%d %s", resp.StatusCode, answer)
			}
			return float64(e.Estimate.Input), float64(e.Usage.Input)
		}
		ask("hello")
		if len(k.bodies) != 0 {
			t.Errorf("a small request was counted: %q", k.bodies)
		}
		large := strings.Repeat("(water;) 12 ", 4000)
		estimate, used := ask(large)
		want := `{"messages":[{"role":"user","content":"` + large + `"}],"model":"claude-sonnet-5"}`
		if len(k.bodies) != 1 || k.bodies[0] != want {
			t.Errorf("asked to count %.200q", k.bodies)
		}
		if math.Abs(estimate/used-1.01) > 0.001 {
			t.Errorf("estimated %v, used %v", estimate, used)
		}
		k.refuse = true
		for range 3 {
			if estimate, used := ask(large + "x"); estimate == 0 || used == 0 {
				t.Error("without a count there is an estimate")
			}
		}
		if len(k.bodies) != 2 {
			t.Errorf("asked %d times after a 429 that named a minute", len(k.bodies)-1)
		}
	})
}
