package weir_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// thoughtful is long, and asks for thinking.
var thoughtful = strings.Replace(long, `"messages"`, `"thinking":{"type":"enabled","budget_tokens":1024},"messages"`, 1)

// troubled is a simulator that breaks its first streams, each in another way.
func troubled(t *testing.T, faults []sim.Fault) *sim.Server {
	t.Helper()
	api, err := sim.New(sim.Config{
		Seed: 5, Tier: "scale", Scenario: &sim.Scenario{Faults: faults}, Timing: sim.Timing{Output: sim.Output{Median: 150}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return api
}

// mustBeWholeOf checks an answer of the simulator's.
func mustBeWholeOf(t *testing.T, resp *http.Response, got string) {
	t.Helper()
	h := resp.Header
	if resp.StatusCode != 200 || h.Get("Content-Type") != "application/json" || h.Get("Content-Length") != strconv.Itoa(len(got)) ||
		!strings.Contains(got, `"stop_reason":"end_turn"`) || !strings.Contains(got, `"output_tokens":150`) {
		t.Errorf("status %d after %s attempts: %.300s", resp.StatusCode, h.Get("Weir-Attempts"), got)
	}
}

// TestGatheredThroughTrouble lets many long answers at once meet every way to
// break that the simulator knows: each caller gets a whole one, and each call is
// booked once.
func TestGatheredThroughTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var faults []sim.Fault
		request := int64(0)
		for _, kind := range []string{sim.FaultReset, sim.FaultEOF, sim.FaultStall, sim.FaultErrorEvent, sim.FaultMalformed} {
			for after := range 8 {
				request++
				faults = append(faults, sim.Fault{Kind: kind, Requests: []int64{request}, AfterEvents: after})
			}
		}
		api := troubled(t, faults)
		h := newHouse(t, api.ServeHTTP)
		var calls sync.WaitGroup
		for range request {
			calls.Go(func() {
				resp, got := h.post(t, thoughtful, "Anthropic-Version", "2023-06-01")
				mustBeWholeOf(t, resp, got)
			})
		}
		calls.Wait()
		synctest.Wait()
		h.journal.mu.Lock()
		defer h.journal.mu.Unlock()
		var lost int64
		for _, e := range h.journal.list {
			if e.Outcome != "ok" {
				t.Errorf("booked as %s %s", e.Outcome, e.Reason)
			}
			lost += int64(e.Usage.Output) - 150
		}
		stats := api.Stats()
		t.Logf("%d calls, %d upstream, %d output tokens lost in broken streams", request, stats.Requests, lost)
		if len(h.journal.list) != int(request) || stats.Requests <= request || lost <= 0 || h.inFlight() != 0 {
			t.Errorf("%d calls in the books, %d upstream, %d tokens lost, %d permits out", len(h.journal.list), stats.Requests, lost, h.inFlight())
		}
	})
}

func TestGatheredOverSockets(t *testing.T) {
	api := httptest.NewServer(troubled(t, []sim.Fault{{Kind: sim.FaultReset, Requests: []int64{1}, AfterEvents: 6}}))
	defer api.Close()
	g, err := weir.New(weir.WithUpstream(api.URL))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	front := httptest.NewServer(g.Handler())
	defer front.Close()
	resp, got := post(t, front.URL+"/v1/messages", thoughtful, "Anthropic-Version", "2023-06-01")
	mustBeWholeOf(t, resp, got)
	if n := resp.Header.Get("Weir-Attempts"); n != "2" {
		t.Errorf("%s attempts", n)
	}
}
