package load

import (
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/memnet"
)

// script answers with its statuses in turn, and then always with the last. The
// header goes with the failures.
func script(header http.Header, statuses ...int) upstream {
	n := 0
	return func(w http.ResponseWriter, _ *http.Request) {
		status := statuses[min(n, len(statuses)-1)]
		n++
		if status == http.StatusOK {
			io.WriteString(w, okBody)
			return
		}
		maps.Copy(w.Header(), header)
		w.WriteHeader(status)
		io.WriteString(w, `{"type":"error","error":{"type":"rate_limit_error","message":"no"}}`)
	}
}

func one(t *testing.T, u http.RoundTripper, w Workload) Record {
	t.Helper()
	rec := NewRecorder(0)
	w.Requests = 1
	if err := Run(t.Context(), Target{URL: "http://x/", Transport: u}, w, rec); err != nil {
		t.Fatal(err)
	}
	return rec.Records()[0]
}

func TestPolicies(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	h := func(pairs ...string) http.Header {
		out := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			out.Set(pairs[i], pairs[i+1])
		}
		return out
	}
	for _, tt := range []struct {
		name     string
		policy   Policy
		header   http.Header
		statuses []int
		attempts int
		status   int
		min, max time.Duration
	}{
		{"none-does-not-retry", None(), nil, []int{429}, 1, 429, 0, 0},
		{"sdk-gives-up-after-three", SDK(), nil, []int{429}, 3, 429, 1125 * ms, 1500 * ms},
		{"sdk-recovers", SDK(), nil, []int{529, 200}, 2, 200, 375 * ms, 500 * ms},
		{"sdk-obeys-retry-after", SDK(), h("retry-after", "2"), []int{429, 429, 200}, 3, 200, 4 * s, 4 * s},
		{"sdk-prefers-milliseconds", SDK(), h("retry-after", "9", "retry-after-ms", "250"), []int{503, 200}, 2, 200, 250 * ms, 250 * ms},
		{"sdk-waits-any-hint", SDK(), h("retry-after", "3600"), []int{429, 200}, 2, 200, time.Hour, time.Hour},
		{"python-caps-the-hint", PythonSDK(), h("retry-after", "61"), []int{429, 200}, 2, 200, 375 * ms, 500 * ms},
		{"python-obeys-a-minute", PythonSDK(), h("retry-after", "60"), []int{429, 200}, 2, 200, time.Minute, time.Minute},
		{"told-not-to", SDK(), h("x-should-retry", "false"), []int{429}, 1, 429, 0, 0},
		{"told-to", SDK(), h("x-should-retry", "true"), []int{400, 200}, 2, 200, 375 * ms, 500 * ms},
		{"bad-request", SDK(), nil, []int{400}, 1, 400, 0, 0},
		{"hint-in-the-past", SDK(), h("retry-after", "Fri, 01 Jan 1999 15:04:05 GMT"), []int{429, 200}, 2, 200, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := one(t, script(tt.header, tt.statuses...), Workload{Client: tt.policy})
				if got.Attempts != tt.attempts || got.Status != tt.status {
					t.Errorf("%d attempts, status %d; want %d and %d", got.Attempts, got.Status, tt.attempts, tt.status)
				}
				if got.Took < tt.min || got.Took > tt.max {
					t.Errorf("took %v, want %v to %v", got.Took, tt.min, tt.max)
				}
				if got.Wait != got.Took {
					t.Errorf("wait %v, want all of %v", got.Wait, got.Took)
				}
			})
		})
	}
}

func TestTimeoutIsPerAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := one(t, answering(time.Hour), Workload{Timeout: 10 * time.Second})
		if got.Attempts != 3 || got.Outcome != Broken || got.Took < 31*time.Second || got.Took > 32*time.Second {
			t.Errorf("%d attempts, %v after %v", got.Attempts, got.Outcome, got.Took)
		}
	})
}

func TestAnswers(t *testing.T) {
	start := `data: {"type":"message_start","message":{"usage":{"input_tokens":10,"cache_read_input_tokens":5,"output_tokens":1}}}` + "\n\n"
	delta := `data: {"type":"content_block_delta","delta":{"text":"x"}}` + "\n\n"
	usage := `data: {"type":"message_delta","usage":{"output_tokens":7}}` + "\n\n"
	stop := "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
	failure := func(kind string) string {
		return `data: {"type":"error","error":{"type":"` + kind + `","message":"m"}}` + "\n\n"
	}
	full := call.Usage{Input: 10, CacheRead: 5, Output: 7, Exact: true}
	for _, tt := range []struct {
		name, body string
		outcome    Outcome
		status     int
		usage      call.Usage
	}{
		{"whole", start + delta + usage + stop, OK, 200, full},
		{"comments-and-unknown-events", ": hi\n\ndata: {\"type\":\"new\"}\n\n" + start + usage + stop, OK, 200, full},
		{"no-stop", start + usage, Broken, 200, call.Usage{Input: 10, CacheRead: 5, Output: 7}},
		{"overloaded", start + failure("overloaded_error"), Broken, 529, call.Usage{Input: 10, CacheRead: 5, Output: 1}},
		{"late-429", failure("rate_limit_error"), Broken, 429, call.Usage{}},
		{"empty", "", Broken, 200, call.Usage{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := upstream(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("content-type", "text/event-stream; charset=utf-8")
				io.WriteString(w, tt.body)
			})
			got := one(t, u, Workload{StreamShare: 1})
			if got.Outcome != tt.outcome || got.Status != tt.status || got.Usage != tt.usage || got.Attempts != 1 {
				t.Errorf("%v, status %d, usage %+v, %d attempts", got.Outcome, got.Status, got.Usage, got.Attempts)
			}
		})
	}
}

func TestBrokenJSONIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		u := upstream(func(w http.ResponseWriter, _ *http.Request) {
			n++
			io.WriteString(w, okBody[:len(okBody)*min(n, 2)/2])
		})
		got := one(t, u, Workload{})
		if got.Outcome != OK || got.Attempts != 2 || len(got.Retried) != 1 || got.Retried[0] != 0 {
			t.Errorf("%v after %d attempts, retried %v", got.Outcome, got.Attempts, got.Retried)
		}
	})
}

func TestWaitIsWhatWeirSaysOrPingsShow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said := one(t, upstream(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("weir-wait-ms", "1500")
			io.WriteString(w, okBody)
		}), Workload{})
		if said.Wait != 1500*time.Millisecond {
			t.Errorf("waited %v, want the header's 1.5s", said.Wait)
		}
		pinged := one(t, upstream(pinging), Workload{StreamShare: 1})
		if pinged.Wait != 20*time.Second || pinged.Outcome != OK {
			t.Errorf("%v, waited %v, want ok and 20s of pings", pinged.Outcome, pinged.Wait)
		}
	})
}

func TestFirstTokenIsTheFirstContent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memnet.Listen()
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("content-type", "text/event-stream")
			for _, event := range []string{
				`{"type":"message_start","message":{"usage":{"input_tokens":1}}}`, `{"type":"content_block_start","index":0}`,
				`{"type":"content_block_delta","index":0,"delta":{"text":"x"}}`, `{"type":"message_stop"}`,
			} {
				io.WriteString(w, "data: "+event+"\n\n")
				http.NewResponseController(w).Flush()
				pause(req.Context(), time.Second)
			}
		})}
		go srv.Serve(l)
		transport := l.Transport()
		defer srv.Close()
		defer transport.CloseIdleConnections()
		got := one(t, transport, Workload{StreamShare: 1})
		if got.First != time.Second || got.Took < 3*time.Second {
			t.Errorf("the first token came after %v, the last after %v", got.First, got.Took)
		}
		if whole := one(t, answering(time.Second), Workload{}); whole.First != 0 {
			t.Errorf("an answer in one piece has a first token after %v", whole.First)
		}
	})
}

// pinging holds a stream with pings for 20 s before it answers.
func pinging(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("content-type", "text/event-stream")
	io.WriteString(w, strings.Repeat("event: ping\ndata: {\"type\":\"ping\"}\n\n", 3))
	pause(req.Context(), 20*time.Second)
	io.WriteString(w, `data: {"type":"message_start","message":{"usage":{"input_tokens":10}}}`+"\n\n")
	io.WriteString(w, `data: {"type":"message_stop"}`+"\n\n")
}
