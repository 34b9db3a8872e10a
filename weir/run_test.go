package weir_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/memnet"
	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// lodge is a gateway in front of a simulator, both in memory, for a bubble.
type lodge struct {
	gateway *weir.Gateway
	door    *http.Transport
}

func newLodge(t *testing.T, api http.Handler, opts ...weir.Option) *lodge {
	t.Helper()
	h := &lodge{}
	var err error
	h.gateway, err = weir.New(append([]weir.Option{
		weir.WithUpstream("http://api"), weir.WithHTTPTransport(inMemory(t, api)), weir.WithAPIKey("main", "sk-ant-api03-x"),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.gateway.Close() })
	h.door = inMemory(t, h.gateway.Handler())
	return h
}

// inMemory serves a handler, and returns the way to it.
func inMemory(t *testing.T, h http.Handler) *http.Transport {
	t.Helper()
	l := memnet.Listen()
	srv := &http.Server{Handler: h}
	go srv.Serve(l)
	transport := l.Transport()
	transport.DisableCompression = true
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		srv.Close()
		time.Sleep(time.Minute) // net/http lets a connection linger after an early answer
	})
	return transport
}

// ask sends one small request for a model through the gateway's front door.
func (b *lodge) ask(t *testing.T, model, text string) (status int, body string) {
	t.Helper()
	resp, body := b.post(t, `{"model":"`+model+`","max_tokens":10,"messages":[{"role":"user","content":"`+text+`"}]}`)
	return resp.StatusCode, body
}

// post sends a request and reads the whole answer.
func (b *lodge) post(t *testing.T, request string) (resp *http.Response, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://weir/v1/messages", strings.NewReader(request))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", "any")
	req.Header.Set("Anthropic-Version", "2023-06-01")
	resp, err = b.door.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(raw)
}

// bucket is the belief about one limiter of a group.
func (b *lodge) bucket(group, limiter string) (r call.BucketReport) {
	for _, each := range b.gateway.Quota().Buckets {
		if each.Group == group && each.Limiter == limiter {
			r = each
		}
	}
	return r
}

func TestRunReadsTheRateLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scenario, err := sim.ParseScenario("t.yaml", []byte(`quota: {limits: {requests: 50, input_tokens: 20000, output_tokens: 8000}, changes: [{at: 12m, limits: {input_tokens: 10000}}]}`))
		if err != nil {
			t.Fatal(err)
		}
		api, err := sim.New(sim.Config{Scenario: scenario})
		if err != nil {
			t.Fatal(err)
		}
		b := newLodge(t, api, weir.WithAdminKey(weir.AdminKey{APIKey: "main", Secret: "sk-ant-admin01-x"}))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- b.gateway.Run(ctx) }()
		time.Sleep(time.Second)
		if status, body := b.ask(t, "claude-opus-4-7", strings.Repeat("word ", 40_000)); status != 413 || !strings.Contains(body, "20,000") && !strings.Contains(body, "20000") {
			t.Errorf("before any header, a call larger than the bucket: %d %s", status, body)
		}
		if got := b.bucket("opus-4.x", "input_tokens"); got.Limit != 20_000 || got.Source != "api" || got.Organization == "" {
			t.Errorf("%+v in %+v", got, b.gateway.Quota().Buckets)
		}
		for _, model := range []string{"claude-opus-4-7", "claude-opus-4-8"} {
			if status, body := b.ask(t, model, "hello"); status != 200 {
				t.Errorf("%s: %d %s", model, status, body)
			}
		}
		if got := b.bucket("opus-4.x", "requests"); got.Source != "header" || got.Remaining < 47 || got.Remaining > 49 {
			t.Errorf("both models draw on one bucket: %+v", got)
		}
		time.Sleep(20 * time.Minute)
		if got := b.bucket("opus-4.x", "input_tokens"); got.Limit != 10_000 || got.Source != "api" {
			t.Errorf("the limit was lowered: %+v", got)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestAdminKeysAreChecked(t *testing.T) {
	for name, k := range map[string]weir.AdminKey{
		"api-key": {Secret: "sk-ant-api03-x"}, "unknown": {Secret: "sk-ant-admin01-x", APIKey: "other"},
	} {
		_, err := weir.New(weir.WithAPIKey("main", "sk-ant-api03-x"), weir.WithAdminKey(k))
		if err == nil || strings.Contains(err.Error(), k.Secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
