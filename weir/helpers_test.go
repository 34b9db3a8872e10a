package weir_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/weir"
)

const (
	request = `{"model":"claude-haiku-4-5","max_tokens":10,"messages":[{"role":"user","content":"hi"}]}`
	answer  = `{"id":"msg_1","type":"message","usage":{"input_tokens":9,"output_tokens":3}}`
)

// ping is what a streaming client gets while its call waits.
const ping = "event: ping\ndata: {\"type\": \"ping\"}\n\n"

// streamed is request as a stream.
var streamed = strings.Replace(request, "{", `{"stream":true,`, 1)

const events = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n" +
	"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0}\n\n" +
	"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"hello\"}}\n\n" +
	"event: new_kind\ndata: {\"x\":1}\n\n" +
	"event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":3}}\n\n" +
	"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"

func serveEvents(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	for part := range strings.SplitAfterSeq(text, "\n\n") {
		fmt.Fprint(w, part)
		w.(http.Flusher).Flush()
	}
}

// behind starts a gateway in front of an upstream, both on real sockets.
func behind(t testing.TB, upstream http.HandlerFunc, opts ...weir.Option) *httptest.Server {
	t.Helper()
	api := httptest.NewServer(upstream)
	t.Cleanup(api.Close)
	g, err := weir.New(append([]weir.Option{weir.WithUpstream(api.URL)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(g.Handler())
	t.Cleanup(func() {
		front.Close()
		g.Close()
	})
	return front
}

func post(t testing.TB, url, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	return send(t, http.DefaultClient, newPost(t, url, body, headers...))
}

func newPost(t testing.TB, url, body string, headers ...string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", "sk-ant-api-test")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return req
}

func send(t testing.TB, client *http.Client, req *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := client.Do(req)
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

// house is a gateway between an upstream and a client, all in memory, for a
// bubble.
type house struct {
	gateway   *weir.Gateway
	transport *http.Transport
	client    *http.Client
	journal   *journal
}

func newHouse(t *testing.T, upstream http.HandlerFunc, opts ...weir.Option) *house {
	t.Helper()
	t.Cleanup(func() { time.Sleep(time.Second) }) // net/http lingers over the connections that it closes
	h := &house{journal: &journal{}}
	api := serveInMemory(t, upstream)
	api.DisableCompression = true
	g, err := weir.New(append([]weir.Option{
		weir.WithUpstream("http://api"), weir.WithHTTPTransport(api), weir.WithObserver(h.journal),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	h.gateway, h.transport = g, serveInMemory(t, g.Handler())
	h.client = &http.Client{Transport: h.transport}
	return h
}

// post sends body to the Messages API through the house.
func (h *house) post(t *testing.T, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	return send(t, h.client, newPost(t, "http://weir/v1/messages", body, headers...))
}

// dial opens a bare connection to the house.
func (h *house) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := h.transport.DialContext(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// inFlight counts the permits that have not been settled.
func (h *house) inFlight() (n int) {
	for _, lane := range h.gateway.Queue().Lanes {
		n += lane.InFlight + lane.Waiting
	}
	return n
}

// atFullSize skips a test that shows a figure at full size where the race
// detector would make it last for half a minute: scripts/check.sh
// runs it without.
func atFullSize(t *testing.T) {
	t.Helper()
	if raced {
		t.Skip("it runs without the race detector")
	}
}

// journal keeps the events of finished calls.
type journal struct {
	mu   sync.Mutex // guards list
	list []call.Event
}

// Event implements [call.Observer].
func (j *journal) Event(e call.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.list = append(j.list, e)
}

// outcomes lists how the calls so far ended, and clears the list.
func (j *journal) outcomes() (out []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.list {
		out = append(out, e.Outcome)
	}
	j.list = nil
	return out
}
