package upstream_test

import (
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/upstream"
)

// sink answers nothing of worth, and holds on to nothing.
type sink struct{ asked func(*http.Request) }

func (s sink) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked(r)
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")), Request: r}, nil
}

// TestGatheredBodiesAreNotCopied: a stream is asked for in words of a few
// bytes, though the body is large and may be sent more than once.
func TestGatheredBodiesAreNotCopied(t *testing.T) {
	body := `{"model":"m","messages":[{"role":"user","content":"` + strings.Repeat("word", 2<<20) + `"}]}`
	for in, want := range map[string]string{
		body: `{"stream":true,` + body[1:],
		body[:len(body)-1] + `,"stream": false }`: body[:len(body)-1] + `,"stream": true }`,
	} {
		room, err := upstream.New("http://api", sink{func(r *http.Request) {
			again, err := r.GetBody()
			if err != nil {
				t.Fatal(err)
			}
			for _, in := range []io.Reader{r.Body, again} {
				rest, same := want, true
				chunk := make([]byte, 32<<10)
				for {
					n, err := in.Read(chunk)
					same = same && n <= len(rest) && rest[:n] == string(chunk[:n])
					rest = rest[min(n, len(rest)):]
					if err != nil {
						break
					}
				}
				if !same || rest != "" || r.ContentLength != int64(len(want)) {
					t.Errorf("%d bytes were announced, %d are missing", r.ContentLength, len(rest))
				}
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		c := &call.Call{Method: "POST", Path: "/v1/messages", Body: []byte(in), Gather: true}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		room.Send(t.Context(), c, call.Key{}).Discard()
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > uint64(len(body))/2 {
			t.Errorf("%d bytes were allocated for a body of %d", took, len(body))
		}
	}
}
