package call

import (
	"io"
	"net/http"
)

// Answer is what one attempt brought back, held just before its first content
// byte would reach the client: an error whole, a JSON answer whole, a stream
// up to its first content block. Until then a failure can still be mended
// without anybody noticing.
type Answer struct {
	Verdict Verdict     // OK, or what went wrong; always set
	Status  int         // 0 if there was no answer at all
	Header  http.Header // nil if there was no answer
	Stream  bool        // Body is a stream of server-sent events
	Usage   Usage       // as far as it was seen
	Limits  Limits      // filled by the limits room

	Body   io.ReadCloser // what the client is to get; nil if there was no answer
	Length int64         // of Body, -1 if unknown
	Cause  error         // why there was no answer
}

// Discard closes the body of an answer that nobody will get.
func (a *Answer) Discard() {
	if a.Body != nil {
		a.Body.Close()
	}
}
