package weir_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// fullStream has one of everything that an answer may be made of, as the API
// writes it. Its ping is spelled unlike Weir's own.
var fullStream = []string{
	event("message_start", `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":21,"cache_creation_input_tokens":0,"cache_read_input_tokens":5,"output_tokens":2}}}`),
	event("ping", `{"type":"ping"}`),
	event("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}`),
	event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Let me see what the weather is."}}`),
	event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQBCgIYAhIM1gbcDa9GJwZA2b3h"}}`),
	event("content_block_stop", `{"type":"content_block_stop","index":0}`),
	event("content_block_start", `{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}`),
	event("content_block_delta", `{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Let's look \n at 天气."}}`),
	event("content_block_stop", `{"type":"content_block_stop","index":1}`),
	event("content_block_start", `{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"get_weather","input":{}}}`),
	event("content_block_delta", `{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}`),
	event("content_block_delta", `{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"city\": \"Berlin\"}"}}`),
	event("content_block_stop", `{"type":"content_block_stop","index":2}`),
	event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":89}}`),
	event("message_stop", `{"type":"message_stop"}`),
}

// firstContent is how many events of fullStream come before its content.
const firstContent = 2

func event(name, data string) string { return "event: " + name + "\ndata: " + data + "\n\n" }

var overloadedEvent = event("error", `{"type":"error","error":{"details":null,"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}`)

// breakage is a way in which an upstream may fail in the middle of a stream.
type breakage struct {
	name   string
	strike func(w http.ResponseWriter, r *http.Request)
	text   string        // what it still sends
	reason string        // in the books
	code   string        // of the error event
	after  time.Duration // it is noticed
}

var breakages = []breakage{
	{"error-event", func(w http.ResponseWriter, r *http.Request) {}, overloadedEvent, "upstream_error_event", "overloaded_error", 0},
	{"error-event-then-silence", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, overloadedEvent, "upstream_error_event", "overloaded_error", 0},
	{"eof", func(w http.ResponseWriter, r *http.Request) {}, "", "broken_off", "stream_broken_off", 0},
	{"reset", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, "", "broken_off", "stream_broken_off", 0},
	{"stall", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "", "stalled", "stream_stalled", time.Minute},
}

// TestFaultsAtEveryBoundary breaks a stream behind each of its events and in
// the middle of each. Nobody may notice what happens before the first content;
// after it, the client gets the whole events so far and exactly one error.
func TestFaultsAtEveryBoundary(t *testing.T) {
	for _, b := range breakages {
		for n := range len(fullStream) + 1 {
			t.Run(fmt.Sprintf("%s/after-%d", b.name, n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { strike(t, b, n, b.text) })
			})
			if b.text != "" || n == len(fullStream) {
				continue // an error event is an event of its own, never a part of another
			}
			t.Run(fmt.Sprintf("%s/within-%d", b.name, n), func(t *testing.T) {
				half := fullStream[n][:len(fullStream[n])/2]
				synctest.Test(t, func(t *testing.T) { strike(t, b, n, half) })
			})
		}
	}
}

// strike lets the first upstream call fail by b, behind n whole events and
// more, and checks everything that must hold.
func strike(t *testing.T, b breakage, n int, more string) {
	var calls, gone int
	var broke, noticed time.Time
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if calls++; calls > 1 {
			serveEvents(w, strings.Join(fullStream, ""))
			return
		}
		defer func() { gone, noticed = gone+1, time.Now() }()
		serveEvents(w, strings.Join(fullStream[:n], "")+more)
		broke = time.Now()
		b.strike(w, r)
	})
	resp, got := h.post(t, streamed)
	got = strings.ReplaceAll(got, ping, "") // Weir's own, of a long wait
	synctest.Wait()

	whole, complete := strings.Join(fullStream, ""), n == len(fullStream)
	calling := 1
	switch {
	case complete: // what follows a whole answer is passed on as it is
		mustEqual(t, got, whole+b.text)
		h.mustBeBooked(t, "ok", "", 89)
	case n <= firstContent:
		calling = 2
		mustEqual(t, got, whole)
		h.mustBeBooked(t, "ok", "", 89)
	default:
		mustFailAfter(t, got, strings.Join(fullStream[:n], ""), b.code)
		h.mustBeBooked(t, "failed_mid_stream", b.reason, -1)
	}
	if resp.StatusCode != 200 || calls != calling || gone != 1 {
		t.Errorf("status %d after %d upstream calls, %d of the broken one ended; want 200 after %d", resp.StatusCode, calls, gone, calling)
	}
	after := b.after
	switch {
	case b.name == "stall" && n == 0 && more == "":
		after = 5 * time.Minute // the first byte may take longer
	case b.name == "error-event-then-silence" && complete:
		after = time.Minute // nothing is wrong with the answer
	}
	if took := noticed.Sub(broke); took != after {
		t.Errorf("the broken call was left after %v, want %v", took, after)
	}
}

func mustEqual(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// mustFailAfter checks that got is the whole events of want, and then exactly
// one error event with the code.
func mustFailAfter(t *testing.T, got, want, code string) {
	t.Helper()
	rest, whole := strings.CutPrefix(got, want)
	if !whole || !strings.HasPrefix(rest, "event: error\ndata: {") || strings.Index(rest, "\n\n") != len(rest)-2 || !strings.Contains(rest, `"`+code+`"`) {
		t.Errorf("got %d bytes that end with %.400q, want %d and one error %s", len(got), got[max(0, len(got)-400):], len(want), code)
	}
}

// mustBeBooked checks that one call is in the books, and that its permit is
// back. A negative output stands for a best guess above nothing.
func (h *house) mustBeBooked(t *testing.T, outcome, reason string, output int64) {
	t.Helper()
	h.journal.mu.Lock()
	defer h.journal.mu.Unlock()
	if len(h.journal.list) != 1 {
		t.Fatalf("%d calls are in the books, want one", len(h.journal.list))
	}
	e := h.journal.list[0]
	if e.Outcome != outcome || e.Reason != reason {
		t.Errorf("booked as %s %s, want %s %s", e.Outcome, e.Reason, outcome, reason)
	}
	if u := e.Usage; u.Input != 21 || u.CacheRead != 5 || (output >= 0 && int64(u.Output) != output) || u.Output <= 0 {
		t.Errorf("booked %+v, want 21 input, 5 from the cache and %d output", u, output)
	}
	if n := h.inFlight(); n != 0 {
		t.Errorf("%d permits were not settled", n)
	}
}

// TestFaultsOfHugeEvents breaks streams around events that no buffer of the
// usual size holds.
func TestFaultsOfHugeEvents(t *testing.T) {
	huge := event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"`+strings.Repeat("x", 3<<20)+`"}}`)
	head := strings.Join(fullStream[:firstContent+1], "")
	for name, c := range map[string]struct{ sent, want string }{
		"within": {head + huge[:2<<20], head},
		"behind": {head + huge + "event: content_bl", head + huge},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t, func(w http.ResponseWriter, r *http.Request) { serveEvents(w, c.sent) })
				_, got := h.post(t, streamed)
				mustFailAfter(t, got, c.want, "stream_broken_off")
				h.mustBeBooked(t, "failed_mid_stream", "broken_off", -1)
			})
		})
	}
}

// TestSilence lets upstreams be silent, or nearly, and tells when the call is
// given up and sent again.
func TestSilence(t *testing.T) {
	write := func(w http.ResponseWriter, text string) {
		io.WriteString(w, text)
		w.(http.Flusher).Flush()
	}
	for _, c := range []struct {
		name   string
		body   string
		first  http.HandlerFunc // the first call's answer
		calls  int
		within [2]time.Duration
	}{
		{"no-head-of-a-stream", streamed, func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		}, 2, [2]time.Duration{5 * time.Minute, 5*time.Minute + time.Second}},
		{"no-body-of-a-stream", streamed, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			write(w, "")
			<-r.Context().Done()
		}, 2, [2]time.Duration{5 * time.Minute, 5*time.Minute + time.Second}},
		{"pings-are-life", streamed, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			write(w, fullStream[0])
			for range 12 {
				time.Sleep(50 * time.Second)
				write(w, fullStream[1])
			}
			serveEvents(w, strings.Join(fullStream[2:], ""))
		}, 1, [2]time.Duration{10 * time.Minute, 10 * time.Minute}},
		{"pings-stop", streamed, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			write(w, fullStream[0]+fullStream[1])
			<-r.Context().Done()
		}, 2, [2]time.Duration{time.Minute, time.Minute + time.Second}},
		{"long-json", request, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(9 * time.Minute)
			io.WriteString(w, answer)
		}, 1, [2]time.Duration{9 * time.Minute, 9 * time.Minute}},
		{"half-an-error", request, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(500)
			write(w, `{"type":`)
			<-r.Context().Done()
		}, 2, [2]time.Duration{time.Minute, time.Minute + time.Second}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
					io.Copy(io.Discard, r.Body)
					if calls++; calls == 1 {
						c.first(w, r)
					} else if c.body == request {
						io.WriteString(w, answer)
					} else {
						serveEvents(w, strings.Join(fullStream, ""))
					}
				})
				began := time.Now()
				resp, got := h.post(t, c.body, "Weir-Max-Wait", "1h")
				took := time.Since(began)
				whole := strings.HasSuffix(got, fullStream[len(fullStream)-1]) || got == answer
				if resp.StatusCode != 200 || !whole || calls != c.calls || took < c.within[0] || took > c.within[1] {
					t.Errorf("after %v and %d calls: %d %.200q", took, calls, resp.StatusCode, got)
				}
				if out := h.journal.outcomes(); len(out) != 1 || out[0] != "ok" || h.inFlight() != 0 {
					t.Errorf("booked as %q with %d permits out", out, h.inFlight())
				}
			})
		})
	}
}

// TestSlowReaderIsNoStall lets the client rest for longer than the upstream
// may: while nobody asks for more, its silence means nothing.
func TestSlowReaderIsNoStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := strings.Join(fullStream, "")
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			serveEvents(w, text)
		})
		resp, err := h.client.Do(newPost(t, "http://weir/v1/messages", streamed))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		time.Sleep(10 * time.Minute)
		if got, err := io.ReadAll(resp.Body); err != nil || string(got) != text {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

// freezer accepts connections, but holds the first of them as a process does
// that was stopped: the kernel takes the bytes, and nobody reads them.
type freezer struct {
	net.Listener
	once sync.Once
	held net.Conn
}

func (f *freezer) Accept() (net.Conn, error) {
	f.once.Do(func() { f.held, _ = f.Listener.Accept() })
	return f.Listener.Accept()
}

func TestFrozenUpstream(t *testing.T) {
	api := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serveEvents(w, events) }))
	frozen := &freezer{Listener: api.Listener}
	api.Listener = frozen
	api.Start()
	defer api.Close()
	g, err := weir.New(weir.WithUpstream(api.URL), weir.WithPatience(weir.Patience{Begin: 100 * time.Millisecond}))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	front := httptest.NewServer(g.Handler())
	defer front.Close()
	resp, got := post(t, front.URL+"/v1/messages", streamed)
	if got != events || resp.Header.Get("Weir-Attempts") != "2" {
		t.Errorf("after %s attempts: %q", resp.Header.Get("Weir-Attempts"), got)
	}
	defer frozen.held.Close()
	if rest, err := io.ReadAll(frozen.held); err != nil || !strings.HasPrefix(string(rest), "POST /v1/messages") {
		t.Errorf("the frozen connection was not closed: %v", err) // or the reading of it would not have ended
	}
	if _, err := weir.New(weir.WithPatience(weir.Patience{Silence: -1})); err == nil {
		t.Error("a negative patience was taken")
	}
}

// storm is a house before a simulator in which something goes wrong for a time.
type storm struct {
	*house
	api *sim.Server

	mu    sync.Mutex // guards everything below
	took  []time.Duration
	bad   map[int]int // answers other than whole ones
	began time.Time
	sore  time.Duration // after began, the last call began that failed or took long
}

// newStorm lets the fault strike calls of a generous organization.
func newStorm(t *testing.T, f sim.Fault) *storm {
	t.Helper()
	api, err := sim.New(sim.Config{
		Scenario: &sim.Scenario{Faults: []sim.Fault{f}}, Seed: 1, Tier: "scale",
		Timing: sim.Timing{TTFT: 500 * time.Millisecond, TokensPerSecond: 100},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &storm{house: newHouse(t, api.ServeHTTP), api: api, bad: map[int]int{}, began: time.Now()}
}

// call makes one call, every other one of them streaming.
func (s *storm) call(t *testing.T, i int) time.Duration {
	body := request
	if i%2 == 1 {
		body = streamed
	}
	body = strings.Replace(body, `"max_tokens":10`, `"max_tokens":100`, 1)
	began := time.Now()
	resp, got := s.post(t, body, "Weir-Max-Wait", "3m", "Anthropic-Version", "2023-06-01")
	took := time.Since(began)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.took = append(s.took, took)
	whole := strings.Contains(got, `"output_tokens"`) && !strings.Contains(got, "event: error")
	if !whole {
		s.bad[resp.StatusCode]++
	}
	if !whole || took > 3*time.Second {
		s.sore = max(s.sore, began.Sub(s.began))
	}
	return took
}

// rage makes calls at an even pace for d, and waits until all have ended.
func (s *storm) rage(t *testing.T, perSecond int, d time.Duration) {
	var wg sync.WaitGroup
	for i := range perSecond * int(d/time.Second) {
		wg.Go(func() { s.call(t, i) })
		time.Sleep(time.Second / time.Duration(perSecond))
	}
	wg.Wait()
	slices.Sort(s.took)
}

func (s *storm) quantile(q float64) time.Duration { return s.took[int(q*float64(len(s.took)-1))] }

// TestOverloadIsAbsorbed lets a fifth of all calls meet a 529 for 40 s.
func TestOverloadIsAbsorbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fifth := 0.2
		s := newStorm(t, sim.Fault{Kind: sim.FaultOverloaded, For: sim.Duration(40 * time.Second), Probability: &fifth})
		s.rage(t, 10, time.Minute)
		stats := s.api.Stats()
		calls := int64(len(s.took))
		extra := float64(stats.Requests-calls) / float64(calls)
		t.Logf("%d calls, %d upstream (+%.1f %%), %d x 529; took %v at the median, %v at p95, %v at most",
			calls, stats.Requests, 100*extra, stats.Status[529], s.quantile(0.5), s.quantile(0.95), s.quantile(1))
		if len(s.bad) > 0 || extra > 0.25 || stats.Status[529] < 50 {
			t.Errorf("failures by status: %v; %.1f %% extra calls, want at most 25 %%", s.bad, 100*extra)
		}
		if s.inFlight() != 0 {
			t.Errorf("%d permits were not settled", s.inFlight())
		}
		if took := s.call(t, 0); took > 2*time.Second {
			t.Errorf("after the storm a call took %v", took)
		}
	})
}
