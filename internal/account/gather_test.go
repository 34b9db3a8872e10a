package account_test

import (
	"bytes"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/account"
	"github.com/weir-gateway/weir/internal/sse"
)

// meter notes when the permit heard of what.
type meter struct {
	books
	observed []string
	output   []call.Tokens
}

func (m *meter) Observe(time.Time, call.Limits) { m.observed = append(m.observed, "limits") }
func (m *meter) Input(_ time.Time, u call.Usage) {
	m.observed = append(m.observed, "input "+strconv.Itoa(int(u.Input)))
}
func (m *meter) Output(_ time.Time, n call.Tokens) { m.output = append(m.output, n) }

// gather lets the room gather a stream that is written by and by.
func gather(t *testing.T, m *meter, write func(io.Writer) error) (*call.Call, *call.Answer) {
	t.Helper()
	r, w := io.Pipe()
	go func() { w.CloseWithError(write(w)) }()
	room := account.New(m, m.learn, say)
	c := &call.Call{Endpoint: call.Messages, Gather: true, Received: time.Now()}
	permit := call.NewPermit(m)
	a := room.Gather(c, permit, &call.Answer{
		Status: 200, Stream: true, Body: r, Header: http.Header{"Content-Type": {"text/event-stream"}, "Cache-Control": {"no-cache"}},
	})
	if a.Verdict.Kind == call.OK {
		if raw, err := io.ReadAll(room.Open(c, permit, a)); err != nil || int64(len(raw)) != a.Length {
			t.Errorf("%d bytes of %d, %v", len(raw), a.Length, err)
		}
	}
	return c, a
}

func begin() []byte {
	out := sse.Append(nil, "message_start", []byte(`{"message":{"model":"m","content":[],"usage":{"input_tokens":7,"output_tokens":1}}}`))
	return sse.Append(out, "content_block_start", []byte(`{"index":0,"content_block":{"type":"text","text":""}}`))
}

// deltas is about tokens of text, in one event.
func deltas(tokens int) []byte {
	return sse.Append(nil, "content_block_delta", []byte(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"`+strings.Repeat("word", tokens)+`"}}`))
}

func finish(output int) []byte {
	out := sse.Append(nil, "message_delta", []byte(`{"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":`+strconv.Itoa(output)+`}}`))
	return sse.Append(out, "message_stop", []byte(`{}`))
}

// TestGatherTellsThePermit: the flow of the output is known while it comes, and
// the headers are observed once, behind the input that they include.
func TestGatherTellsThePermit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m meter
		_, a := gather(t, &m, func(w io.Writer) error {
			w.Write(begin())
			for range 50 {
				time.Sleep(time.Second)
				w.Write(deltas(20))
			}
			_, err := w.Write(finish(1000))
			return err
		})
		if a.Status != 200 || a.Header.Get("Content-Type") != "application/json" || a.Header.Get("Cache-Control") != "" {
			t.Errorf("status %d, %v", a.Status, a.Header)
		}
		if got := strings.Join(m.observed, ", "); got != "input 7, limits" {
			t.Errorf("the permit heard of %s", got)
		}
		if n := len(m.output); n < 45 || m.output[0] > 100 || m.output[n-1] < 900 {
			t.Errorf("told of the output %d times: %v", n, m.output)
		}
		m.mustHold(t, "ok", "", call.Usage{Input: 7, Output: 1000, Exact: true, Model: "m"})
		if m.learned != 1 {
			t.Errorf("learned from %d answers", m.learned)
		}
	})
}

// TestLostUsage: a broken answer settles its permit with the best guess, which
// is kept for the books.
func TestLostUsage(t *testing.T) {
	var m meter
	c, a := gather(t, &m, func(w io.Writer) error {
		w.Write(begin())
		w.Write(deltas(200))
		return io.ErrUnexpectedEOF
	})
	if a.Verdict.Kind != call.Unreachable || a.Body != nil || !c.Gather {
		t.Errorf("got %+v, again gathered: %v", a.Verdict, c.Gather)
	}
	if c.Lost.Input != 7 || c.Lost.Output < 190 || c.Lost.Output > 210 || len(m.settled) != 1 || m.settled[0] != c.Lost || len(m.events) != 0 {
		t.Errorf("lost %+v, settled %+v, booked %d calls", c.Lost, m.settled, len(m.events))
	}
	sum := call.Usage{Input: 1, Output: 2, Exact: true, Model: "m"}.Plus(c.Lost)
	if sum.Input != 8 || sum.Exact || (call.Usage{Exact: true}).Plus(call.Usage{}) != (call.Usage{Exact: true}) {
		t.Errorf("the sum is %+v", sum)
	}
}

// TestOverloadedInTheMiddle: the permit is left to who tells the lane, and knows
// what the answer had used.
func TestOverloadedInTheMiddle(t *testing.T) {
	var m meter
	c, a := gather(t, &m, func(w io.Writer) error {
		w.Write(append(begin(), deltas(200)...))
		_, err := w.Write(sse.Append(nil, "error", []byte(`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`)))
		return err
	})
	if a.Verdict.Kind != call.Overloaded || len(m.settled) != 0 || len(m.output) == 0 || m.output[len(m.output)-1] != c.Lost.Output {
		t.Errorf("got %+v, settled %+v, told of %v of %+v", a.Verdict, m.settled, m.output, c.Lost)
	}
}

// TestGatherIsBounded: memory is of the order of the answer, and an answer
// without an end is given up.
func TestGatherIsBounded(t *testing.T) {
	const tokens, event = 250_000, 5000 // 1 MB
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var m meter
	_, a := gather(t, &m, func(w io.Writer) error {
		w.Write(begin())
		for range tokens / event {
			w.Write(deltas(event))
		}
		_, err := w.Write(finish(tokens))
		return err
	})
	runtime.GC()
	runtime.ReadMemStats(&after)
	t.Logf("an answer of %d bytes: %d bytes allocated, %d kept", a.Length, after.TotalAlloc-before.TotalAlloc, int64(after.HeapAlloc)-int64(before.HeapAlloc))
	if kept := int64(after.HeapAlloc) - int64(before.HeapAlloc); a.Length < 4*tokens || kept > 8*4*tokens {
		t.Errorf("%d bytes are kept of an answer of %d", kept, a.Length)
	}
	var endless meter
	c, a := gather(t, &endless, func(w io.Writer) error {
		w.Write(begin())
		for one := sse.Append(nil, "new_kind", bytes.Repeat([]byte("x"), 1<<20)); ; {
			if _, err := w.Write(one); err != nil {
				return err
			}
		}
	})
	if a.Verdict.Kind != call.Unreachable || c.Gather {
		t.Errorf("got %+v, again gathered: %v", a.Verdict, c.Gather)
	}
}
