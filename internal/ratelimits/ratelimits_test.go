package ratelimits_test

import (
	"bytes"
	"context"
	"io"
	"log"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/memnet"
	"github.com/weir-gateway/weir/internal/ratelimits"
	"github.com/weir-gateway/weir/sim"
)

func TestParse(t *testing.T) {
	limits := `"models":["claude-opus-5"],"limits":[{"type":"requests_per_minute","value":50},{"type":"input_tokens_per_minute_cache_aware","value":1000},
		{"type":"output_tokens_per_minute","value":200},{"type":"made_up_per_fortnight","value":7},{"type":"tokens_per_day","value":null}]`
	want := ratelimits.Entry{
		ID: "rlg_opus", Name: "rlg_opus", Type: "model_group", Models: []string{"claude-opus-5"},
		Limits: [call.NumLimiters]float64{50, 1000, 200}, Other: map[string]float64{"made_up_per_fortnight": 7},
	}
	named, old, legacy := want, want, want
	named.Name = "Claude Opus 5"
	old.ID, old.Name = "claude-opus-5", "claude-opus-5"
	legacy.Limits, legacy.CountCached, legacy.Other = [call.NumLimiters]float64{0, 300, 0}, true, nil
	for name, tc := range map[string]struct {
		text string
		want ratelimits.Entry
	}{
		"2026":     {`{"type":"rate_limit","id":"x","group":{"type":"model_group","id":"rlg_opus","display_name":"Claude Opus 5"},` + limits + `}`, named},
		"2023":     {`{"type":"rate_limit","id":"rlg_opus","group_type":"model_group",` + limits + `}`, want},
		"no-id":    {`{"type":"rate_limit","group_type":"model_group",` + limits + `}`, old},
		"all-read": {`{"id":"rlg_opus","group_type":"model_group","models":["claude-opus-5"],"limits":[{"type":"input_tokens_per_minute","value":300}]}`, legacy},
		"batch":    {`{"id":"b","group_type":"batch","models":null,"limits":[]}`, ratelimits.Entry{ID: "b", Name: "b", Type: "batch"}},
	} {
		got, next, err := ratelimits.Parse([]byte(`{"data":[` + tc.text + `],"next_page":"p2"}`))
		if err != nil || next != "p2" {
			t.Errorf("%s: next %q, %v", name, next, err)
		}
		if diff := cmp.Diff([]ratelimits.Entry{tc.want}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"data":[{"id":"a","group":{"type":"x"},"limits":[{"type":"requests_per_minute","value":-1e308}]}],"next_page":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, _, err := ratelimits.Parse(data)
		for _, e := range entries {
			for _, limit := range e.Limits {
				if err != nil || !(limit >= 0) {
					t.Errorf("%+v, %v", e, err)
				}
			}
		}
	})
}

func TestUnder(t *testing.T) {
	org := []ratelimits.Entry{{ID: "a", Limits: [call.NumLimiters]float64{50, 1000, 200}}, {ID: "b", Limits: [call.NumLimiters]float64{1, 2, 3}}}
	got := ratelimits.Under(org, []ratelimits.Entry{{ID: "a", Limits: [call.NumLimiters]float64{60, 500, 0}, CountCached: true}})
	if got[0].Limits != [call.NumLimiters]float64{50, 500, 200} || !got[0].CountCached || got[1].Limits != org[1].Limits || org[0].Limits[1] != 1000 {
		t.Errorf("%+v", got)
	}
}

// inBubble runs test with a transport to h and a context that ends with it.
func inBubble(t *testing.T, h http.Handler, test func(ctx context.Context, rt http.RoundTripper)) {
	synctest.Test(t, func(t *testing.T) {
		l := memnet.Listen()
		srv := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
		go srv.Serve(l)
		transport := l.Transport()
		defer func() {
			transport.CloseIdleConnections()
			srv.Close()
		}()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		test(ctx, transport)
		cancel()
		synctest.Wait()
	})
}

func TestReadsEveryPageOfTheSimulator(t *testing.T) {
	s, err := sim.ParseScenario("t.yaml", []byte("organizations: [{name: acme, workspaces: [{name: lab, id: wrkspc_lab, keys: [k], limits: {output_tokens: 100}}]}]"))
	if err != nil {
		t.Fatal(err)
	}
	api, err := sim.New(sim.Config{Tier: "build", Scenario: s})
	if err != nil {
		t.Fatal(err)
	}
	short := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		q.Set("limit", "3")
		r.URL.RawQuery = q.Encode()
		api.ServeHTTP(w, r)
	})
	inBubble(t, short, func(ctx context.Context, rt http.RoundTripper) {
		cfg := ratelimits.Config{Upstream: "http://api/", Key: call.NewSecret("sk-ant-admin01-acme"), Workspace: "wrkspc_lab", Transport: rt}
		got, err := ratelimits.New(cfg).Read(ctx)
		if err != nil || got.Organization == "" || len(got.Entries) < 8 {
			t.Fatalf("%+v, %v", got, err)
		}
		groups := 0
		for _, e := range got.Entries {
			if e.Type == ratelimits.ModelGroup {
				groups++
				if e.Limits[call.Requests] < 2000 || e.Limits[call.OutputTokens] != 100 || len(e.Models) == 0 || e.CountCached {
					t.Errorf("%+v", e)
				}
			}
		}
		if groups < 7 || groups == len(got.Entries) {
			t.Errorf("%d model groups of %d pools", groups, len(got.Entries))
		}
	})
}

func TestRunGoesOnAfterErrors(t *testing.T) {
	var asked []time.Time
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, time.Now())
		if len(asked) <= 3 {
			http.Error(w, `{"type":"error"}`, http.StatusUnauthorized)
			return
		}
		w.Header().Set("Anthropic-Organization-Id", "org-1")
		io.WriteString(w, `{"data":[]}`)
	})
	inBubble(t, h, func(ctx context.Context, rt http.RoundTripper) {
		var said bytes.Buffer
		c := ratelimits.New(ratelimits.Config{
			Upstream: "http://api", Key: call.NewSecret("sk-ant-admin01-x"), Transport: rt,
			Log: slog.New(slog.NewTextHandler(&said, nil)),
		})
		var answers []ratelimits.Answer
		go c.Run(ctx, func(a ratelimits.Answer) { answers = append(answers, a) })
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		if len(answers) < 2 || len(answers) > 3 || answers[0].Organization != "org-1" || len(asked) != len(answers)+3 {
			t.Errorf("%d answers of %d", len(answers), len(asked))
		}
		if pause := asked[3].Sub(asked[0]); pause < 60*time.Second || pause > 70*time.Second {
			t.Errorf("tried for %v before it got an answer, want 10 + 20 + 40 s, less jitter", pause)
		}
		if n := strings.Count(said.String(), "could not be read"); n != 1 || strings.Count(said.String(), "rate limits read") != 1 || strings.Contains(said.String(), "sk-ant") {
			t.Errorf("logged %d times:\n%s", n, said.String())
		}
	})
}
