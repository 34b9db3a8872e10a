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

// maxHead bounds what is held back of a stream; message_start is about 1 kB.
const maxHead = 1 << 20

// holdStream reads a stream until something in it is content, so that a
// failure before it looks like the plain error that it is.
func (r *Room) holdStream(a *call.Answer) {
	var (
		head  []byte
		scan  sse.Scanner
		begun bool
		fail  []byte
	)
	chunk := make([]byte, 4<<10)
	for !begun && fail == nil && len(head) < maxHead {
		n, err := a.Body.Read(chunk)
		head = append(head, chunk[:n]...)
		scan.Feed(chunk[:n], func(e sse.Event) {
			switch {
			case begun || e.Name == "ping" || e.Name == "message_start":
			case e.Name == "error":
				fail = bytes.Clone(e.Data)
			default:
				begun = true
			}
		})
		if err != nil && !begun && fail == nil {
			a.Body.Close()
			*a = brokenOff(err)
			return
		}
	}
	if fail != nil {
		a.Verdict = r.judge.Event(time.Now(), fail)
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
