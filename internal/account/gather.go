package account

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/fault"
	"github.com/weir-gateway/weir/internal/message"
	"github.com/weir-gateway/weir/internal/sse"
)

// maxGathered bounds what is kept of a stream that is to be one piece. The
// longest answers are far below.
const maxGathered = 64 << 20

// Why a stream could not be put together, though it did not break off.
var (
	errTooLong = errors.New("the answer is longer than can be put together")
	errCoded   = errors.New("the stream is encoded in a way that was not asked for")
)

// errNoEnd says that a stream ended before its message_stop.
var errNoEnd = errors.New("the stream broke off")

// Gather reads the stream of a call whose caller wants one piece to its end,
// and returns the answer in one piece, or the failure that the stream ended
// with, as if it had been the whole answer: the caller has seen nothing yet. The
// permit hears of the usage meanwhile. What a lost answer cost is booked with
// the call.
func (r *Room) Gather(c *call.Call, permit *call.Permit, a *call.Answer) *call.Answer {
	defer a.Body.Close()
	s := &stream{body: &body{room: r, call: c, permit: permit, answer: a}, cut: -1}
	s.scan.Max = maxGathered
	var whole message.Assembler
	err := s.gather(&whole)
	if err == nil {
		var text []byte
		if text, err = whole.Message(); err == nil {
			return &call.Answer{
				Status: a.Status, Header: inOnePiece(a.Header), Limits: a.Limits, Usage: s.usage,
				Body: io.NopCloser(bytes.NewReader(text)), Length: int64(len(text)),
			}
		}
	}
	return s.lost(err)
}

// gather feeds whole, until it is whole or the stream has ended otherwise.
func (s *stream) gather(whole *message.Assembler) (fail error) {
	in, err := unfolded(s.answer)
	if err != nil {
		return err
	}
	observed := false
	chunk := make([]byte, 16<<10)
	for {
		n, err := in.Read(chunk)
		s.scan.Feed(chunk[:n], func(e sse.Event) {
			if fail == nil && !whole.Done() {
				s.event(e)
				fail = whole.Add(e.Name, e.Data)
			}
		})
		now := time.Now()
		if !observed && s.usage != (call.Usage{}) {
			observed = true // the headers include the input that has just become known
			s.permit.Observe(now, s.answer.Limits)
		}
		if now.Sub(s.told) >= tellEvery && s.produced > 0 {
			s.told = now
			s.permit.Output(now, call.Tokens(s.produced))
		}
		switch {
		case fail != nil:
			return fail
		case whole.Done():
			return nil
		case whole.Size() > maxGathered:
			return errTooLong
		case errors.Is(err, io.EOF):
			return errNoEnd
		case err != nil:
			return err
		}
	}
}

// unfolded reads a stream in clear, though compression was not asked for.
func unfolded(a *call.Answer) (io.Reader, error) {
	switch a.Header.Get("Content-Encoding") {
	case "", "identity":
		return a.Body, nil
	case "gzip":
		z, err := gzip.NewReader(a.Body)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errCoded, err)
		}
		return z, nil
	}
	return nil, errCoded
}

// lost is the answer that a stream was which did not become whole.
func (s *stream) lost(err error) *call.Answer {
	s.estimateRest()
	a := &call.Answer{Verdict: fault.Unreachable(err), Cause: err}
	if e, ok := errors.AsType[*message.StreamError](err); ok {
		a = &call.Answer{
			Verdict: s.room.judge.Event(time.Now(), e.Body), Header: inOnePiece(s.answer.Header),
			Body: io.NopCloser(bytes.NewReader(e.Body)), Length: int64(len(e.Body)),
		}
		a.Status = a.Verdict.Status
	}
	if errors.Is(err, message.ErrBroken) || errors.Is(err, errTooLong) || errors.Is(err, errCoded) {
		s.call.Gather = false // the next attempt asks for one piece
	}
	if s.content.IsZero() {
		return a // it was refused, which costs nothing
	}
	s.call.Lost = s.call.Lost.Plus(s.usage)
	if a.Verdict.Paced() { // the lane is to hear of it when the permit ends
		s.permit.Output(time.Now(), s.usage.Output)
	} else {
		s.permit.Settle(time.Now(), s.usage)
	}
	return a
}

// inOnePiece turns the headers of a stream into those of a JSON answer.
func inOnePiece(h http.Header) http.Header {
	out := h.Clone()
	for _, name := range []string{"Content-Length", "Content-Encoding", "Cache-Control", "Transfer-Encoding"} {
		delete(out, name)
	}
	out.Set("Content-Type", "application/json")
	return out
}
