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
	torn     bool   // a part of that was handed out
	cut      int    // where the last chunk ends with an error event, or -1
	stopped  bool   // message_stop has passed
	failed   bool   // an error event has passed
	produced float64
	told     time.Time // when the permit last heard of produced
	err      error     // why nothing more will come
}

const (
	maxPartial  = 32 << 20               // a longer event is handed out in parts; SDKs read none
	keptBuffer  = 1 << 20                // a larger buffer is not kept for the next event
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
	switch {
	case s.err != nil: // the answer has ended; nobody listens to the upstream
		s.answer.Body.Close()
	case err != nil:
		s.ended(err)
	}
}

// take scans what was read and sorts it into whole events and a rest. Behind an
// error event nothing counts any more: the answer has ended.
func (s *stream) take(chunk []byte) {
	if len(chunk) == 0 {
		return
	}
	s.cut = -1
	s.scan.Feed(chunk, s.event)
	if s.cut >= 0 {
		s.release(chunk, s.cut)
		s.ended(errFailed)
		return
	}
	if whole := s.scan.Whole(); whole > 0 {
		s.release(chunk, whole)
		s.partial = append(s.partial, chunk[whole:]...)
	} else {
		s.partial = append(s.partial, chunk...)
	}
	if len(s.partial) > maxPartial {
		s.ready, s.partial, s.torn = append(s.ready, s.partial...), nil, true
	}
	if now := time.Now(); now.Sub(s.told) >= tellEvery && !s.usage.Exact {
		s.told = now
		s.permit.Output(now, call.Tokens(s.produced))
	}
}

// release makes ready the whole events that chunk ends, up to end.
func (s *stream) release(chunk []byte, end int) {
	if cap(s.ready) > keptBuffer {
		s.ready = nil
	}
	s.ready = append(append(s.ready[:0], s.partial...), chunk[:end]...)
	if cap(s.partial) > keptBuffer {
		s.partial = nil
	}
	s.partial, s.torn = s.partial[:0], false
}

// event reads what one event says about usage.
func (s *stream) event(e sse.Event) {
	if s.cut >= 0 {
		return
	}
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
		if !s.stopped { // else the answer was complete
			s.failed, s.cut = true, e.End
		}
	}
}

func (s *stream) first() {
	if s.content.IsZero() {
		s.content = time.Now()
	}
}

// ended is called when nothing more comes from the upstream. EOF without
// message_stop is a failure (anthropic-api.md §3.5). A client that has a part
// of an event can be told only by breaking its connection too: an error event
// would be taken for more of that part.
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
	case s.torn:
		s.err = io.ErrUnexpectedEOF
		s.finish("failed_mid_stream", brokenOff)
	default:
		reason := brokenOff
		if silent(err) {
			reason = stalled
		}
		if s.call.Endpoint == call.Messages {
			s.ready = append(s.ready, s.room.interrupted(s.call, reason)...)
		}
		s.finish("failed_mid_stream", reason)
	}
	s.partial = nil
}

// errFailed ends a stream behind the upstream's own error event.
var errFailed = errors.New("the upstream sent an error event")

// silent reports whether err is the end of somebody's patience.
func silent(err error) bool {
	timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && timeout.Timeout()
}

// estimateRest fills in the output of a stream whose final usage never came.
func (s *stream) estimateRest() {
	if !s.usage.Exact {
		s.usage.Output = max(s.usage.Output, call.Tokens(s.produced))
	}
}
