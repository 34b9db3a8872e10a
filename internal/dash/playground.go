package dash

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/weir-gateway/weir/internal/sse"
)

// Bounds of the playground, a page to chat through the gateway.
const (
	playBody = 1 << 20 // of a conversation
	playRest = 1 << 20 // of an answer that is no stream
)

// playTenant is whose share the playground draws on, where callers have no
// tenant of their own.
const playTenant = "playground"

// playground hands a conversation to the gateway's front door and its answer
// back as one stream of events, as it comes. What the API has no event for,
// "weir" tells: first the call's id, so that its place in the queue can be
// asked for, then the headers of the answer. A refusal is an "error" event,
// early or late.
func (a *Admin) playground(w http.ResponseWriter, req *http.Request) {
	if a.src.Messages == nil {
		fail(w, http.StatusNotFound, "there is no playground here")
		return
	}
	inner := a.inner(req, http.MethodPost, "/v1/messages")
	inner.Body = http.MaxBytesReader(w, req.Body, playBody)
	inner.ContentLength = req.ContentLength
	out := &playWriter{w: w, rc: http.NewResponseController(w), header: http.Header{}}
	a.src.Messages.ServeHTTP(out, inner)
	out.end()
}

// models lists the models that the playground offers.
func (a *Admin) models(w http.ResponseWriter, req *http.Request) {
	if a.src.Messages == nil {
		fail(w, http.StatusNotFound, "there is no playground here")
		return
	}
	inner := a.inner(req, http.MethodGet, "/v1/models")
	inner.URL.RawQuery = "limit=1000"
	inner.Body, inner.ContentLength = http.NoBody, 0
	out := &playWriter{header: http.Header{}} // which tells nothing before the end
	a.src.Messages.ServeHTTP(out, inner)
	if out.status >= 300 {
		fail(w, http.StatusBadGateway, "the models cannot be listed")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(out.rest.Bytes())
}

// playState tells the page what a caller must bring: nothing, an API key, or a
// token of this gateway.
func (a *Admin) playState(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]any{"on": a.src.Messages != nil, "asks": a.src.Asks})
}

// playPlace tells what becomes of the page's call: its place while it waits, its
// story when it has ended, and in between that it is under way.
func (a *Admin) playPlace(w http.ResponseWriter, req *http.Request) {
	told := a.tell(req.URL.Query().Get("id"))
	if told == nil {
		told = map[string]string{"outcome": "under_way"}
	}
	reply(w, http.StatusOK, told)
}

// inner makes the request that goes through the front door. What belongs to the
// admin plane, such as its cookie, stays outside.
func (a *Admin) inner(req *http.Request, method, path string) *http.Request {
	inner := req.Clone(req.Context())
	inner.Method, inner.URL.Path, inner.URL.RawPath, inner.URL.RawQuery = method, path, "", ""
	inner.RequestURI = path
	inner.Header = http.Header{
		"Anthropic-Version": {"2023-06-01"},
		"Content-Type":      {"application/json"},
		"Weir-Tenant":       {playTenant},
		"Weir-Class":        {"interactive"},
	}
	for _, name := range []string{"X-Api-Key", "Accept-Language", "Weir-Lang", "Weir-Max-Wait", "Weir-Class", "Weir-Degrade"} {
		if v := req.Header.Get(name); v != "" {
			inner.Header.Set(name, v)
		}
	}
	return inner
}

// playWriter is what the front door writes to. Headers of the answer, which may
// be an upstream's, never become headers of the admin plane.
type playWriter struct {
	w       http.ResponseWriter // nil: everything is kept
	rc      *http.ResponseController
	header  http.Header
	status  int
	stream  bool
	started bool
	rest    bytes.Buffer // of an answer that is no stream
}

// Header implements [http.ResponseWriter].
func (p *playWriter) Header() http.Header { return p.header }

// Accepted tells the page under which id its call goes.
func (p *playWriter) Accepted(id string) { p.tell("weir", map[string]string{"weir-request-id": id}) }

// WriteHeader implements [http.ResponseWriter].
func (p *playWriter) WriteHeader(status int) {
	if p.status != 0 {
		return
	}
	p.status = status
	p.stream = p.w != nil && status < 300 && strings.HasPrefix(p.header.Get("Content-Type"), "text/event-stream")
	facts := map[string]any{"status": status}
	for name, values := range p.header {
		if lower := strings.ToLower(name); lower == "retry-after" || strings.HasPrefix(lower, "weir-") {
			facts[lower] = values[0]
		}
	}
	p.tell("weir", facts)
}

// Write implements [http.ResponseWriter].
func (p *playWriter) Write(b []byte) (int, error) {
	p.WriteHeader(http.StatusOK)
	if p.stream {
		return p.w.Write(b)
	}
	p.rest.Write(b[:min(len(b), playRest-p.rest.Len())])
	return len(b), nil
}

// FlushError is found by [http.ResponseController].
func (p *playWriter) FlushError() error {
	if p.started {
		return p.rc.Flush()
	}
	return nil
}

// Unwrap leads an [http.ResponseController] to the connection.
func (p *playWriter) Unwrap() http.ResponseWriter { return p.w }

// tell sends an event of our own. A page that has left is noticed elsewhere.
func (p *playWriter) tell(name string, v any) {
	if p.w == nil {
		return
	}
	if !p.started {
		p.started = true
		p.w.Header().Set("Content-Type", "text/event-stream")
		p.w.Header().Set("X-Accel-Buffering", "no")
	}
	data, _ := json.Marshal(v) // strings and numbers: it cannot fail
	_, _ = p.w.Write(sse.Append(nil, name, data))
	_ = p.rc.Flush()
}

// end hands over an answer that was no stream.
func (p *playWriter) end() {
	if p.stream || p.status == 0 {
		return
	}
	name := "answer"
	if p.status >= 300 {
		name = "error"
	}
	body := json.RawMessage(p.rest.Bytes())
	if !json.Valid(body) {
		name = "error"
		body = json.RawMessage(`{"type":"error","error":{"type":"api_error","message":"The answer has no form that this page can read."}}`)
	}
	p.tell(name, body)
}
