package weir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/classify"
)

// Handler is the front door: it serves the API's paths below /v1/.
func (g *Gateway) Handler() http.Handler {
	return &handler{g: g, buffers: sync.Pool{New: func() any { return new([copyBuffer]byte) }}}
}

// copyBuffer is the size of the buffers that answers are copied with.
const copyBuffer = 32 << 10

type handler struct {
	g       *Gateway
	buffers sync.Pool
}

// statusClientGone is nginx's code for a client that left before the answer.
// Nobody receives it; it stands in the log.
const statusClientGone = 499

// ServeHTTP leads a request through the house and writes the answer.
func (h *handler) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	rc := http.NewResponseController(w)
	var guard *bodyGuard
	if req.ContentLength != 0 {
		req, guard = guardBody(rc, req)
		defer guard.release()
	}
	p := newPinger(h.g, w, rc)
	resp, c, err := h.g.do(req, p.watch)
	started := p.stop()
	if err != nil {
		if !guard.ended() && req.ProtoMajor == 1 {
			w.Header().Set("Connection", "close") // the rest of the body is no next request
			defer guard.linger()
		}
		h.refuse(w, c, err, started)
		return
	}
	defer resp.Body.Close()
	if started {
		h.late(w, rc, c, resp)
		return
	}
	copyHeader(w.Header(), resp)
	h.g.addOwn(w.Header(), c)
	w.WriteHeader(resp.StatusCode)
	if err := h.copy(w, rc, resp); err != nil {
		// The status is out: the only honest end is to break the connection.
		panic(http.ErrAbortHandler)
	}
	h.g.logCall(req.Context(), c, resp.StatusCode, nil)
}

// do is the common part of both doors.
func (g *Gateway) do(req *http.Request, waiting func(*call.Call)) (*http.Response, *call.Call, error) {
	if g.draining.Load() {
		return nil, classify.Unread(req, time.Now()), &call.Refusal{Reason: call.Draining, RetryIn: time.Second}
	}
	return g.corridor.Do(req, waiting)
}

// refuse answers with Weir's own error, or as an event if the stream has begun.
func (h *handler) refuse(w http.ResponseWriter, c *call.Call, err error, started bool) {
	r := asRefusal(err)
	out := refuse(time.Now(), c, r)
	outcome := "refused"
	if r.Reason == call.ClientGone {
		out.status, outcome = statusClientGone, "client_gone"
	}
	h.g.corridor.Account.End(c, out.status, outcome, r.Reason.String())
	h.g.logCall(context.Background(), c, out.status, r)
	if r.Reason == call.ClientGone {
		panic(http.ErrAbortHandler)
	}
	if started {
		writeMark(w, c)
		_, _ = w.Write(append(splitNote(c), errorEvent(out.body)...)) // the client may have left: nothing to do
		return
	}
	maps.Copy(w.Header(), out.header)
	h.g.addOwn(w.Header(), c)
	w.Header().Set("Content-Length", strconv.Itoa(len(out.body)))
	w.WriteHeader(out.status)
	_, _ = w.Write(out.body)
}

func asRefusal(err error) *call.Refusal {
	if r, ok := errors.AsType[*call.Refusal](err); ok {
		return r
	}
	return &call.Refusal{Reason: call.InternalFailure, Cause: err}
}

// late writes an answer whose 200 went out with the first ping: a stream goes
// on, anything else becomes an error event.
func (h *handler) late(w http.ResponseWriter, rc *http.ResponseController, c *call.Call, resp *http.Response) {
	writeMark(w, c)
	if resp.StatusCode < 300 && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		if err := h.copy(w, rc, resp); err != nil {
			panic(http.ErrAbortHandler)
		}
		return
	}
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20)) // what could be read will do
	_, _ = w.Write(append(splitNote(c), errorEvent(raw)...))
}

// writeMark says in a comment what weir-degraded would have said in a header that
// went out before anybody knew it.
func writeMark(w io.Writer, c *call.Call) {
	if mark := strings.Join(strings.Fields(c.Degraded.String()), " "); mark != "" { // of one line, whatever the model is called
		_, _ = fmt.Fprintf(w, ": weir-degraded: %s\n\n", mark)
	}
}

// copy hands on the body as it comes; a stream is flushed at once.
func (h *handler) copy(w http.ResponseWriter, rc *http.ResponseController, resp *http.Response) error {
	buf := h.buffers.Get().(*[copyBuffer]byte)
	defer h.buffers.Put(buf)
	flush := resp.ContentLength < 0
	for {
		n, err := resp.Body.Read(buf[:])
		if n > 0 {
			if _, werr := w.Write(buf[:n]); werr != nil {
				return werr
			}
			if flush {
				if ferr := rc.Flush(); ferr != nil {
					return ferr
				}
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// connectionHeaders belong to the upstream's connection, not to the answer.
var connectionHeaders = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Proxy-Authenticate": true, "Te": true,
	"Trailer": true, "Transfer-Encoding": true, "Upgrade": true, "Content-Length": true,
}

func copyHeader(to http.Header, resp *http.Response) {
	to["Content-Type"] = nil // net/http must not guess one
	for name, values := range resp.Header {
		if !connectionHeaders[name] {
			to[name] = values
		}
	}
	for _, list := range resp.Header["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			delete(to, http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
	if resp.ContentLength >= 0 {
		to.Set("Content-Length", strconv.FormatInt(resp.ContentLength, 10))
	}
}

// addOwn adds Weir's headers (DESIGN §2.4).
func (g *Gateway) addOwn(h http.Header, c *call.Call) {
	values := make([]string, 0, 8) // one allocation for all
	set := func(name, value string) {
		values = append(values, value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	set("Weir-Request-Id", c.ID)
	if c.Endpoint == call.Other {
		return
	}
	set("Weir-Wait-Ms", strconv.FormatInt(c.Waited.Milliseconds(), 10))
	set("Weir-Attempts", strconv.Itoa(c.Attempts))
	set("Weir-Cache", c.Cached.String())
	if d := c.Degraded.String(); d != "" {
		set("Weir-Degraded", d)
	}
	if c.Parts > 0 {
		set("Weir-Split", strconv.Itoa(c.Parts))
	}
	if q := quotaHeader(c.Headroom); q != "" && c.Headroom != (call.Headroom{}) {
		set("Weir-Quota", q)
	}
	if g.verbose {
		set("Weir-Explain", explain(c))
	}
	text := g.concerns(asked{c.Pool, c.Model, c.Tenant, c.Client, c.Payer})
	if c.MaxTokensAsked > 0 {
		text = join(loweredText(c.MaxTokensAsked, c.MaxTokens), text)
	}
	if text != "" {
		set("Weir-Warning", text)
	}
}

// quotaHeader writes what is left as input=42%;output=80%;requests=97%.
func quotaHeader(room call.Headroom) string {
	b := make([]byte, 0, 64)
	for _, part := range [...]struct {
		name string
		l    call.Limiter
	}{{"input", call.InputTokens}, {"output", call.OutputTokens}, {"requests", call.Requests}} {
		share := room[part.l]
		if math.IsNaN(share) {
			continue
		}
		if len(b) > 0 {
			b = append(b, ';')
		}
		b = append(append(b, part.name...), '=')
		b = strconv.AppendInt(b, int64(min(max(share, 0), 1)*100), 10)
		b = append(b, '%')
	}
	return string(b)
}

// logCall writes the one line that each call gets.
func (g *Gateway) logCall(ctx context.Context, c *call.Call, status int, r *call.Refusal) {
	if !g.log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	attrs := []slog.Attr{
		slog.String("id", c.ID), slog.String("tenant", c.Tenant), slog.String("class", c.Class.String()),
		slog.String("model", c.Model), slog.Duration("wait", c.Waited), slog.Int("attempts", c.Attempts),
		slog.Int("status", status),
	}
	if r != nil {
		attrs = append(attrs, slog.String("code", r.Reason.String()), slog.Any("cause", r))
	}
	g.log.LogAttrs(ctx, slog.LevelInfo, "call", attrs...)
}
