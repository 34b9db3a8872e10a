package refusals

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// state is what makes a house refuse.
type state struct {
	api     sim.Config
	down    fault // of the way to the API
	options []weir.Option

	// prime brings the house into its state once it runs.
	prime func(h *House) error
	// during runs beside the first request that reaches the API after that.
	during func(h *House) error
}

// fault is what is wrong with the way to the API.
type fault uint8

const (
	noFault   fault = iota
	closed          // nobody listens
	plain           // it speaks no TLS, but should
	untrusted       // its certificate is its own
)

// House is a gateway before a simulator, in the state of a case.
type House struct {
	Case Case
	URL  string          // of the front door
	Way  *http.Transport // to it

	gateway *weir.Gateway
	servers []*served
	ctx     context.Context // of what runs beside
	stop    context.CancelFunc
	beside  sync.WaitGroup

	mu      sync.Mutex // guards what follows
	primed  bool
	reached int   // requests that have reached the API since then
	err     error // of what runs beside
	met     Met
}

// Met is what the front door has seen of a client.
type Met struct {
	Requests   int    `json:"requests"`
	RetryAfter int    `json:"retry_after"`     // the longest that it was told
	Broken     string `json:"broken_promises"` // "": none
}

// Open builds the house of c at a place. It must be closed.
func Open(at Place, c Case) (*House, error) {
	h := &House{Case: c}
	h.ctx, h.stop = context.WithCancel(context.Background())
	if err := h.build(at); err != nil {
		h.Close()
		return nil, fmt.Errorf("case %s: %w", c.Name, err)
	}
	if c.state.prime != nil {
		if err := c.state.prime(h); err != nil {
			h.Close()
			return nil, fmt.Errorf("case %s: prime: %w", c.Name, err)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.primed, h.met = true, Met{}
	return h, nil
}

// build starts the simulator and the gateway.
func (h *House) build(at Place) error {
	up, upstream, err := h.serveAPI(at)
	if err != nil {
		return err
	}
	h.gateway, err = weir.New(append([]weir.Option{
		weir.WithUpstream(upstream), weir.WithHTTPTransport(up.way),
	}, h.Case.state.options...)...)
	if err != nil {
		return err
	}
	front, err := serve(at, h.counted(h.gateway.Handler()), nil)
	if err != nil {
		return err
	}
	h.servers = append(h.servers, front)
	h.Way, h.URL = front.way, "http://"+front.address
	return nil
}

// serveAPI starts the simulator, with whatever is wrong with the way to it.
func (h *House) serveAPI(at Place) (up *served, url string, err error) {
	api, err := sim.New(h.Case.state.api)
	if err != nil {
		return nil, "", err
	}
	var cert *tls.Certificate
	if h.Case.state.down == untrusted {
		if cert, err = selfSigned(); err != nil {
			return nil, "", err
		}
	}
	if up, err = serve(at, h.watched(api), cert); err != nil {
		return nil, "", err
	}
	h.servers = append(h.servers, up)
	switch h.Case.state.down {
	case closed:
		up.close()
		return up, "http://127.0.0.1:1", nil // its own port may soon be another server's
	case plain, untrusted:
		return up, "https://" + up.address, nil
	}
	return up, "http://" + up.address, nil
}

// watched starts what is to happen beside the first request that reaches the
// API after priming.
func (h *House) watched(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		first := h.primed && h.reached == 0
		if h.primed {
			h.reached++
		}
		h.mu.Unlock()
		if first && h.Case.state.during != nil {
			r.Body = &atFirstRead{ReadCloser: r.Body, do: func() {
				h.Beside(func() error { return h.Case.state.during(h) })
			}}
		}
		api.ServeHTTP(w, r)
	})
}

// atFirstRead does something when the API begins to read a body. It has counted
// the request by then, so that whatever follows is a later one to it.
type atFirstRead struct {
	io.ReadCloser
	once sync.Once
	do   func()
}

// Read implements [io.Reader].
func (a *atFirstRead) Read(p []byte) (int, error) {
	a.once.Do(a.do)
	return a.ReadCloser.Read(p)
}

// counted counts the requests of the client, and holds every refusal to what
// DESIGN §2.5 promises of it. Those that the house itself sends are marked.
func (h *House) counted(front http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(ownMark) != "" {
			front.ServeHTTP(w, r)
			return
		}
		h.mu.Lock()
		h.met.Requests++
		h.mu.Unlock()
		front.ServeHTTP(&witness{ResponseWriter: w, h: h}, r)
	})
}

// ownMark is the header of the house's own requests. The gateway takes it for
// one of its own, and forwards it to nobody.
const ownMark = "Weir-Refusals"

// witness sees the head of every answer.
type witness struct {
	http.ResponseWriter
	h *House
}

// Unwrap lets [http.ResponseController] find the connection.
func (w *witness) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (w *witness) WriteHeader(status int) {
	if status >= 400 {
		w.h.judge(status, w.Header())
	}
	w.ResponseWriter.WriteHeader(status)
}

// judge notes what an answer tells the client, and what it should not.
func (h *House) judge(status int, header http.Header) {
	after, told := header.Get("Retry-After"), header.Get("X-Should-Retry")
	seconds, err := strconv.Atoi(after)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.met.RetryAfter = max(h.met.RetryAfter, seconds)
	retried := status == http.StatusTooManyRequests || status >= 500
	switch {
	case told == "false":
		return
	case h.Case.Expect.Own && seconds > h.Case.Expect.RetryAfter:
		h.met.Broken = fmt.Sprintf("retry-after %d, want %d at most", seconds, h.Case.Expect.RetryAfter)
	case after != "" && (err != nil || seconds < 1 || seconds > Longest):
		h.met.Broken = fmt.Sprintf("retry-after %q, which not every client obeys", after)
	case after == "" && retried && h.Case.Expect.Own:
		h.met.Broken = fmt.Sprintf("status %d says neither when to come back nor that there is no use", status)
	}
}

// Met returns what the front door has seen of the client so far.
func (h *House) Met() Met {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.met
}

// Beside runs f until the house is closed. Its error is that of Close.
func (h *House) Beside(f func() error) {
	h.beside.Go(func() {
		if err := f(); err != nil && h.ctx.Err() == nil {
			h.mu.Lock()
			h.err = errors.Join(h.err, err)
			h.mu.Unlock()
		}
	})
}

// Close ends everything that runs in the house.
func (h *House) Close() error {
	h.stop()
	for _, s := range h.servers {
		s.way.CloseIdleConnections()
	}
	for i := len(h.servers) - 1; i >= 0; i-- {
		h.servers[i].close()
	}
	h.beside.Wait()
	if h.gateway != nil {
		h.gateway.Close()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// send makes a request of the house's own, to bring it into its state. Headers
// are pairs of name and value.
func (h *House) send(headers ...string) (status int, err error) {
	body := fmt.Sprintf(`{"model":%q,"max_tokens":64000,"messages":[{"role":"user","content":"hi"}]}`, model)
	req, err := http.NewRequestWithContext(h.ctx, http.MethodPost, h.URL+"/v1/messages", strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Anthropic-Version", "2023-06-01")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Api-Key", h.Case.Ask.Key)
	req.Header.Set(ownMark, "1")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := h.Way.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// sent is send for states that the answer of one request brings about.
func sent(status int, headers ...string) func(*House) error {
	return func(h *House) error {
		got, err := h.send(headers...)
		if err == nil && got != status {
			err = fmt.Errorf("got status %d, want %d", got, status)
		}
		return err
	}
}
