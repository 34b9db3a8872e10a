package account

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/sse"
)

// stream is a body of server-sent events that is read while it passes.
type stream struct {
	*body
	scan     sse.Scanner
	ready    []byte // whole events, not handed out yet
	partial  []byte // the beginning of an event that has not ended
	stopped  bool   // message_stop has passed
	failed   bool   // an error event has passed
	produced float64
	told     time.Time // when the permit last heard of produced
	err      error     // why nothing more will come
}

const (
	maxPartial  = 1 << 20                // a longer event is handed out in parts
	tellEvery   = 100 * time.Millisecond // how often the permit hears of output
	deltaFrame  = 85                     // bytes of a delta's data that are not text
	bytesPerTok = 4.0
)

// Read implements [io.Reader].
func (s *stream) Read(p []byte) (int, error) {
	for len(s.ready) == 0 {
		if s.err != nil {
			return 0, s.err
		}
		s.fill(p)
	}
	n := copy(p, s.ready)
	s.ready = s.ready[n:]
	return n, nil
}

// Close implements [io.Closer].
func (s *stream) Close() error {
	s.estimateRest()
	return s.body.Close()
}

// fill reads once from the upstream, with p as scratch space, until there is
// something to hand out or the stream has ended.
func (s *stream) fill(p []byte) {
	if len(p) == 0 {
		p = make([]byte, 4<<10)
	}
	n, err := s.answer.Body.Read(p)
	s.take(p[:n])
	if err != nil {
		s.ended(err)
	}
}

// take scans what was read and sorts it into whole events and a rest.
func (s *stream) take(chunk []byte) {
	if len(chunk) == 0 {
		return
	}
	s.scan.Feed(chunk, s.event)
	whole := s.scan.Whole()
	if whole > 0 {
		s.ready = append(append(s.ready[:0], s.partial...), chunk[:whole]...)
		s.partial = append(s.partial[:0], chunk[whole:]...)
	} else {
		s.partial = append(s.partial, chunk...)
	}
	if len(s.partial) > maxPartial {
		s.ready = append(s.ready, s.partial...)
		s.partial = s.partial[:0]
	}
	if now := time.Now(); now.Sub(s.told) >= tellEvery && !s.usage.Exact {
		s.told = now
		s.permit.Output(now, call.Tokens(s.produced))
	}
}

// event reads what one event says about usage.
func (s *stream) event(e sse.Event) {
	switch e.Name {
	case "content_block_delta":
		s.produced += max(1, float64(e.Size-deltaFrame)/bytesPerTok)
		s.first()
	case "content_block_start":
		s.first()
	case "message_start":
		if u, ok := usageOfEvent(e.Data, s.usage); ok {
			s.usage = u
			s.permit.Input(time.Now(), u)
		}
	case "message_delta":
		if u, ok := usageOfEvent(e.Data, s.usage); ok {
			s.usage = u
			s.produced = max(s.produced, float64(u.Output))
		}
	case "message_stop":
		s.stopped, s.usage.Exact = true, true
	case "error":
		s.failed = true
	}
}

func (s *stream) first() {
	if s.content.IsZero() {
		s.content = time.Now()
	}
}

// ended is called when nothing more comes from the upstream. EOF without
// message_stop is a failure (anthropic-api.md §3.5).
func (s *stream) ended(err error) {
	s.err = io.EOF
	s.estimateRest()
	switch {
	case s.stopped && errors.Is(err, io.EOF):
		s.ready = append(s.ready, s.partial...)
		s.finish("ok", "")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		s.err = err // the caller's own doing
		s.finish("client_gone", "")
	case s.failed:
		s.finish("failed_mid_stream", "upstream_error_event")
	case s.stopped: // the answer was complete; the connection broke after it
		s.finish("ok", "")
	default:
		if e := s.call.Endpoint; e == call.Messages {
			s.ready = append(s.ready, brokenEvent...)
		}
		s.finish("failed_mid_stream", "broken_off")
	}
	s.partial = nil
}

// estimateRest fills in the output of a stream whose final usage never came.
func (s *stream) estimateRest() {
	if !s.usage.Exact {
		s.usage.Output = max(s.usage.Output, call.Tokens(s.produced))
	}
}
