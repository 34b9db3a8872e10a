package account_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/account"
)

// books is the far end of everything that the room writes to.
type books struct {
	events  []call.Event
	learned int
	settled []call.Usage
	output  call.Tokens
}

func (b *books) Event(e call.Event)                { b.events = append(b.events, e) }
func (b *books) learn(*call.Call, call.Usage)      { b.learned++ }
func (b *books) Observe(time.Time, call.Limits)    {}
func (b *books) Input(time.Time, call.Usage)       {}
func (b *books) Output(_ time.Time, n call.Tokens) { b.output = max(b.output, n) }
func (b *books) Reject(time.Time, call.Limits, call.Verdict) bool {
	return false
}
func (b *books) Settle(_ time.Time, u call.Usage)         { b.settled = append(b.settled, u) }
func (b *books) Headroom(now time.Time) (h call.Headroom) { return h }

// silence is the error of an upstream that sends nothing any more.
type silence struct{}

func (silence) Error() string { return "silent" }
func (silence) Timeout() bool { return true }

// tape is a body that ends with err, and remembers that it was closed.
type tape struct {
	io.Reader
	closed bool
}

func (t *tape) Close() error {
	t.closed = true
	return nil
}

func play(err error, text string) *tape {
	if err == nil {
		err = io.EOF
	}
	return &tape{Reader: io.MultiReader(strings.NewReader(text), iotest.ErrReader(err))}
}

func say(lang, reason string) string { return lang + " " + reason }

func open(b *books, kind call.Kind, media string, body io.ReadCloser) io.ReadCloser {
	room := account.New(b, b.learn, say)
	return room.Open(&call.Call{ID: "weir_1", Endpoint: call.Messages, Received: time.Now()}, call.NewPermit(b), &call.Answer{
		Status: 200, Verdict: call.Verdict{Kind: kind}, Stream: media == "text/event-stream",
		Header: http.Header{"Content-Type": {media}}, Body: body, Length: -1,
	})
}

const (
	start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":9,\"cache_read_input_tokens\":4,\"output_tokens\":1}}}\n\n"
	delta = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hello\"}}\n\n"
	usage = "event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":30}}\n\n"
	stop  = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
	fail  = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n"
)

func TestStream(t *testing.T) {
	reset := errors.New("reset")
	exact := call.Usage{Input: 9, CacheRead: 4, Output: 30, Exact: true}
	guess := call.Usage{Input: 9, CacheRead: 4, Output: 7}
	for name, c := range map[string]struct {
		text    string
		ends    error
		whole   string // what is handed out as it came
		code    string // of the error event behind it
		err     error  // of reading
		outcome string
		reason  string
		usage   call.Usage
	}{
		"whole":             {start + delta + usage + stop, nil, start + delta + usage + stop, "", nil, "ok", "", exact},
		"no-blank-line":     {start + delta + usage + stop + ": bye\n", nil, start + delta + usage + stop + ": bye\n", "", nil, "ok", "", exact},
		"reset-after-end":   {start + delta + usage + stop, reset, start + delta + usage + stop, "", nil, "ok", "", exact},
		"silence-after-end": {start + delta + usage + stop, silence{}, start + delta + usage + stop, "", nil, "ok", "", exact},
		"eof":               {start + strings.Repeat(delta, 7), nil, start + strings.Repeat(delta, 7), "stream_broken_off", nil, "failed_mid_stream", "broken_off", guess},
		"eof-within":        {start + strings.Repeat(delta, 7) + delta[:40], nil, start + strings.Repeat(delta, 7), "stream_broken_off", nil, "failed_mid_stream", "broken_off", guess},
		"reset":             {start + strings.Repeat(delta, 7), reset, start + strings.Repeat(delta, 7), "stream_broken_off", nil, "failed_mid_stream", "broken_off", guess},
		"silence":           {start + strings.Repeat(delta, 7) + "event: ", silence{}, start + strings.Repeat(delta, 7), "stream_stalled", nil, "failed_mid_stream", "stalled", guess},
		"error-event":       {start + strings.Repeat(delta, 7) + fail, nil, start + strings.Repeat(delta, 7) + fail, "", nil, "failed_mid_stream", "upstream_error_event", guess},
		"after-an-error":    {start + strings.Repeat(delta, 7) + fail + usage + stop + fail, nil, start + strings.Repeat(delta, 7) + fail, "", nil, "failed_mid_stream", "upstream_error_event", guess},
		"client-gone":       {start + strings.Repeat(delta, 7), context.Canceled, start + strings.Repeat(delta, 7), "", context.Canceled, "client_gone", "", guess},
	} {
		for how, cut := range map[string]func(io.Reader) io.Reader{
			"at-once":      func(r io.Reader) io.Reader { return r },
			"byte-by-byte": iotest.OneByteReader,
		} {
			t.Run(name+"/"+how, func(t *testing.T) {
				b, up := &books{}, play(c.ends, c.text)
				up.Reader = cut(up.Reader)
				body := open(b, call.OK, "text/event-stream", up)
				got, err := io.ReadAll(body)
				body.Close()
				rest, found := strings.CutPrefix(string(got), c.whole)
				if !found || (c.code == "") != (rest == "") || strings.Count(rest, "event: error\n") > 1 || !strings.Contains(rest, c.code) || !errors.Is(err, c.err) {
					t.Errorf("got %q, %v", got, err)
				}
				b.mustHold(t, c.outcome, c.reason, c.usage)
				if !up.closed {
					t.Error("the upstream's answer was left open")
				}
			})
		}
	}
}

// mustHold checks that one call is booked and settled once.
func (b *books) mustHold(t *testing.T, outcome, reason string, u call.Usage) {
	t.Helper()
	if len(b.events) != 1 || len(b.settled) != 1 {
		t.Fatalf("%d events and %d settlements, want one each", len(b.events), len(b.settled))
	}
	if e := b.events[0]; e.Outcome != outcome || e.Reason != reason || e.Usage != u || b.settled[0] != u {
		t.Errorf("booked %s %q %+v, settled %+v; want %s %q %+v", e.Outcome, e.Reason, e.Usage, b.settled[0], outcome, reason, u)
	}
	want := 0
	if u.Exact && outcome == "ok" {
		want = 1
	}
	if b.learned != want {
		t.Errorf("learned %d times, want %d", b.learned, want)
	}
}

// TestErrorEventEndsTheStream does not wait for an upstream that keeps the
// connection open behind its error.
func TestErrorEventEndsTheStream(t *testing.T) {
	r, w := io.Pipe()
	go io.WriteString(w, start+delta+fail)
	b := &books{}
	body := open(b, call.OK, "text/event-stream", r)
	if got, err := io.ReadAll(body); err != nil || string(got) != start+delta+fail {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := w.Write([]byte("more")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the upstream could write on: %v", err)
	}
}

// TestHugeEvents breaks streams within events that are larger than buffers
// usually are, and than any may be.
func TestHugeEvents(t *testing.T) {
	huge := func(n int) string { return "event: content_block_delta\ndata: " + strings.Repeat("x", n) }
	for name, c := range map[string]struct {
		event string
		end   string
		err   error
	}{
		"held-back":     {huge(2 << 20), "stream_broken_off", nil},
		"handed-out":    {huge(33 << 20), "xxxx", io.ErrUnexpectedEOF},
		"whole-and-end": {huge(33<<20) + "\n\n" + delta, "stream_broken_off", nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := &books{}
			body := open(b, call.OK, "text/event-stream", play(nil, start+c.event))
			var read bytes.Buffer
			read.Grow(len(c.event) + 1<<20)
			_, err := read.ReadFrom(body)
			body.Close()
			got := read.Bytes()
			tail := string(got[len(got)-min(len(got), 400):])
			if !errors.Is(err, c.err) || !strings.Contains(tail, c.end) || strings.Contains(tail, "xevent") || (c.err != nil && strings.Contains(tail, "event:")) {
				t.Errorf("%d bytes end with %q, %v", len(got), tail, err)
			}
			if len(b.events) != 1 || b.events[0].Outcome != "failed_mid_stream" || len(b.settled) != 1 {
				t.Errorf("booked %+v", b.events)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	const text = `{"id":"x","usage":{"input_tokens":9,"cache_creation_input_tokens":null,"output_tokens":3}}`
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	io.WriteString(z, text)
	z.Close()
	for name, c := range map[string]struct {
		kind   call.Kind
		body   string
		gzip   bool
		reads  bool
		result string
		usage  call.Usage
	}{
		"whole":   {call.OK, text, false, true, "ok", call.Usage{Input: 9, Output: 3, Exact: true}},
		"gzip":    {call.OK, zipped.String(), true, true, "ok", call.Usage{Input: 9, Output: 3, Exact: true}},
		"odd":     {call.OK, `[]`, false, true, "ok", call.Usage{}},
		"refused": {call.BadRequest, `{}`, false, true, "upstream_error", call.Usage{Exact: true}},
		"unread":  {call.OK, text, false, false, "client_gone", call.Usage{Input: 9, Output: 3, Exact: true}},
	} {
		t.Run(name, func(t *testing.T) {
			b := &books{}
			a := &call.Answer{Status: 200, Verdict: call.Verdict{Kind: c.kind}, Header: http.Header{}, Body: play(nil, c.body)}
			if c.gzip {
				a.Header.Set("Content-Encoding", "gzip")
			}
			body := account.New(b, nil, say).Open(&call.Call{Endpoint: call.Messages}, call.NewPermit(b), a)
			if c.reads {
				if got, err := io.ReadAll(body); err != nil || string(got) != c.body {
					t.Errorf("got %q, %v", got, err)
				}
			}
			body.Close()
			if len(b.events) != 1 || b.events[0].Outcome != c.result || b.events[0].Usage != c.usage || len(b.settled) != 1 {
				t.Errorf("booked %+v, settled %+v", b.events, b.settled)
			}
		})
	}
}
