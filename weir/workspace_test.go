package weir_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/internal/load"
	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// TestWorkspaceLimit: a workspace may use far less than its organization, and
// no header says so. After the first 429s have taught it, none comes any more.
func TestWorkspaceLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scenario, err := sim.LoadScenario("workspaces")
		if err != nil {
			t.Fatal(err)
		}
		api, err := sim.New(sim.Config{Scenario: scenario, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		g, err := weir.New(weir.WithUpstream("http://api"), weir.WithHTTPTransport(serveInMemory(t, api)), weir.WithAPIKey("research", "sk-ant-research"))
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		target := load.Target{URL: "http://weir", Key: "any", Transport: serveInMemory(t, g.Handler())}
		w := load.Workload{Seed: 1, Agents: 12, Input: load.Uniform(1000, 6000), Output: load.Fixed(100), StreamShare: 0.5}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		rec := load.NewRecorder(0)
		began := time.Now()
		_ = load.Run(ctx, target, w, rec) // it ends with ctx
		report := rec.Report(began, time.Now(), nil)
		limited := api.Stats().Status[http.StatusTooManyRequests]
		t.Logf("answered %d of %d, %d x 429 upstream, %d input tokens", report.OK, report.Asked, limited, report.InputTokens)
		if report.OK != report.Asked || report.RateLimited != 0 {
			t.Errorf("users saw %d x 429", report.RateLimited)
		}
		if limited > 20 {
			t.Errorf("%d x 429 upstream in 10 minutes", limited)
		}
		if report.InputTokens < 900_000 {
			t.Errorf("%d input tokens in 10 minutes at 100,000 a minute", report.InputTokens)
		}
	})
}
