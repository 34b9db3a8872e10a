// Package upstream sends one attempt to the Messages API and holds its answer
// until the first content byte: errors and JSON whole, streams up to their
// first content block. It never retries; that is the corridor's business.
package upstream

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/fault"
	"github.com/weir-gateway/weir/internal/message"
)

// Room sends calls to one upstream, or to that of the key. It is safe for
// concurrent use.
type Room struct {
	base      *url.URL
	others    *sync.Map // *url.URL, by the addresses that keys have
	transport http.RoundTripper
	judge     *fault.Judge
	patience  Patience
}

// New returns the room for the API at base, such as https://api.anthropic.com,
// with the default [Patience]. A base that ends in /v1 is taken without it.
func New(base string, transport http.RoundTripper) (*Room, error) {
	u, err := Parse(base)
	if err != nil {
		return nil, err
	}
	r := &Room{base: u, others: &sync.Map{}, transport: transport, judge: fault.New()}
	return r.With(Patience{}), nil
}

// Parse reads the address of an API. One that ends in /v1 is taken without it.
func Parse(base string) (*url.URL, error) {
	u, err := url.Parse(call.APIBase(base))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("upstream %q is not an address such as https://api.anthropic.com", base)
	}
	return u, nil
}

// baseOf is where calls go that key pays for. Operators give the addresses, so
// that there are few.
func (r *Room) baseOf(key call.Key) *url.URL {
	if key.Upstream == "" {
		return r.base
	}
	if u, ok := r.others.Load(key.Upstream); ok {
		return u.(*url.URL)
	}
	u, err := Parse(key.Upstream)
	if err != nil {
		return r.base // keys are checked before they come here
	}
	r.others.Store(key.Upstream, u)
	return u
}

// With returns the same room with another patience. What is 0 in it is the
// default.
func (r *Room) With(p Patience) *Room {
	other := *r
	other.patience = Patience{
		Begin:   cmp.Or(p.Begin, defaultBegin),
		Silence: cmp.Or(p.Silence, defaultSilence),
		Whole:   cmp.Or(p.Whole, defaultWhole),
	}
	return &other
}

// NewTransport returns a transport fit for many long calls to one host. It
// never adds or undoes compression, so that bodies pass as they are.
func NewTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true
	t.MaxIdleConns = 0
	t.MaxIdleConnsPerHost = 1024
	t.ReadBufferSize = 16 << 10
	t.WriteBufferSize = 64 << 10
	// A connection whose other end has frozen shows it by pings alone.
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingAfter}
	return t
}

// pingAfter is how long an HTTP/2 connection may be silent before it is asked
// for a sign of life, and how long it has to give one.
const pingAfter = 15 * time.Second

// maxError is how much of an error body is read.
const maxError = 1 << 20

// Send makes one attempt at a metered call.
func (r *Room) Send(ctx context.Context, c *call.Call, key call.Key) *call.Answer {
	limit := r.patience.Whole
	if c.Streamed() {
		limit = r.patience.Begin
	}
	open, size := replayable(c)
	ctx, w := newWatch(ctx, limit)
	req := r.request(ctx, c, key)
	req.Body, _ = open() // it never fails
	req.ContentLength, req.GetBody = size, open
	if c.Streamed() {
		// A compressed stream could not be read while it passes.
		req.Header.Set("Accept-Encoding", "identity")
	}
	resp, err := r.transport.RoundTrip(req)
	if err != nil {
		err = w.why(err)
		w.end()
		return &call.Answer{Verdict: fault.Unreachable(err), Cause: err}
	}
	return r.hold(resp, w)
}

// replayable returns what opens c's body anew, and its size. One that is to be
// gathered asks for a stream, without a copy of it.
func replayable(c *call.Call) (open func() (io.ReadCloser, error), size int64) {
	body := c.Body // c may get another one
	if c.Gather {
		parts, err := message.Parts(body, "stream", []byte("true"))
		if err == nil { // classify has read the body
			for _, part := range parts {
				size += int64(len(part))
			}
			return func() (io.ReadCloser, error) {
				all := net.Buffers(slices.Clone(parts))
				return io.NopCloser(&all), nil
			}, size
		}
	}
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }, int64(len(body))
}

// Forward passes a call of an unmetered endpoint through, its body streamed.
func (r *Room) Forward(ctx context.Context, c *call.Call, key call.Key, body io.Reader, size int64) (*http.Response, error) {
	req := r.request(ctx, c, key)
	if size != 0 {
		req.Body, req.ContentLength = io.NopCloser(body), size
	}
	resp, err := r.transport.RoundTrip(req)
	if err == nil && resp.StatusCode >= 400 {
		dissuade(resp.Header, fault.RetryAfter(resp.Header, time.Now()))
	}
	return resp, err
}

// longestRetry is the longest retry-after that every client obeys.
const longestRetry = time.Minute

// dissuade tells clients not to come back by themselves to an upstream that
// names a longer time: some would sleep for all of it, and others ignore it
// (issue 4, "refusals that each client obeys").
func dissuade(h http.Header, after time.Duration) {
	if after > longestRetry {
		h.Set("X-Should-Retry", "false")
	}
}

// request builds the head. The caller's credential never goes along with a
// pool key, in whichever header it was.
func (r *Room) request(ctx context.Context, c *call.Call, key call.Key) *http.Request {
	h := make(http.Header, len(c.Header)+2)
	maps.Copy(h, c.Header)
	if key.Print != c.Credential.Print {
		delete(h, "Authorization")
		delete(h, "X-Api-Key")
		if key.Bearer {
			h["Authorization"] = []string{"Bearer " + key.Secret.Reveal()}
		} else {
			h["X-Api-Key"] = []string{key.Secret.Reveal()}
		}
	}
	if _, ok := h["User-Agent"]; !ok {
		h["User-Agent"] = nil // do not let net/http invent one
	}
	base := r.baseOf(key)
	req := &http.Request{Method: c.Method, URL: address(base, c.Path), Header: h, Host: base.Host}
	return req.WithContext(ctx)
}

// address is where a call goes, spelled as the client spelled it.
func address(base *url.URL, target string) *url.URL {
	u := *base
	path, query, found := strings.Cut(target, "?")
	path = u.EscapedPath() + path
	u.RawQuery, u.ForceQuery = query, found && query == ""
	u.Path, u.RawPath = path, ""
	if clear, err := url.PathUnescape(path); err == nil && clear != path {
		u.Path, u.RawPath = clear, path
	}
	if u.EscapedPath() != path {
		u.Opaque = path // what a URL would spell in another way
	}
	return &u
}

// hold reads an answer as far as nothing of its content is lost by a retry.
func (r *Room) hold(resp *http.Response, w *watch) *call.Answer {
	a := &call.Answer{Status: resp.StatusCode, Header: resp.Header, Body: w, Length: resp.ContentLength}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	a.Stream = media == "text/event-stream" && resp.StatusCode < 300
	switch p := r.patience; {
	case resp.StatusCode >= 400:
		w.answered(resp.Body, p.Silence, p.Silence)
	case a.Stream:
		w.answered(resp.Body, p.Begin, p.Silence)
	default:
		w.answered(resp.Body, p.Whole, p.Whole)
	}
	switch {
	case resp.StatusCode >= 400:
		r.holdError(a)
	case a.Stream && resp.Header.Get("Content-Encoding") == "":
		r.holdStream(a)
	case !a.Stream:
		r.holdBody(a)
	}
	return a
}

func (r *Room) holdError(a *call.Answer) {
	raw, err := io.ReadAll(io.LimitReader(a.Body, maxError))
	a.Body.Close()
	a.Body, a.Length = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	if err != nil {
		a.Body, a.Length = io.NopCloser(bytes.NewReader(nil)), 0
	}
	a.Verdict = r.judge.Answer(time.Now(), a.Status, a.Header, plain(a.Header, raw))
	dissuade(a.Header, a.Verdict.RetryAfter)
}

// maxAnswer is how large a JSON answer is held back. The longest answers are
// far below; anything beyond is passed on as it comes.
const maxAnswer = 32 << 20

func (r *Room) holdBody(a *call.Answer) {
	var buf bytes.Buffer
	if a.Length > 0 {
		buf.Grow(int(min(a.Length, maxAnswer)) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(a.Body, maxAnswer))
	if err != nil {
		a.Body.Close()
		*a = call.Answer{Verdict: fault.Unreachable(err), Cause: err}
		return
	}
	if n == maxAnswer {
		a.Body = joined{io.MultiReader(&buf, a.Body), a.Body}
		return
	}
	a.Body.Close()
	a.Body, a.Length = io.NopCloser(bytes.NewReader(buf.Bytes())), n
}

// joined reads from one and closes another.
type joined struct {
	io.Reader
	io.Closer
}

// errNoContent says that a stream ended before it had begun.
var errNoContent = errors.New("the stream ended before its first content")
