package weir_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/internal/load"
	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// pooled is a gateway with several keys in front of a simulator of several
// organizations, in a bubble.
type pooled struct {
	api    *sim.Server
	g      *weir.Gateway
	target load.Target
}

// newPool makes one organization per list of keys, of 100,000 input tokens a
// minute each, and a gateway that has all of the keys.
func newPool(t *testing.T, organizations ...[]string) *pooled {
	t.Helper()
	scenario := &sim.Scenario{}
	opts := []weir.Option{weir.WithUpstream("http://api")}
	for i, keys := range organizations {
		scenario.Organizations = append(scenario.Organizations, sim.Organization{
			Name: fmt.Sprint("org-", i), Keys: keys,
			Quota: sim.Quota{Limits: sim.Limits{Requests: 600, InputTokens: 100_000, OutputTokens: 100_000}},
		})
		for _, k := range keys {
			opts = append(opts, weir.WithAPIKey(k, k))
		}
	}
	fill := 0.1
	api, err := sim.New(sim.Config{Scenario: scenario, Seed: 1, StartFill: &fill, Timing: sim.Timing{TTFT: 300 * time.Millisecond, TokensPerSecond: 100}})
	if err != nil {
		t.Fatal(err)
	}
	g, err := weir.New(append(opts, weir.WithHTTPTransport(serveInMemory(t, api)))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return &pooled{api: api, g: g, target: load.Target{URL: "http://weir", Key: "any", Transport: serveInMemory(t, g.Handler())}}
}

// run offers far more than all organizations allow for a time, and returns what
// was answered in it and the 429s that the simulator gave.
func (p *pooled) run(t *testing.T, d time.Duration) (load.Report, int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	rec := load.NewRecorder(0)
	began := time.Now()
	_ = load.Run(ctx, p.target, load.Workload{
		Seed: 1, Agents: 40, Input: load.Uniform(1000, 5000), Output: load.Fixed(50), StreamShare: 0.5,
	}, rec) // it ends with ctx
	return rec.Report(began, time.Now(), nil), p.api.Stats().Status[http.StatusTooManyRequests]
}

func TestKeysOfOneOrganizationAddNothing(t *testing.T) {
	tokens := map[string]float64{}
	for name, organizations := range map[string][][]string{
		"one key":           {{"sk-ant-a"}},
		"two keys":          {{"sk-ant-a", "sk-ant-b"}},
		"two organizations": {{"sk-ant-a"}, {"sk-ant-b"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newPool(t, organizations...)
			report, limited := p.run(t, 4*time.Minute)
			tokens[name] = float64(report.InputTokens)
			t.Logf("%s: %d of %d answered, %d input tokens, %d x 429 upstream", name, report.OK, report.Asked, report.InputTokens, limited)
			if report.OK != report.Asked || limited > 2 {
				t.Errorf("%s: %d of %d answered, %d x 429 upstream", name, report.OK, report.Asked, limited)
			}
		})
	}
	if ratio := tokens["two keys"] / tokens["one key"]; ratio < 0.98 || ratio > 1.02 {
		t.Errorf("two keys of one organization give %.3f times the quota of one", ratio)
	}
	if ratio := tokens["two organizations"] / tokens["one key"]; ratio < 1.95 {
		t.Errorf("two organizations give %.3f times the quota of one", ratio)
	}
}

// TestKeysAreReplacedUnderLoad: keys come and go while calls wait and run, and
// none is lost.
func TestKeysAreReplacedUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, []string{"sk-ant-a"}, []string{"sk-ant-b"}, []string{"sk-ant-c"})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := 0; ctx.Err() == nil; i++ {
				keep := []string{"sk-ant-a", "sk-ant-b", "sk-ant-c"}[i%3]
				if err := p.g.SetAPIKeys([]weir.APIKey{{Name: keep, Secret: keep}}); err != nil {
					t.Error(err)
				}
				time.Sleep(7 * time.Second) // of the bubble
			}
		}()
		report, limited := p.run(t, 2*time.Minute)
		<-done
		if report.OK != report.Asked || report.OK < 40 || limited > 3 {
			t.Errorf("%d of %d answered, %d x 429 upstream", report.OK, report.Asked, limited)
		}
		if err := p.g.SetAPIKeys(nil); err == nil {
			t.Error("a pool without keys would hand the callers' own keys on")
		}
	})
}

func TestConversationsKeepTheirKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, []string{"sk-ant-a"}, []string{"sk-ant-b"})
		homes, moved, both := map[string]string{}, 0, map[string]bool{}
		for i := range 400 {
			session := fmt.Sprint("session-", i%40)
			status, org := p.ask(t, session)
			if status != http.StatusOK {
				t.Fatalf("status %d", status)
			}
			if home := homes[session]; home != "" && home != org {
				moved++
			}
			homes[session], both[org] = org, true
		}
		t.Logf("%d organizations used, %d of 400 calls left their conversation's", len(both), moved)
		if len(both) != 2 || moved > 20 {
			t.Errorf("%d organizations used, %d of 400 calls left their conversation's", len(both), moved)
		}
	})
}

// ask sends one small call of a session and returns who answered.
func (p *pooled) ask(t *testing.T, session string) (status int, organization string) {
	t.Helper()
	resp, _ := send(t, &http.Client{Transport: p.target.Transport},
		newPost(t, "http://weir/v1/messages", request, "Anthropic-Version", "2023-06-01", "X-Claude-Code-Session-Id", session))
	return resp.StatusCode, resp.Header.Get("Anthropic-Organization-Id")
}

func TestAnotherOrganizationTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := map[string]int{}
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
			key := r.Header.Get("X-Api-Key")
			calls[key]++
			w.Header().Set("Anthropic-Organization-Id", "org-of-"+key)
			if key == "sk-ant-capped" {
				w.WriteHeader(http.StatusTooManyRequests)
				fmt.Fprint(w, `{"type":"error","error":{"type":"rate_limit_error","message":"You have reached your API usage limits.","details":{"error_code":"enforced_spend_limit_reached"}}}`)
				return
			}
			fmt.Fprint(w, answer)
		}, weir.WithAPIKey("capped", "sk-ant-capped"), weir.WithAPIKey("fine", "sk-ant-fine"))
		for i := range 50 {
			if resp, body := h.post(t, request, "X-Claude-Code-Session-Id", fmt.Sprint(i)); resp.StatusCode != http.StatusOK {
				t.Fatalf("call %d: %d %s", i, resp.StatusCode, body)
			}
		}
		if calls["sk-ant-capped"] != 1 || calls["sk-ant-fine"] != 50 {
			t.Errorf("calls by key: %v; the capped one must be asked once", calls)
		}
	})
}
