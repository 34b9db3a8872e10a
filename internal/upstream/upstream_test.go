package upstream_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/upstream"
)

// script is a transport whose answer's body is read from a pipe that feed
// writes to. Like net/http's, it ends everything when the context does.
type script struct {
	status int
	header http.Header
	feed   func(ctx context.Context, w *io.PipeWriter) // nil: no answer ever
	req    *http.Request
	closed bool
}

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	s.req = req
	if s.feed == nil {
		<-req.Context().Done()
		return nil, context.Cause(req.Context())
	}
	r, w := io.Pipe()
	context.AfterFunc(req.Context(), func() { w.CloseWithError(context.Cause(req.Context())) })
	go s.feed(req.Context(), w)
	return &http.Response{StatusCode: s.status, Header: s.header, Body: &closer{r, &s.closed}, ContentLength: -1}, nil
}

type closer struct {
	*io.PipeReader
	closed *bool
}

func (c *closer) Close() error {
	*c.closed = true
	return c.PipeReader.Close()
}

const (
	start   = "event: message_start\ndata: {\"type\":\"message_start\"}\n\n"
	ping    = "event: ping\ndata: {\"type\":\"ping\"}\n\n"
	block   = "event: content_block_start\ndata: {}\n\n"
	stop    = "event: message_stop\ndata: {}\n\n"
	problem = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n"
)

// write feeds the parts, with a pause in front of each but the first, and ends
// with err, or stays silent if that is nil.
func write(pause time.Duration, err error, parts ...string) func(context.Context, *io.PipeWriter) {
	return func(ctx context.Context, w *io.PipeWriter) {
		for i, p := range parts {
			if i > 0 {
				time.Sleep(pause)
			}
			if _, err := io.WriteString(w, p); err != nil {
				return
			}
		}
		if err != nil {
			w.CloseWithError(err)
		}
	}
}

func stream() http.Header { return http.Header{"Content-Type": {"text/event-stream"}} }
func plain() http.Header  { return http.Header{"Content-Type": {"application/json"}} }

func room(t *testing.T, s *script) *upstream.Room {
	t.Helper()
	r, err := upstream.New("http://api/v1", s)
	if err != nil {
		t.Fatal(err)
	}
	return r.With(upstream.Patience{Begin: 50 * time.Second, Silence: 10 * time.Second, Whole: 100 * time.Second})
}

func TestSend(t *testing.T) {
	reset := errors.New("connection reset by peer")
	for name, c := range map[string]struct {
		script script
		stream bool
		kind   call.Kind
		body   string // what the client would read
		end    bool   // to its end, and not to an error
		took   time.Duration
	}{
		"json":               {script{status: 200, header: plain(), feed: write(0, io.EOF, "{", "}")}, false, call.OK, "{}", true, 0},
		"json-broken":        {script{status: 200, header: plain(), feed: write(0, reset, "{")}, false, call.Unreachable, "", false, 0},
		"json-silent":        {script{status: 200, header: plain(), feed: write(0, nil, "{")}, false, call.Unreachable, "", false, 100 * time.Second},
		"no-answer":          {script{}, false, call.Unreachable, "", false, 100 * time.Second},
		"no-stream":          {script{}, true, call.Unreachable, "", false, 50 * time.Second},
		"error":              {script{status: 529, header: plain(), feed: write(0, io.EOF, `{"error":{}}`)}, true, call.Overloaded, `{"error":{}}`, true, 0},
		"error-silent":       {script{status: 500, header: plain(), feed: write(0, nil, `{`)}, true, call.UpstreamFailed, "", true, 10 * time.Second},
		"stream":             {script{status: 200, header: stream(), feed: write(0, io.EOF, start, ping, block, stop)}, true, call.OK, start + ping + block + stop, true, 0},
		"stream-slow":        {script{status: 200, header: stream(), feed: write(9*time.Second, io.EOF, start, ping, ping, block, stop)}, true, call.OK, start + ping + ping + block + stop, true, 36 * time.Second},
		"stream-no-byte":     {script{status: 200, header: stream(), feed: write(0, nil)}, true, call.Unreachable, "", false, 50 * time.Second},
		"stream-no-content":  {script{status: 200, header: stream(), feed: write(0, nil, start)}, true, call.Unreachable, "", false, 10 * time.Second},
		"stream-half-block":  {script{status: 200, header: stream(), feed: write(0, reset, start, block[:9])}, true, call.Unreachable, "", false, 0},
		"stream-early-eof":   {script{status: 200, header: stream(), feed: write(0, io.EOF, start, ping)}, true, call.Unreachable, "", false, 0},
		"stream-early-error": {script{status: 200, header: stream(), feed: write(0, nil, start, problem+stop)}, true, call.Overloaded, start + problem, true, 0},
		"stream-late-stall":  {script{status: 200, header: stream(), feed: write(9*time.Second, nil, start, block)}, true, call.OK, start + block, false, 19 * time.Second},
		"stream-late-reset":  {script{status: 200, header: stream(), feed: write(0, reset, start, block)}, true, call.OK, start + block, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := c.script
				began := time.Now()
				a := room(t, &s).Send(t.Context(), &call.Call{Method: "POST", Path: "/v1/messages", Stream: c.stream}, call.Key{})
				var got []byte
				var err error
				if a.Body != nil {
					got, err = io.ReadAll(a.Body)
					a.Discard()
				}
				if a.Verdict.Kind != c.kind || string(got) != c.body || (a.Body != nil && err == nil) != c.end {
					t.Errorf("got %v, %q, %v; cause %v", a.Verdict.Kind, got, err, a.Cause)
				}
				if took := time.Since(began); took != c.took {
					t.Errorf("took %v, want %v", took, c.took)
				}
				if s.feed != nil && !s.closed || s.req.Context().Err() == nil {
					t.Error("the upstream's answer was left open")
				}
			})
		})
	}
}

// TestCallerLeaves tells a caller that leaves from an upstream that fails,
// whatever reason the caller gave.
func TestCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, leave := context.WithCancelCause(t.Context())
		s := &script{status: 200, header: stream(), feed: write(0, nil, start, block)}
		a := room(t, s).Send(ctx, &call.Call{Method: "POST", Path: "/v1/messages", Stream: true}, call.Key{})
		defer a.Discard()
		leave(errors.New("had enough"))
		if _, err := io.ReadAll(a.Body); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
}

// TestReaderRests lets the reader come back later than the upstream might have
// been silent: nothing was expected of it meanwhile.
func TestReaderRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{status: 200, header: stream(), feed: write(0, io.EOF, start, block, stop)}
		a := room(t, s).Send(t.Context(), &call.Call{Method: "POST", Path: "/v1/messages", Stream: true}, call.Key{})
		defer a.Discard()
		time.Sleep(time.Hour)
		if got, err := io.ReadAll(a.Body); err != nil || string(got) != start+block+stop {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestKeyReplacesCredential(t *testing.T) {
	s := &script{status: 200, header: plain(), feed: write(0, io.EOF, "{}")}
	c := &call.Call{Method: "POST", Path: "/v1/messages?beta=true", Header: http.Header{
		"Authorization": {"Bearer theirs"}, "X-Api-Key": {"theirs"}, "X-Other": {"kept"},
	}, Body: []byte("{}"), Credential: call.Key{Print: "theirs"}}
	room(t, s).Send(t.Context(), c, call.Key{Print: "ours", Secret: call.NewSecret("sk-ours")})
	h := s.req.Header
	if h.Get("X-Api-Key") != "sk-ours" || h.Get("Authorization") != "" || h.Get("X-Other") != "kept" || c.Header.Get("X-Api-Key") != "theirs" {
		t.Errorf("sent %v", h)
	}
	if got := s.req.URL.String(); got != "http://api/v1/messages?beta=true" {
		t.Errorf("sent to %s", got)
	}
}

func TestNewRefusesNonsense(t *testing.T) {
	for _, base := range []string{"", "api.anthropic.com", "ftp://x", "http://", ":"} {
		if _, err := upstream.New(base, nil); err == nil || !strings.Contains(err.Error(), "https://api.anthropic.com") {
			t.Errorf("%q: %v", base, err)
		}
	}
}

// TestLongRetryAfter: no client is left to sleep for longer than all of them
// would.
func TestLongRetryAfter(t *testing.T) {
	for after, want := range map[string]string{"": "true", "60": "true", "61": "false", "3600": "false"} {
		answer := func() *script {
			h := http.Header{"Content-Type": {"application/json"}, "X-Should-Retry": {"true"}}
			if after != "" {
				h.Set("Retry-After", after)
			}
			return &script{status: 503, header: h, feed: write(0, io.EOF, `{"error":{}}`)}
		}
		c := &call.Call{Method: "POST", Path: "/v1/messages"}
		if got := room(t, answer()).Send(t.Context(), c, call.Key{}).Header.Get("X-Should-Retry"); got != want {
			t.Errorf("retry-after %q: x-should-retry %q, want %q", after, got, want)
		}
		resp, err := room(t, answer()).Forward(t.Context(), c, call.Key{}, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("X-Should-Retry"); got != want {
			t.Errorf("retry-after %q of what is not metered: x-should-retry %q, want %q", after, got, want)
		}
	}
}
