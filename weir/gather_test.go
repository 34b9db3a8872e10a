package weir_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-gateway/weir/internal/memnet"
	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// long asks for more in one piece than the official SDKs would.
var long = strings.Replace(request, `"max_tokens":10`, `"max_tokens":30000`, 1)

// fullAnswer is fullStream in one piece.
const fullAnswer = `{"id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[` +
	`{"type":"thinking","thinking":"Let me see what the weather is.","signature":"EqQBCgIYAhIM1gbcDa9GJwZA2b3h"},` +
	`{"type":"text","text":"Let's look \n at 天气."},` +
	`{"type":"tool_use","id":"toolu_1","name":"get_weather","input":{"city":"Berlin"}}],` +
	`"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":21,"cache_creation_input_tokens":0,"cache_read_input_tokens":5,"output_tokens":89}}`

// mustBeWhole checks that an ordinary JSON answer came.
func mustBeWhole(t *testing.T, resp *http.Response, got, want string) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal([]byte(got), &a); err != nil {
		t.Fatalf("status %d, %v in %.300q", resp.StatusCode, err, got)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b, a); diff != "" || resp.StatusCode != 200 {
		t.Errorf("status %d, -want +got\n%s", resp.StatusCode, diff)
	}
	h := resp.Header
	if h.Get("Content-Type") != "application/json" || h.Get("Content-Length") != strconv.Itoa(len(got)) || h.Get("Cache-Control")+h.Get("Content-Encoding") != "" {
		t.Errorf("%d bytes with the headers %v", len(got), h)
	}
}

// TestGatheredThroughFaults breaks the stream behind a gathered answer behind
// each of its events and in the middle of each: the caller gets one whole
// answer, whatever happens.
func TestGatheredThroughFaults(t *testing.T) {
	for _, b := range breakages {
		for n := range len(fullStream) + 1 {
			t.Run(fmt.Sprintf("%s/after-%d", b.name, n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { strikeGathered(t, b, n, b.text) })
			})
			if b.text == "" && n < len(fullStream) {
				half := fullStream[n][:len(fullStream[n])/2]
				t.Run(fmt.Sprintf("%s/within-%d", b.name, n), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { strikeGathered(t, b, n, half) })
				})
			}
		}
	}
}

func strikeGathered(t *testing.T, b breakage, n int, more string) {
	calls, gone := 0, 0
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if calls++; calls > 1 {
			serveEvents(w, strings.Join(fullStream, ""))
			return
		}
		defer func() { gone++ }()
		w.Header().Set("Cache-Control", "no-cache")
		serveEvents(w, strings.Join(fullStream[:n], "")+more)
		b.strike(w, r)
	})
	resp, got := h.post(t, long)
	synctest.Wait()
	mustBeWhole(t, resp, got, fullAnswer)
	want := 2
	if n == len(fullStream) {
		want = 1
	}
	if calls != want || gone != 1 || resp.Header.Get("Weir-Attempts") != strconv.Itoa(want) {
		t.Errorf("%d upstream calls, %d of the broken one ended, want %d and 1", calls, gone, want)
	}
	h.journal.mu.Lock()
	defer h.journal.mu.Unlock()
	if len(h.journal.list) != 1 || h.inFlight() != 0 {
		t.Fatalf("%d calls in the books, %d permits out", len(h.journal.list), h.inFlight())
	}
	e := h.journal.list[0]
	if lost := e.Usage.Input == 42; e.Outcome != "ok" || e.Stream || lost != (want == 2 && n > firstContent) {
		t.Errorf("broken behind %d events, booked as %s, stream %v, with %+v", n, e.Outcome, e.Stream, e.Usage)
	}
	if want == 1 && (e.Usage.Input != 21 || e.Usage.CacheRead != 5 || e.Usage.Output != 89 || !e.Usage.Exact) {
		t.Errorf("booked %+v", e.Usage)
	}
}

func TestGatheredErrors(t *testing.T) {
	for kind, status := range map[string]int{
		"invalid_request_error": 400, "authentication_error": 401, "billing_error": 402, "permission_error": 403,
		"not_found_error": 404, "request_too_large": 413, "rate_limit_error": 429, "api_error": 500, "timeout_error": 504, "overloaded_error": 529,
	} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				body := `{"type":"error","error":{"details":null,"type":"` + kind + `","message":"So it is."},"request_id":"req_1"}`
				h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
					io.Copy(io.Discard, r.Body)
					w.Header().Set("Request-Id", "req_1")
					serveEvents(w, strings.Join(fullStream[:7], "")+event("error", body))
				})
				resp, got := h.post(t, long, "Weir-Max-Wait", "1m")
				if status == 429 { // waited out, as any other; then Weir says so in its own words
					if resp.StatusCode != 429 {
						t.Errorf("status %d %s", resp.StatusCode, got)
					}
					return
				}
				if resp.StatusCode != status || got != body || resp.Header.Get("Content-Type") != "application/json" || resp.Header.Get("Request-Id") != "req_1" {
					t.Errorf("got %d %s with %v", resp.StatusCode, got, resp.Header)
				}
				h.journal.mu.Lock()
				defer h.journal.mu.Unlock()
				if e := h.journal.list[0]; len(h.journal.list) != 1 || e.Outcome != "upstream_error" || e.Usage.Input < 21 || h.inFlight() != 0 {
					t.Errorf("booked %s %+v, %d permits out", e.Outcome, e.Usage, h.inFlight())
				}
			})
		})
	}
}

// TestGatheredRequests tells what the upstream is asked, and what becomes of
// answers that are not what was asked for.
func TestGatheredRequests(t *testing.T) {
	zip := func(text string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		io.WriteString(z, text)
		z.Close()
		return b.String()
	}
	whole := strings.Join(fullStream, "")
	stream := func(w http.ResponseWriter, coding, text string) {
		w.Header().Set("Content-Type", "text/event-stream")
		if coding != "" {
			w.Header().Set("Content-Encoding", coding)
		}
		io.WriteString(w, text)
	}
	for name, c := range map[string]struct {
		body  string
		first func(w http.ResponseWriter)
		asked []string // beginnings of the bodies
	}{
		"stream":       {long, func(w http.ResponseWriter) { stream(w, "", whole) }, []string{`{"stream":true,"model"`}},
		"stream-false": {strings.Replace(long, "{", `{ "stream" : false ,`, 1), func(w http.ResponseWriter) { stream(w, "", whole) }, []string{`{ "stream" : true ,"model"`}},
		"one-piece": {long, func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, fullAnswer)
		}, []string{`{"stream":true,"model"`}},
		"gzip":          {long, func(w http.ResponseWriter) { stream(w, "gzip", zip(whole)) }, []string{`{"stream":true,"model"`}},
		"other-coding":  {long, func(w http.ResponseWriter) { stream(w, "br", "?") }, []string{`{"stream":true,"model"`, `{"model"`}},
		"nonsense":      {long, func(w http.ResponseWriter) { stream(w, "", strings.Replace(whole, `"index":1`, `"index":7`, 1)) }, []string{`{"stream":true,"model"`, `{"model"`}},
		"below":         {request, func(w http.ResponseWriter) { io.WriteString(w, fullAnswer) }, []string{`{"model"`}},
		"eager":         {strings.Replace(long, "{", `{"tools":[{"name":"f","eager_input_streaming":true}],`, 1), func(w http.ResponseWriter) { io.WriteString(w, fullAnswer) }, []string{`{"tools"`}},
		"crlf-and-ping": {long, func(w http.ResponseWriter) { stream(w, "", strings.ReplaceAll(whole, "\n", "\r\n")) }, []string{`{"stream":true,"model"`}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked []string
				h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
					raw, _ := io.ReadAll(r.Body)
					asked = append(asked, string(raw))
					if streaming := strings.Contains(string(raw), "true"); len(raw) != int(r.ContentLength) || streaming && name != "eager" && r.Header.Get("Accept-Encoding") != "identity" {
						t.Errorf("%d bytes, announced as %d; encoding %q", len(raw), r.ContentLength, r.Header.Get("Accept-Encoding"))
					}
					if len(asked) == 1 {
						c.first(w)
					} else {
						w.Header().Set("Content-Type", "application/json")
						io.WriteString(w, fullAnswer)
					}
				})
				resp, got := h.post(t, c.body, "Accept-Encoding", "gzip")
				if resp.StatusCode != 200 || len(asked) != len(c.asked) {
					t.Fatalf("status %d after %d calls, want %d: %.300s", resp.StatusCode, len(asked), len(c.asked), got)
				}
				for i, want := range c.asked {
					if !strings.HasPrefix(asked[i], want) {
						t.Errorf("asked %.60q, want %q", asked[i], want)
					}
				}
				var a, b any
				if json.Unmarshal([]byte(got), &a) != nil || json.Unmarshal([]byte(fullAnswer), &b) != nil || !cmp.Equal(a, b) {
					t.Errorf("got %s", got)
				}
			})
		})
	}
}

// TestLeavingAGatheredCall lets the caller leave in the middle: the upstream
// hears of it, and what it has cost is booked.
func TestLeavingAGatheredCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := false
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			serveEvents(w, strings.Join(fullStream[:8], ""))
			<-r.Context().Done()
			gone = true
		})
		ctx, leave := context.WithTimeout(t.Context(), 10*time.Second)
		defer leave()
		if resp, err := h.client.Do(newPost(t, "http://weir/v1/messages", long).WithContext(ctx)); err == nil {
			resp.Body.Close()
			t.Errorf("status %d", resp.StatusCode)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if !gone {
			t.Error("the upstream goes on")
		}
		h.mustBeBooked(t, "client_gone", "client_gone", -1)
	})
}

// TestGatheredCallsAreHedged: the first content decides, as for any stream.
func TestGatheredCallsAreHedged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			if r.Header.Get("X-Api-Key") == "sk-ant-api-a" {
				time.Sleep(time.Minute)
			}
			w.Header().Set("Anthropic-Organization-Id", r.Header.Get("X-Api-Key"))
			serveEvents(w, strings.Join(fullStream, ""))
		}, weir.WithAPIKey("a", "sk-ant-api-a"), weir.WithAPIKey("b", "sk-ant-api-b"), weir.WithHedge(5*time.Second))
		for range 2 { // one of the two begins with the slow key
			began := time.Now()
			resp, got := h.post(t, long)
			mustBeWhole(t, resp, got, fullAnswer)
			if took := time.Since(began); took > 6*time.Second {
				t.Errorf("took %v", took)
			}
		}
	})
}

// idle is a connection that somebody on the way drops when nothing has passed
// for a minute, as load balancers do.
type idle struct {
	net.Conn
	timer *time.Timer
}

func (c *idle) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.timer.Reset(time.Minute)
	return n, err
}

func (c *idle) Write(p []byte) (int, error) {
	c.timer.Reset(time.Minute)
	return c.Conn.Write(p)
}

// TestLongAnswersDoNotIdleOut asks for an answer that takes a quarter of an
// hour, over a network that drops silent connections: directly, and through a
// gateway.
func TestLongAnswersDoNotIdleOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Minute) })
		api, err := sim.New(sim.Config{Seed: 3, Timing: sim.Timing{TTFT: 2 * time.Second, TokensPerSecond: 30, Output: sim.Output{Median: 28_000}}})
		if err != nil {
			t.Fatal(err)
		}
		l := memnet.Listen()
		server := &http.Server{Handler: api}
		var serving sync.WaitGroup
		serving.Go(func() { server.Serve(l) })
		network := func() *http.Transport {
			rt := &http.Transport{DisableCompression: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := l.Dial(ctx, network, address)
				if err != nil {
					return nil, err
				}
				return &idle{conn, time.AfterFunc(time.Minute, func() { conn.Close() })}, nil
			}}
			t.Cleanup(func() { rt.CloseIdleConnections() })
			return rt
		}
		began := time.Now()
		direct := newPost(t, "http://api/v1/messages", long, "Anthropic-Version", "2023-06-01")
		if resp, err := (&http.Client{Transport: network()}).Do(direct); err == nil {
			resp.Body.Close()
			t.Errorf("a direct call outlives a silence of %v", time.Since(began))
		}
		t.Logf("a direct call ended after %v", time.Since(began))
		g, err := weir.New(weir.WithUpstream("http://api"), weir.WithHTTPTransport(network()))
		if err != nil {
			t.Fatal(err)
		}
		client := &http.Client{Transport: serveInMemory(t, g.Handler())}
		began = time.Now()
		resp, got := send(t, client, newPost(t, "http://weir/v1/messages", long, "Anthropic-Version", "2023-06-01"))
		took := time.Since(began)
		t.Logf("through Weir it was whole after %v: %d bytes, %s attempts", took, len(got), resp.Header.Get("Weir-Attempts"))
		if resp.StatusCode != 200 || resp.Header.Get("Weir-Attempts") != "1" || took < 15*time.Minute || !strings.Contains(got, `"output_tokens":28000`) {
			t.Errorf("status %d after %v: %.200s", resp.StatusCode, took, got)
		}
		server.Close()
		serving.Wait()
	})
}
