package weir_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/weir"
)

const (
	whole = `{"id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[{"type":"text","text":"hello"}],` +
		`"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":3}}`
	wholeEvents = `event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hello"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":3}}

event: message_stop
data: {"type":"message_stop"}

`
)

// whichever answers as a stream or in one piece, as it is asked.
func whichever(w http.ResponseWriter, req *http.Request, asked *atomic.Int64) {
	asked.Add(1)
	raw := make([]byte, req.ContentLength)
	_, _ = req.Body.Read(raw)
	w.Header().Set("Request-Id", fmt.Sprintf("req_%d", asked.Load()))
	if strings.Contains(string(raw), `"stream":true`) {
		serveEvents(w, wholeEvents)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, whole)
}

func TestAnswersAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		h := newHouse(t, func(w http.ResponseWriter, req *http.Request) { whichever(w, req, &asked) },
			weir.WithCache(weir.Cache{Default: call.CacheOn}))
		for i, step := range []struct {
			body, cache, want string
			asked             int64
			headers           []string
		}{
			{request, "miss", whole, 1, nil},
			{request, "hit", whole, 1, nil},
			{streamed, "hit", "", 1, nil},
			{strings.Replace(request, `"max_tokens":10,`, "", 1)[:1] + `"max_tokens": 1e1, ` + strings.Replace(request, `"max_tokens":10,`, "", 1)[1:], "hit", whole, 1, nil},
			{request, "miss", whole, 2, []string{"Weir-Cache", "write"}},
			{request, "off", whole, 3, []string{"Weir-Cache", "off"}},
			{request, "miss", whole, 4, []string{"Weir-Tenant", "other"}},
			{request, "miss", whole, 5, []string{"Anthropic-Beta", "x"}},
			{request, "miss", whole, 6, []string{"X-Api-Key", "sk-ant-api-other"}},
		} {
			resp, body := h.post(t, step.body, step.headers...)
			if got := resp.Header.Get("Weir-Cache"); got != step.cache || asked.Load() != step.asked || (step.want != "" && body != step.want) {
				t.Errorf("step %d: %s, asked %d: %s", i, got, asked.Load(), body)
			}
		}
	})
}

func TestOneAsksForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		h := newHouse(t, func(w http.ResponseWriter, req *http.Request) {
			time.Sleep(time.Second)
			whichever(w, req, &asked)
		}, weir.WithCache(weir.Cache{Default: call.CacheOn}))
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				body := request
				if i%2 > 0 {
					body = streamed
				}
				resp, got := h.post(t, body)
				if resp.StatusCode != 200 || !strings.Contains(got, "hello") || !strings.Contains(got, "end_turn") {
					t.Errorf("%d: %d %s", i, resp.StatusCode, got)
				}
			})
		}
		wg.Wait()
		if asked.Load() != 1 {
			t.Errorf("the upstream was asked %d times", asked.Load())
		}
		report, _ := h.gateway.Cache()
		if report.Misses != 1 || report.Joins != 99 {
			t.Errorf("%+v", report)
		}
	})
}

// TestBrokenStreamsAreNotKept: one breaks off in its middle; the next call asks
// anew, and what that gets is kept.
func TestBrokenStreamsAreNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		h := newHouse(t, func(w http.ResponseWriter, req *http.Request) {
			if asked++; asked == 1 {
				serveEvents(w, wholeEvents[:strings.Index(wholeEvents, "event: message_delta")])
				panic(http.ErrAbortHandler)
			}
			serveEvents(w, wholeEvents)
		}, weir.WithCache(weir.Cache{Default: call.CacheOn}))
		for i, want := range []string{"miss", "miss", "hit"} {
			resp, body := h.post(t, streamed)
			if got := resp.Header.Get("Weir-Cache"); got != want || strings.Contains(body, "message_stop") != (i > 0) {
				t.Errorf("call %d: %s, want %s: %s", i, got, want, body)
			}
		}
		if got := strings.Join(h.journal.outcomes(), " "); got != "failed_mid_stream ok ok" || asked != 2 {
			t.Errorf("booked %s, asked %d times", got, asked)
		}
	})
}
