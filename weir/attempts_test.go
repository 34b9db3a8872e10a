package weir_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/weir"
)

// TestEveryAttemptIsBooked: whatever became of an attempt that reached the
// upstream, it is told, with what it may have cost.
func TestEveryAttemptIsBooked(t *testing.T) {
	type told struct {
		kind string
		paid bool // there is a guess of what it cost
	}
	for name, c := range map[string]struct {
		serve   func(w http.ResponseWriter, r *http.Request, n int64)
		leave   time.Duration // the client, after so long; 0: it stays
		want    []told        // of the story
		outcome string
		exact   bool
	}{
		"answered": {func(w http.ResponseWriter, _ *http.Request, _ int64) { serveEvents(w, events) }, 0, []told{{"ok", false}}, "ok", true},
		"failed-then-answered": {func(w http.ResponseWriter, _ *http.Request, n int64) {
			if n == 1 {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			serveEvents(w, events)
		}, 0, []told{{"upstream_failed", false}, {"ok", false}}, "ok", true},
		"broken-off-then-answered": {func(w http.ResponseWriter, _ *http.Request, n int64) {
			if n == 1 { // before its first content
				serveEvents(w, "event: message_start\ndata: {\"type\":\"message_start\"}\n\n")
				return
			}
			serveEvents(w, events)
		}, 0, []told{{"unreachable", true}, {"ok", false}}, "ok", true},
		"left-before-the-answer": {func(w http.ResponseWriter, r *http.Request, _ int64) { <-r.Context().Done() }, time.Second, []told{{"unreachable", true}}, "client_gone", false},
		"left-midway": {func(w http.ResponseWriter, r *http.Request, _ int64) {
			serveEvents(w, events[:strings.Index(events, "event: message_delta")])
			<-r.Context().Done()
		}, time.Second, []told{{"ok", false}}, "client_gone", false},
		"hedged": {func(w http.ResponseWriter, r *http.Request, n int64) {
			if n == 1 {
				<-r.Context().Done()
				return
			}
			serveEvents(w, events)
		}, 0, []told{{call.Abandoned, true}, {"ok", false}}, "ok", true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var n atomic.Int64
				h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
					io.Copy(io.Discard, r.Body) // or net/http does not see the client leave
					c.serve(w, r, n.Add(1))
				}, twoHomes, weir.WithHedge(5*time.Second))
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.leave > 0 {
					ctx, cancel = context.WithTimeout(ctx, c.leave)
					defer cancel()
				}
				req, err := http.NewRequestWithContext(ctx, "POST", "http://weir/v1/messages", strings.NewReader(streamed))
				if err != nil {
					t.Fatal(err)
				}
				if resp, err := h.client.Do(req); err == nil {
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
				synctest.Wait()
				if len(h.journal.list) != 1 {
					t.Fatalf("%d events", len(h.journal.list))
				}
				e := h.journal.list[0]
				if e.Outcome != c.outcome || e.Usage.Exact != c.exact || len(e.Story) != len(c.want) {
					t.Fatalf("%s, %+v, %+v", e.Outcome, e.Usage, e.Story)
				}
				if c.outcome == "ok" && (e.Cost == 0 || !e.Priced) || name == "left-midway" && e.Cost == 0 {
					t.Errorf("it cost %s", e.Cost)
				}
				for i, want := range c.want {
					a := e.Story[i]
					if got := (told{a.Kind, a.Cost > 0}); got != want || !a.Sent() || a.Key == "" || a.Usage.Exact || a.Priced != want.paid {
						t.Errorf("attempt %d: %+v, want %+v", i, a, want)
					}
				}
			})
		})
	}
}

// TestCeilingAndReload: a model without a price costs what is configured, and
// prices change while the gateway runs.
func TestCeilingAndReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, `{"id":"msg_1","type":"message","model":"claude-nobody-9","usage":{"input_tokens":1000000,"output_tokens":1000000}}`)
		}, weir.WithPrices(weir.Prices{CeilingInput: 25 * call.Dollar, CeilingOutput: 125 * call.Dollar}))
		for _, want := range []call.USD{150 * call.Dollar, 3 * call.Dollar} {
			h.post(t, request)
			synctest.Wait()
			if got := h.journal.list[len(h.journal.list)-1].Cost; got != want {
				t.Errorf("it cost %s, want %s", got, want)
			}
			if err := h.gateway.SetPrices(weir.Prices{Table: []byte(`{}`)}); err == nil {
				t.Error("an empty table was taken")
			}
			if err := h.gateway.SetPrices(weir.Prices{Table: []byte(`{"models":[{"ids":["claude-nobody-9"],"prices":[{"from":"2000-01-01","input":"1","output":"2"}]}]}`)}); err != nil {
				t.Fatal(err)
			}
		}
	})
}
