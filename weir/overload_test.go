package weir_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/internal/load"
	"github.com/weir-gateway/weir/internal/memnet"
	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// bench is a gateway in front of a simulator, both in memory, for a bubble.
type bench struct {
	sim     *sim.Server
	gateway *weir.Gateway
	target  load.Target
}

func newBench(t *testing.T, cfg sim.Config, opts ...weir.Option) *bench {
	t.Helper()
	api, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{sim: api}
	upstream := serveInMemory(t, api)
	upstream.DisableCompression = true
	b.gateway, err = weir.New(append([]weir.Option{
		weir.WithUpstream("http://api"), weir.WithHTTPTransport(upstream), weir.WithAPIKey("main", "sk-ant-api03-bench"),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	b.target = load.Target{URL: "http://weir", Key: "any", Transport: serveInMemory(t, b.gateway.Handler())}
	return b
}

func serveInMemory(t *testing.T, h http.Handler) *http.Transport {
	t.Helper()
	l := memnet.Listen()
	srv := &http.Server{Handler: h}
	go srv.Serve(l)
	transport := l.Transport()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		srv.Close()
	})
	return transport
}

func TestTwelveAgentsAtThriceTheQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fill := 0.1
		b := newBench(t, sim.Config{
			Limits: sim.Limits{Requests: 600, InputTokens: 600_000, OutputTokens: 120_000}, StartFill: &fill,
			Seed: 1, Timing: sim.Timing{TTFT: 500 * time.Millisecond, TokensPerSecond: 80},
		})
		defer b.gateway.Close()
		w := load.Workload{
			Seed: 1, Agents: 12, Input: load.Uniform(2000, 14_000), Output: load.Fixed(200),
			StreamShare: 0.5, Stagger: time.Second, Client: load.SDK(),
		}
		w.Pace = w.PaceFor(3, 600_000)
		ctx, cancel := context.WithTimeout(t.Context(), 75*time.Second)
		defer cancel()
		rec := load.NewRecorder(0)
		done := make(chan struct{})
		go func() {
			_ = load.Run(ctx, b.target, w, rec)
			close(done)
		}()
		time.Sleep(15 * time.Second)
		from := time.Now()
		b.sim.ResetStats()
		time.Sleep(60 * time.Second)
		stats, to := b.sim.Stats(), time.Now()
		cancel()
		<-done
		report := rec.Report(from, to, nil)
		used := stats.Used(sim.InputTokens)
		t.Logf("asked %d, answered %d, upstream 429 %v, input used %.3f, wait %+v", report.Asked, report.OK, stats.Status[429], used, report.Wait)
		if report.RateLimited != 0 || report.OK != report.Asked {
			t.Errorf("users saw %d x 429; %d of %d answered", report.RateLimited, report.OK, report.Asked)
		}
		if used < 0.95 || stats.Status[429] > 3 {
			t.Errorf("used %.3f of the input limit, %d x 429 upstream", used, stats.Status[429])
		}
		first, last := report.BySize[0], report.BySize[len(report.BySize)-1]
		if first.Success != 1 || last.Success != 1 {
			t.Errorf("smallest tenth %.2f, largest %.2f", first.Success, last.Success)
		}
	})
}
