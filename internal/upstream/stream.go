package upstream

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/fault"
	"github.com/weir-gateway/weir/internal/sse"
)

// maxHead bounds what is held back of a stream, as a whole answer is bounded.
// Its head is about 1 kB, but its first block may be a document.
const maxHead = maxAnswer

// holdStream reads a stream until something in it is content, so that a
// failure before it looks like the plain error that it is. Behind an error
// event nothing is read any more.
func (r *Room) holdStream(a *call.Answer) {
	var (
		head  []byte
		scan  sse.Scanner
		begun bool
		fail  []byte
		end   int // of the error event in head
	)
	chunk := make([]byte, 4<<10)
	for !begun && fail == nil && len(head) < maxHead {
		n, err := a.Body.Read(chunk)
		scan.Feed(chunk[:n], func(e sse.Event) {
			switch {
			case begun || fail != nil || e.Name == "ping" || e.Name == "message_start":
			case e.Name == "error":
				fail, end = bytes.Clone(e.Data), len(head)+e.End
			default:
				begun = true
			}
		})
		head = append(head, chunk[:n]...)
		if err != nil && !begun && fail == nil {
			a.Body.Close()
			*a = brokenOff(err)
			return
		}
	}
	if fail != nil {
		a.Verdict = r.judge.Event(time.Now(), fail)
		a.Body.Close()
		a.Body = io.NopCloser(bytes.NewReader(head[:end]))
		return
	}
	a.Body = joined{io.MultiReader(bytes.NewReader(head), a.Body), a.Body}
}

func brokenOff(err error) call.Answer {
	if errors.Is(err, io.EOF) {
		err = errNoContent
	}
	return call.Answer{Verdict: fault.Unreachable(err), Cause: err}
}

// plain returns an error body in clear, for Weir to read. What cannot be
// decoded is returned as it is.
func plain(h http.Header, raw []byte) []byte {
	if h.Get("Content-Encoding") != "gzip" {
		return raw
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return raw
	}
	clear, err := io.ReadAll(io.LimitReader(z, maxError))
	if err != nil {
		return raw
	}
	return clear
}
