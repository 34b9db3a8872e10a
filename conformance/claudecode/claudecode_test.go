package claudecode

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/sim"
)

// drained is an upstream whose output quota one answer of 20,000 tokens leaves
// in so much debt that it takes 92 s to come back. On top of that comes what the
// gateway waits for: its safety stock, and room for another long answer.
var drained = sim.Config{
	Limits: sim.Limits{Requests: 1000, InputTokens: 2_000_000, OutputTokens: 7700},
	Timing: sim.Timing{TTFT: 300 * time.Millisecond, TokensPerSecond: 5000},
}

// drain uses up the quota of a drained house.
func (h *house) drain(t *testing.T, tokens string) {
	t.Helper()
	h.client.more = http.Header{"X-Sim-Output-Tokens": {tokens}}
	out, err := h.client.prompt(t.Context(), request(true))
	h.client.more = nil
	if err != nil || out.status != http.StatusOK {
		t.Fatalf("drain the quota: %+v, %v", out, err)
	}
}

// checkBytes checks that the last upstream request is the one that was sent.
func (h *house) checkBytes(t *testing.T, body []byte) {
	t.Helper()
	all := h.upstream.requests()
	got := all[len(all)-1]
	if got.method != http.MethodPost || got.uri != "/v1/messages?beta=true" {
		t.Errorf("upstream got %s %s", got.method, got.uri)
	}
	if !bytes.Equal(got.body, body) {
		t.Errorf("the body was changed: %d bytes of %d", len(got.body), len(body))
	}
	want := headers(h.client.key, betas, 0)
	for name, values := range want {
		if !slices.Equal(got.header[name], values) {
			t.Errorf("upstream got %s %q, want %q", name, got.header[name], values)
		}
	}
	for name := range got.header {
		// The content's length and coding belong to the connection.
		if _, sent := want[name]; !sent && name != "Content-Length" && name != "Accept-Encoding" {
			t.Errorf("the gateway added the header %s: %q", name, got.header[name])
		}
	}
}

func TestBodySize(t *testing.T) {
	if n := len(request(true)); n < 45_000 || n > 53_000 {
		t.Errorf("the body has %d bytes, want about 49,000", n)
	}
}

// TestHeld: whatever the form, a request held for 100 s is answered by one
// upstream request, byte for byte that of the client.
func TestHeld(t *testing.T) {
	for _, tt := range []struct {
		name   string
		stream bool
	}{{"with-pings", true}, {"silently", false}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, memory{}, drained)
				h.drain(t, "20000")
				before := len(h.upstream.requests())
				body := request(tt.stream)
				out, err := h.client.prompt(t.Context(), body)
				if err != nil || out.status != http.StatusOK || out.text == "" {
					t.Fatalf("got %+v, %v, want an answer", out, err)
				}
				if out.took < 95*time.Second || out.took > 190*time.Second {
					t.Errorf("held for %v, want 95 to 190 s", out.took)
				}
				if out.requests != 1 || len(h.upstream.requests()) != before+1 {
					t.Errorf("%d requests of the client became %d upstream, want 1 and 1",
						out.requests, len(h.upstream.requests())-before)
				}
				if tt.stream && (out.pings < 5 || out.silence > 30*time.Second) {
					t.Errorf("%d pings, longest silence %v, want pings every few seconds", out.pings, out.silence)
				}
				h.checkBytes(t, body)
			})
		})
	}
}

// TestHeldBeyondTheWatchdog: pings keep a stream alive that waits longer than
// the 300 s of silence that the client bears.
func TestHeldBeyondTheWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory{}, drained)
		h.drain(t, "56000")
		out, err := h.client.prompt(t.Context(), request(true))
		if err != nil || out.text == "" || out.requests != 1 {
			t.Fatalf("got %+v, %v, want an answer to the first request", out, err)
		}
		if out.took < stallTimeout {
			t.Errorf("held for %v, want more than %v", out.took, stallTimeout)
		}
	})
}

// TestTooLongForTheClient: what cannot be sent before the client's own deadline
// ends in words, and the client does not come back with more of it.
func TestTooLongForTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory{}, drained)
		h.drain(t, "128000")
		before := len(h.upstream.requests())
		out, err := h.client.prompt(t.Context(), request(false))
		if err != nil {
			t.Fatal(err)
		}
		if out.status != http.StatusTooManyRequests || !strings.Contains(out.message, "quota") {
			t.Errorf("got %d %q, want 429 and words about the quota", out.status, out.message)
		}
		if n := len(h.upstream.requests()) - before; n != 0 {
			t.Errorf("%d requests upstream, want none", n)
		}
	})
}

// TestOverloadAbsorbed: the client would give up at the third 529.
func TestOverloadAbsorbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := drained
		cfg.Scenario = &sim.Scenario{Faults: []sim.Fault{{Kind: sim.FaultOverloaded, For: sim.Duration(20 * time.Second)}}}
		h := open(t, memory{}, cfg)
		out, err := h.client.prompt(t.Context(), request(true))
		if err != nil || out.text == "" || out.requests != 1 {
			t.Errorf("got %+v, %v, want an answer to the first request", out, err)
		}
	})
}

// TestSpendCap: the client asks again and again, and leaves out its betas one
// by one where the limit is the organization's own. The upstream is asked once.
func TestSpendCap(t *testing.T) {
	for _, tt := range []struct {
		kind     string
		status   int
		requests int
	}{
		{sim.FaultEnforcedSpendLimit, http.StatusTooManyRequests, 1},
		{sim.FaultOwnSpendLimit, http.StatusBadRequest, 1 + maxBetaDrops},
		{sim.FaultNoCredit, http.StatusBadRequest, 1 + maxBetaDrops},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := drained
				cfg.Scenario = &sim.Scenario{Faults: []sim.Fault{{Kind: tt.kind}}}
				h := open(t, memory{}, cfg)
				out, err := h.client.prompt(t.Context(), request(true))
				if err != nil {
					t.Fatal(err)
				}
				if out.status != tt.status || out.message == "" || out.requests != tt.requests {
					t.Errorf("got %+v, want %d after %d requests", out, tt.status, tt.requests)
				}
				if n := len(h.upstream.requests()); n != 1 {
					t.Errorf("%d requests upstream, want 1", n)
				}
				if out.took > 5*time.Second {
					t.Errorf("it took %v, want at once", out.took)
				}
			})
		})
	}
}

// TestClientLeaves: somebody presses Esc while the request waits. It never
// reaches the upstream.
func TestClientLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory{}, drained)
		h.drain(t, "20000")
		before := len(h.upstream.requests())
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if out, err := h.client.prompt(ctx, request(true)); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %+v, %v", out, err)
		}
		time.Sleep(200 * time.Second) // of the bubble's time
		if n := len(h.upstream.requests()) - before; n != 0 {
			t.Errorf("%d requests upstream for a client that had left", n)
		}
	})
}

// TestRealSockets is the same path once over the loopback device.
func TestRealSockets(t *testing.T) {
	h := open(t, loopback{}, drained)
	for _, stream := range []bool{true, false} {
		body := request(stream)
		out, err := h.client.prompt(t.Context(), body)
		if err != nil || out.text == "" || out.requests != 1 {
			t.Fatalf("stream %t: got %+v, %v", stream, out, err)
		}
		h.checkBytes(t, body)
	}
}
