package sim

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxBody is the largest body of Messages and token counting.
const maxBody = 32 << 20

// exchange is one request and its answer. It belongs to the goroutine of the
// request.
type exchange struct {
	*Server
	w     http.ResponseWriter
	r     *http.Request
	id    string
	began instant
	rng   *rand.Rand

	key     string
	who     owner
	version string
	upset   upset // what goes wrong with this request
	status  int   // as sent; 0 if the connection was broken
	counted bool
	failed  bool // it ended with an error event
}

// newExchange gives the request its id and its own source of randomness, so
// that the same request of a run draws the same numbers whatever runs beside
// it.
func (s *Server) newExchange(w http.ResponseWriter, r *http.Request) *exchange {
	rng := rand.New(rand.NewPCG(s.config.Seed, s.sequence.Add(1)))
	return &exchange{
		Server: s, w: w, r: r, began: s.clock.now(), rng: rng,
		id: randomID("req_01", rng),
	}
}

// randomID draws an id of the API's form.
func randomID(prefix string, rng *rand.Rand) string {
	id := append(make([]byte, 0, len(prefix)+22), prefix...)
	for range 22 {
		id = append(id, base58[rng.IntN(len(base58))])
	}
	return string(id)
}

// ctx ends when the client goes away.
func (x *exchange) ctx() context.Context { return x.r.Context() }

// route finds out who asks and for what.
func (x *exchange) route() {
	if x.serveAdmin() {
		return
	}
	endpoint, ok := endpointOf(x.r)
	if !ok {
		x.fail(notFound("Not found"))
		return
	}
	if err := x.identify(); err != nil {
		x.fail(err)
		return
	}
	x.upset = x.choose(endpoint)
	switch endpoint {
	case endpointMessages:
		x.serveMessages()
	case endpointCount:
		x.serveCount()
	case endpointModels:
		x.serveModels()
	case endpointBatches:
		x.serveBatches()
	}
}

// The endpoints that faults can be limited to.
const (
	endpointMessages = "messages"
	endpointCount    = "count_tokens"
	endpointModels   = "models"
	endpointBatches  = "batches"
)

// endpointOf matches on the path alone: clients add ?beta=true and the like.
func endpointOf(r *http.Request) (string, bool) {
	path := r.URL.Path
	switch {
	case path == "/v1/messages" && r.Method == http.MethodPost:
		return endpointMessages, true
	case path == "/v1/messages/count_tokens" && r.Method == http.MethodPost:
		return endpointCount, true
	case (path == "/v1/models" || strings.HasPrefix(path, "/v1/models/")) && r.Method == http.MethodGet:
		return endpointModels, true
	case path == "/v1/messages/batches" || strings.HasPrefix(path, "/v1/messages/batches/"):
		return endpointBatches, true
	}
	return "", false
}

// identify checks the key and the version.
func (x *exchange) identify() *apiError {
	h := x.r.Header
	key := h.Get("X-Api-Key")
	if bearer, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer "); ok && key == "" {
		key = strings.TrimSpace(bearer)
	}
	if key == "" {
		e := standard(401)
		e.message = "x-api-key header is required"
		return e
	}
	x.key = key
	who, ok := x.directory.find(key, h.Get("Anthropic-Workspace-Id"))
	if !ok {
		return standard(401)
	}
	x.who = who
	switch x.version = h.Get("Anthropic-Version"); x.version {
	case version2023, version2026:
		return nil
	case "":
		return invalid("anthropic-version: header is required")
	}
	return invalid(fmt.Sprintf("anthropic-version: %q is not a valid version", x.version))
}

// body reads the whole request before anything is answered.
func (x *exchange) body(limit int64) ([]byte, *apiError) {
	if x.r.ContentLength > limit {
		x.w.Header().Set("Connection", "close") // the rest of it is not read
		return nil, standard(413)
	}
	var from io.Reader = http.MaxBytesReader(x.w, x.r.Body, limit)
	switch encoding := x.r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		unpacked, err := gzip.NewReader(from)
		if err != nil {
			e := invalid("The request body could not be decoded.")
			e.code = "request_body_encoding_invalid"
			return nil, e
		}
		from = io.LimitReader(unpacked, limit+1)
	default:
		e := invalid("Content-Encoding " + encoding + " is not supported.")
		e.code = "request_body_encoding_unsupported"
		return nil, e
	}
	buf := make([]byte, 0, max(512, x.r.ContentLength+1))
	buf, err := readAll(from, buf)
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, standard(413)
	}
	if int64(len(buf)) > limit {
		e := standard(413)
		e.code, e.anonymous = "request_body_too_large_after_decoding", false
		return nil, e
	}
	if err != nil {
		return nil, invalid("The request body could not be read: " + err.Error())
	}
	return buf, nil
}

// readAll is io.ReadAll into a buffer of the right size.
func readAll(r io.Reader, buf []byte) ([]byte, error) {
	for {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, 64<<10)
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
	}
}

// headers sets what every answer has.
func (x *exchange) headers(known bool) http.Header {
	h := x.w.Header()
	h["Request-Id"] = []string{x.id}
	h["Date"] = []string{x.clock.date(x.clock.now()).Format(http.TimeFormat)}
	if known && x.who.organization != nil {
		h["Anthropic-Organization-Id"] = []string{x.who.organization.id}
		h["Anthropic-Workspace-Id"] = []string{x.who.workspace.id}
	}
	return h
}

// fail sends an error.
func (x *exchange) fail(e *apiError) {
	h := x.headers(!e.anonymous)
	e.writeHeaders(h)
	x.send(e.status, e.body(x.id))
}

// send sends a JSON body. Whether the client takes it is its own affair.
func (x *exchange) send(status int, body []byte) {
	h := x.w.Header()
	h["Content-Type"] = []string{"application/json"}
	h["Content-Length"] = []string{itoa(len(body))}
	x.begin(status)
	_, _ = x.w.Write(body)
}

// begin counts the request and sends the headers, in this order: who has seen
// the answer finds it in the statistics.
func (x *exchange) begin(status int) {
	x.status = status
	x.count()
	x.w.WriteHeader(status)
}

// wait sleeps on the server's clock and reports whether the client is still
// there.
func (x *exchange) wait(d time.Duration) bool { return x.clock.sleep(x.ctx(), d) == nil }

// count counts the request, once.
func (x *exchange) count() {
	if !x.counted {
		x.counted = true
		x.counters.status(x.status)
	}
}

// done is the end of the request: it may not have been counted, and it has not
// been logged yet.
func (x *exchange) done() {
	x.count()
	if !x.config.Logger.Enabled(x.ctx(), slog.LevelDebug) {
		return
	}
	x.config.Logger.LogAttrs(x.ctx(), slog.LevelDebug, "request", slog.String("id", x.id),
		slog.String("method", x.r.Method), slog.String("path", x.r.URL.Path), slog.Int("status", x.status),
		slog.Duration("took", x.clock.now()-x.began))
}
