package weir_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/internal/sentinel"
	"github.com/weir-gateway/weir/weir"
)

// protectedHouse is a house behind rules of protection.
func protectedHouse(t *testing.T, upstream http.HandlerFunc, files map[string]string) *house {
	t.Helper()
	raw := map[string][]byte{}
	for name, text := range files {
		raw[name] = []byte(text)
	}
	rules, err := sentinel.ParseRules(raw)
	if err != nil {
		t.Fatal(err)
	}
	p, err := sentinel.NewProtection(rules)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return newHouse(t, upstream, weir.WithProtection(p))
}

// TestBatchIsShed: the gateway has as much to do as its operator allows. Batch
// is refused by a rule that says so, and interactive calls flow on.
func TestBatchIsShed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := protectedHouse(t, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(10 * time.Second)
			io.WriteString(w, answer)
		}, map[string]string{"system.json": `[{"id": "full", "metricType": 2, "triggerCount": 20}]`})
		var calls sync.WaitGroup
		var served, shed atomic.Int64
		post := func(class string) {
			calls.Go(func() {
				began := time.Now()
				resp, text := h.post(t, request, "weir-class", class)
				switch {
				case resp.StatusCode == http.StatusOK:
					served.Add(1)
				case class == "batch" && time.Since(began) < time.Second:
					shed.Add(1)
					wantRule(t, resp, text, "full")
				default:
					t.Errorf("%s, after %v: %s %s", class, time.Since(began), resp.Status, text)
				}
			})
		}
		for range 15 {
			post("interactive")
			post("batch")
			synctest.Wait()
		}
		time.Sleep(time.Second)
		for range 10 {
			post("interactive")
			post("batch")
			synctest.Wait()
		}
		calls.Wait()
		if served.Load() != 35 || shed.Load() != 15 {
			t.Errorf("%d calls served and %d shed, want all 25 interactive and 10 of batch served, 15 shed", served.Load(), shed.Load())
		}
		post("batch") // all have left
		calls.Wait()
		if report := h.gateway.Protection().Rules; len(report) != 1 || report[0].Rule != "full" || report[0].Refused != 15 {
			t.Errorf("reports %+v", report)
		}
	})
}

// wantRule wants a refusal by a rule, in the API's own form.
func wantRule(t *testing.T, resp *http.Response, text, rule string) {
	t.Helper()
	var e struct {
		Type  string
		Error struct {
			Type, Message string
			Details       struct {
				Code string `json:"error_code"`
				Weir struct{ Rule, Scope, Who, Hint string }
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	d := e.Error.Details
	if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "1" ||
		e.Type != "error" || e.Error.Type != "rate_limit_error" || d.Code != "refused_by_rule" ||
		d.Weir.Rule != rule || d.Weir.Scope != "gateway" || !strings.Contains(e.Error.Message, rule) {
		t.Errorf("refused by %s %v %s", resp.Status, resp.Header, text)
	}
}

// TestThrottledStreamsArePinged: a client whose call waits for its turn hears
// of it, and gets its answer.
func TestThrottledStreamsArePinged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := protectedHouse(t, func(w http.ResponseWriter, r *http.Request) { serveEvents(w, events) }, map[string]string{
			"flow.json": `[{"resource": "*", "controlBehavior": 1, "threshold": 3, "statIntervalInMs": 60000, "maxQueueingTimeMs": 30000}]`,
		})
		if resp, text := h.post(t, streamed); resp.StatusCode != http.StatusOK || text != events {
			t.Errorf("%s %q", resp.Status, text)
		}
		began := time.Now()
		_, text := h.post(t, streamed)
		if story := h.gateway.Recent()[0].Story; len(story) != 2 || story[0].Wait.BoundBy != "protection" || story[0].Wait.Took != 20*time.Second {
			t.Errorf("the story of its wait: %+v", story)
		}
		if took := time.Since(began); took < 19*time.Second || took > 21*time.Second || text != ping+ping+events {
			t.Errorf("after %v: %q", took, text)
		}
	})
}

// TestStreamsStayInside: a stream counts until its client has it all, or has
// left.
func TestStreamsStayInside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := protectedHouse(t, func(w http.ResponseWriter, r *http.Request) {
			for part := range strings.SplitAfterSeq(events, "\n\n") {
				serveEvents(w, part)
				time.Sleep(20 * time.Second)
			}
		}, map[string]string{"isolation.json": `[{"id": "one", "resource": "*", "threshold": 1}]`})
		ctx, leave := context.WithCancel(t.Context())
		go func() {
			resp, err := h.client.Do(newPost(t, "http://weir/v1/messages", streamed).WithContext(ctx))
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			_, _ = io.Copy(io.Discard, resp.Body) // it breaks off
		}()
		time.Sleep(time.Minute)
		second, text := h.post(t, request)
		wantRule(t, second, text, "one")
		leave()
		time.Sleep(2 * time.Minute) // the gateway notices when it writes
		if _, text := h.post(t, streamed); !strings.HasSuffix(text, "message_stop\"}\n\n") {
			t.Errorf("after the first has left: %q", text)
		}
		time.Sleep(time.Hour) // the upstream may end, too
	})
}
