package claudecode

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/weir-gateway/weir/internal/memnet"
	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// house is the client, the gateway and the upstream, connected.
type house struct {
	client   *client
	upstream *recorder
	sim      *sim.Server
}

// network is what a house is built on: memory, or the loopback device.
type network interface {
	listen(t *testing.T) (l net.Listener, transport *http.Transport, url string)
}

// memory lets everything run inside a synctest bubble.
type memory struct{}

func (memory) listen(*testing.T) (net.Listener, *http.Transport, string) {
	l := memnet.Listen()
	return l, l.Transport(), "http://mem"
}

// loopback is for the one test on real sockets.
type loopback struct{}

func (loopback) listen(t *testing.T) (net.Listener, *http.Transport, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l, &http.Transport{}, "http://" + l.Addr().String()
}

// open builds a house in pass-through mode in front of a simulator.
func open(t *testing.T, n network, cfg sim.Config) *house {
	t.Helper()
	s, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{sim: s, upstream: &recorder{next: s}}

	toUpstream, upstreamURL := serve(t, n, h.upstream)
	g, err := weir.New(weir.WithUpstream(upstreamURL), weir.WithHTTPTransport(toUpstream))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	toGateway, url := serve(t, n, g.Handler())
	h.client = &client{
		http: http.Client{Transport: toGateway}, base: url,
		key: "sk-ant-api03-claude-code", rand: rand.New(rand.NewPCG(1, 2)),
	}
	return h
}

// serve runs a handler until the test ends, and returns the way to it.
func serve(t *testing.T, n network, handler http.Handler) (*http.Transport, string) {
	t.Helper()
	l, transport, url := n.listen(t)
	transport.DisableCompression = true
	srv := &http.Server{Handler: handler}
	var wg sync.WaitGroup
	wg.Go(func() { srv.Serve(l) })
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		srv.Close()
		wg.Wait()
	})
	return transport, url
}

// seen is a request as it reached the upstream.
type seen struct {
	method string
	uri    string
	header http.Header
	body   []byte
}

// recorder keeps every request byte for byte before it passes it on.
type recorder struct {
	next http.Handler

	mu  sync.Mutex // guards all
	all []seen
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the gateway broke off
	}
	r.mu.Lock()
	r.all = append(r.all, seen{req.Method, req.RequestURI, req.Header.Clone(), body})
	r.mu.Unlock()
	req.Body = io.NopCloser(bytes.NewReader(body))
	r.next.ServeHTTP(w, req)
}

// requests returns what has come so far.
func (r *recorder) requests() []seen {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}
