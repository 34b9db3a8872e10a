package cache

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/weir-gateway/weir/call"
)

// reader is the body of an answer, as one of those gets it who want it.
type reader struct {
	f    *flight
	ctx  context.Context
	call *call.Call // that joined; nil: it is the one that was sent, and booked elsewhere
	at   int        // guarded by the flight's mu
	once sync.Once
}

// read returns a body for one who has boarded. Closing it leaves the flight.
func (f *flight) read(ctx context.Context, c *call.Call) *reader {
	b := &reader{f: f, ctx: ctx, call: c}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.base > 0 {
		return nil
	}
	f.readers[b] = true
	return b
}

// Read implements [io.Reader]. It waits until there is more.
func (b *reader) Read(p []byte) (int, error) {
	for {
		b.f.mu.Lock()
		n := copy(p, b.f.log[b.at-b.f.base:])
		b.at += n
		if n > 0 && b.f.base+len(b.f.log) > maxLog/2 {
			b.f.wake() // there may be place now
		}
		end, moved := b.f.end, b.f.moved
		b.f.mu.Unlock()
		switch {
		case n > 0:
			return n, nil
		case end != nil:
			b.finish(cmp.Or(b.f.booked().Outcome, "ok"))
			return 0, end
		}
		select {
		case <-moved:
		case <-b.ctx.Done():
			return 0, context.Cause(b.ctx)
		}
	}
}

// Close implements [io.Closer].
func (b *reader) Close() error {
	b.finish("client_gone")
	return nil
}

// finish leaves the flight and books the call, once.
func (b *reader) finish(outcome string) {
	b.once.Do(func() {
		b.f.mu.Lock()
		delete(b.f.readers, b)
		b.f.wake()
		b.f.mu.Unlock()
		b.f.room.leave(b.f)
		if b.call == nil {
			return
		}
		if outcome == "ok" {
			e := b.f.booked()
			b.f.room.save(tokensOf(e.Usage), e.Cost)
		}
		b.f.room.end(b.call, b.f.resp.StatusCode, outcome)
	})
}

// replayed is a body that is there whole, of a call that was not sent.
type replayed struct {
	bytes.Reader
	once sync.Once
	end  func(outcome string)
}

func replay(body []byte, end func(outcome string)) *replayed {
	b := &replayed{end: end}
	b.Reset(body)
	return b
}

// Read implements [io.Reader].
func (b *replayed) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		b.once.Do(func() { b.end("ok") })
	}
	return n, err
}

// Close implements [io.Closer].
func (b *replayed) Close() error {
	b.once.Do(func() { b.end("client_gone") })
	return nil
}

// WriteTo hides that of [bytes.Reader], which would not notice the end.
func (b *replayed) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{b})
}

// response is what a call gets that was not sent: of the header that came with
// the answer, only what is true of it for everybody and always.
func response(stream bool, requestID string, body io.ReadCloser, size int64) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}}
	if stream {
		h = http.Header{"Content-Type": {"text/event-stream; charset=utf-8"}, "Cache-Control": {"no-cache"}}
		size = -1
	}
	if requestID != "" {
		h["Request-Id"] = []string{requestID}
	}
	return answer(http.StatusOK, h, body, size)
}

func answer(status int, h http.Header, body io.ReadCloser, size int64) *http.Response {
	return &http.Response{
		StatusCode: status, Header: h, Body: body, ContentLength: size,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}

// shape is what an answer is, by its header.
type shape uint8

const (
	asOpaque shape = iota // compressed, or nothing that the API sends
	asMessage
	asEvents
)

func shapeOf(h http.Header) shape {
	media, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	switch {
	case h.Get("Content-Encoding") != "" && h.Get("Content-Encoding") != "identity":
		return asOpaque
	case media == "application/json":
		return asMessage
	case media == "text/event-stream":
		return asEvents
	}
	return asOpaque
}
