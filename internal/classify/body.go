package classify

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/weir-gateway/weir/call"
)

// readBody reads the whole body into one buffer: it must be replayable, and
// a server that answers before it has read a body loses streams.
func readBody(req *http.Request, limit int64) ([]byte, error) {
	if req.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	if req.Body == nil || req.Body == http.NoBody {
		return nil, malformed("the request has no body; a JSON object is needed")
	}
	size := req.ContentLength
	if size < 0 {
		size = 16 << 10
	}
	buf := make([]byte, 0, size+1) // one spare byte, to meet EOF without growing
	for {
		n, err := req.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > limit {
			return nil, tooLarge(limit)
		}
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return nil, bodyBroken(req, err)
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
	}
}

func tooLarge(limit int64) error {
	return &call.Refusal{
		Reason: call.BodyTooLarge,
		Detail: fmt.Sprintf("the body is over %d MiB, the upstream's limit for this endpoint", limit>>20),
	}
}

// bodyBroken says why the body has no end. A connection that was closed for
// writing alone looks like one that was lost, so the client gets to hear of it.
func bodyBroken(req *http.Request, err error) error {
	r := &call.Refusal{Reason: call.Malformed, Detail: "the body could not be read to its end", Cause: err}
	switch { // the server ends the context in any case
	case errors.Is(err, os.ErrDeadlineExceeded):
		r.Detail = "the body came too slowly, or stopped before its end"
	case errors.Is(err, io.ErrUnexpectedEOF):
		r.Detail = "the body ended too early: Content-Length announces more, or the last chunk is missing"
	case req.Context().Err() != nil:
		r.Reason = call.ClientGone
	}
	return r
}
