package weir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/sse"
)

// When a streaming client that waits hears of it. Clients and proxies give up
// on silence after 30 to 300 s; the header must go out with the first ping,
// and with it the chance of a plain error status.
const (
	firstPing = 5 * time.Second
	nextPing  = 10 * time.Second
)

// pingEvent is the event that the API itself uses to keep streams alive.
var pingEvent = sse.Append(nil, "ping", []byte(`{"type": "ping"}`))

// pinger keeps a streaming client company while its call waits. Until stop has
// returned, the response belongs to it.
type pinger struct {
	g  *Gateway
	rc *http.ResponseController

	mu      sync.Mutex // guards everything below, and the writing to w
	w       http.ResponseWriter
	id      string         // of the call, which is the corridor's while it waits
	lowered string         // what is done to its max_tokens
	asked   asked          // by whom and for what
	parts   *call.Progress // of a call that may be split
	began   time.Time
	timer   *time.Timer
	started bool
	stopped bool
}

func newPinger(g *Gateway, w http.ResponseWriter, rc *http.ResponseController) *pinger {
	return &pinger{g: g, w: w, rc: rc}
}

// watch begins to keep c's client company, if it asked for a stream. A caller
// in this process may know its call's id before the answer begins.
func (p *pinger) watch(c *call.Call) {
	if caller, ok := p.w.(interface{ Accepted(id string) }); ok {
		caller.Accepted(c.ID)
	}
	if !c.Stream {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lowered = loweredText(c.MaxTokens, p.g.maxTokens.Cap(c))
	p.parts, p.began = c.Progress, time.Now()
	p.id, p.asked = c.ID, asked{c.Pool, c.Model, c.Tenant, c.Client, p.g.keys.Sure(c)}
	p.timer = time.AfterFunc(firstPing, p.ping)
}

func (p *pinger) ping() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return
	}
	if !p.started {
		p.started = true
		h := p.w.Header()
		if n := p.parts.Parts(); n > 0 {
			h.Set("Weir-Split", strconv.Itoa(n))
		}
		h.Set("Content-Type", "text/event-stream; charset=utf-8")
		h.Set("Cache-Control", "no-cache")
		h.Set("Weir-Request-Id", p.id)
		if text := join(p.lowered, p.g.concerns(p.asked)); text != "" {
			h.Set("Weir-Warning", text)
		}
		p.w.WriteHeader(http.StatusOK)
	}
	// A client that reads nothing must not hold up its call; one that has left
	// is noticed elsewhere.
	_ = p.rc.SetWriteDeadline(time.Now().Add(nextPing))
	_, _ = p.w.Write(append(p.progress(), pingEvent...))
	_ = p.rc.Flush()
	_ = p.rc.SetWriteDeadline(time.Time{})
	p.timer.Reset(nextPing)
}

// progress is a comment on how many parts of a call are answered, or nothing.
func (p *pinger) progress() []byte {
	done, total := p.parts.State()
	if total == 0 {
		return nil
	}
	line := fmt.Appendf(nil, ": weir-split: %d/%d", done, total)
	if done > 0 { // as fast as so far
		left := time.Since(p.began) * time.Duration(total-done) / time.Duration(done)
		line = fmt.Appendf(line, "; eta=%s", left.Round(time.Second))
	}
	return append(line, "\n\n"...)
}

// stop ends the pings and gives the response back. It reports whether a header
// has gone out already.
func (p *pinger) stop() (started bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	if p.timer != nil {
		p.timer.Stop()
	}
	return p.started
}

// errorEvent turns an error body into an event, on one line as SSE demands.
func errorEvent(body []byte) []byte {
	var line bytes.Buffer
	if json.Compact(&line, body) != nil {
		line.Reset()
		line.WriteString(`{"type":"error","error":{"type":"api_error","message":"The API answered with something that is no error in its usual form."}}`)
	}
	return sse.Append(nil, "error", line.Bytes())
}

// bodyGuard reads a request body under a deadline that moves on with its
// bytes: a client that sends too slowly is cut off, a long upload is not.
type bodyGuard struct {
	io.ReadCloser

	mu       sync.Mutex               // guards everything below: a transport may read on when the call has ended
	rc       *http.ResponseController // nil once the call has ended
	deadline time.Time
	whole    bool // the body was read to its end
	broken   bool // or has no end
}

const (
	bodyPatience = 30 * time.Second // for the first byte, and for stalls
	bodySpeed    = 16 << 10         // bytes per second that a client must reach

	lingerTime = 5 * time.Second // for the rest of a body that nobody wants
	lingerSize = 256 << 20
)

// guardBody returns req with its body under guard. It is a copy, because the
// server looks at the body of its own to tell whether the connection can be
// used again. The answer may begin before the body has ended.
func guardBody(rc *http.ResponseController, req *http.Request) (*http.Request, *bodyGuard) {
	g := &bodyGuard{ReadCloser: req.Body, rc: rc, deadline: time.Now().Add(bodyPatience)}
	_ = rc.SetReadDeadline(g.deadline) // not every connection has deadlines
	_ = rc.EnableFullDuplex()          // nor needs this
	req = req.WithContext(req.Context())
	req.Body = g
	return req, g
}

// Read implements [io.Reader].
func (g *bodyGuard) Read(p []byte) (int, error) {
	n, err := g.ReadCloser.Read(p)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.broken = err != nil && !errors.Is(err, io.EOF)
	if g.rc == nil {
		return n, err
	}
	if g.whole = errors.Is(err, io.EOF); g.whole {
		// Lift it at the end: the server goes on reading, to notice a client
		// that leaves while its call waits.
		g.deadline = time.Time{}
	} else {
		g.deadline = g.deadline.Add(time.Duration(n) * time.Second / bodySpeed)
	}
	_ = g.rc.SetReadDeadline(g.deadline)
	return n, err
}

// ended reports whether the body was read to its end, which is true of none.
func (g *bodyGuard) ended() bool {
	if g == nil {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.whole
}

// linger reads what is left of a body after its refusal. Many clients send all
// of a body before they read, and if the connection were closed meanwhile, its
// reset would take the answer away from them (RFC 9112 §9.6).
func (g *bodyGuard) linger() {
	g.mu.Lock()
	over := g.whole || g.broken
	g.mu.Unlock()
	if over {
		return
	}
	_ = g.rc.Flush() // the others stop sending when they have the answer
	_ = g.rc.SetReadDeadline(time.Now().Add(lingerTime))
	_, _ = io.CopyN(io.Discard, g.ReadCloser, lingerSize) // whoever sends more is cut off
}

// release ends the guard with the call: the response is no longer ours.
func (g *bodyGuard) release() {
	if g != nil {
		g.mu.Lock()
		g.rc = nil
		g.mu.Unlock()
	}
}
