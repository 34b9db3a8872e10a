package weir_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// instantHeader is what an API of vast limits says about them.
var instantHeader = http.Header{
	"Content-Type":              {"application/json"},
	"Request-Id":                {"req_011CSHoEeqs5C35K2UUqR7Fy"},
	"Anthropic-Organization-Id": {"0f8c4d4e-54a5-4b5c-9d3e-5d3f9a2c7b11"},

	"Anthropic-Ratelimit-Requests-Limit":          {"900000000"},
	"Anthropic-Ratelimit-Requests-Remaining":      {"900000000"},
	"Anthropic-Ratelimit-Requests-Reset":          {"2030-01-01T00:00:00Z"},
	"Anthropic-Ratelimit-Input-Tokens-Limit":      {"900000000000"},
	"Anthropic-Ratelimit-Input-Tokens-Remaining":  {"900000000000"},
	"Anthropic-Ratelimit-Input-Tokens-Reset":      {"2030-01-01T00:00:00Z"},
	"Anthropic-Ratelimit-Output-Tokens-Limit":     {"900000000000"},
	"Anthropic-Ratelimit-Output-Tokens-Remaining": {"900000000000"},
	"Anthropic-Ratelimit-Output-Tokens-Reset":     {"2030-01-01T00:00:00Z"},
}

var chunks = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// instant is an upstream that answers at once, with the caller's own words so
// that no answer can be taken for another. A stream's events are written
// without a flush between them.
func instant(w http.ResponseWriter, r *http.Request) {
	buf := chunks.Get().(*[64 << 10]byte)
	defer chunks.Put(buf)
	n, err := io.ReadFull(r.Body, buf[:64])
	stream := bytes.Contains(buf[:n], []byte(`"stream":true`))
	for err == nil {
		_, err = r.Body.Read(buf[:])
	}
	mark := r.Header.Get("X-Mark")
	maps.Copy(w.Header(), instantHeader)
	if stream {
		w.Header()["Content-Type"] = []string{"text/event-stream; charset=utf-8"}
		io.WriteString(w, instantStream(mark))
		return
	}
	io.WriteString(w, instantJSON(mark))
}

func instantJSON(mark string) string {
	return `{"id":"` + mark + `","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[{"type":"text","text":"` +
		strings.Repeat("All work and no play. ", 20) + `"}],"stop_reason":"end_turn","usage":{"input_tokens":250,"output_tokens":110}}`
}

func instantStream(mark string) string {
	return strings.Replace(events, "hello", mark, 1)
}

// instantBody is a request of about size bytes.
func instantBody(size int, stream bool) []byte {
	s := fmt.Sprintf(`{"model":"claude-haiku-4-5","max_tokens":64,"stream":%v,"messages":[{"role":"user","content":"%%s"}]}`, stream)
	return fmt.Appendf(nil, s, strings.Repeat("The quick brown fox jumps. ", max(1, (size-len(s))/27)))
}

// caller is a client with one bare connection, which costs little beside the
// server that it measures.
type caller struct {
	conn net.Conn
	in   *bufio.Reader
	out  []byte
	got  bytes.Buffer
}

func newCaller(address string) (*caller, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &caller{conn: conn, in: bufio.NewReaderSize(conn, 64<<10)}, nil
}

// call posts body and returns the answer's, which is valid until the next call.
func (c *caller) call(mark string, body []byte) ([]byte, error) {
	c.out = append(c.out[:0], "POST /v1/messages HTTP/1.1\r\nHost: weir\r\nX-Api-Key: sk-ant-api03-load\r\n"+
		"Anthropic-Version: 2023-06-01\r\nContent-Type: application/json\r\nAccept: application/json\r\n"+
		"User-Agent: Anthropic/Python 0.121.0\r\nX-Stainless-Timeout: 600\r\nX-Stainless-Retry-Count: 0\r\nX-Mark: "...)
	c.out = fmt.Appendf(c.out, "%s\r\nContent-Length: %d\r\n\r\n", mark, len(body))
	if _, err := (&net.Buffers{c.out, body}).WriteTo(c.conn); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return nil, err
	}
	c.got.Reset()
	if _, err := c.got.ReadFrom(resp.Body); err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", resp.Status, c.got.Bytes())
	}
	return c.got.Bytes(), nil
}

// crowd makes n calls over as many connections as asked for.
func crowd(address string, connections, n int, each func(c *caller, i int) error) error {
	var next atomic.Int64
	failed := make(chan error, connections)
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() {
			c, err := newCaller(address)
			if err != nil {
				failed <- err
				return
			}
			defer c.conn.Close()
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				if err := each(c, int(i)); err != nil {
					failed <- fmt.Errorf("call %d: %w", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
	close(failed)
	return <-failed
}

func TestNothingIsLostAtFullSpeed(t *testing.T) {
	n := 10_000
	if raced || testing.Short() {
		n = 1500
	}
	front := behind(t, instant)
	for name, c := range map[string]struct {
		body []byte
		want func(mark string) string
	}{
		"json":   {instantBody(1<<10, false), instantJSON},
		"stream": {instantBody(1<<10, true), instantStream},
	} {
		t.Run(name, func(t *testing.T) {
			err := crowd(front.Listener.Addr().String(), 64, n, func(cl *caller, i int) error {
				mark := fmt.Sprint("mark-", i)
				got, err := cl.call(mark, c.body)
				if err == nil && string(got) != c.want(mark) {
					err = fmt.Errorf("altered: %q", got)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}
