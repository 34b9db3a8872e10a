// Package account follows an answer on its way to the client and books what it
// cost, whatever became of it: to the quota while it streams, and as one
// [call.Event] when it has ended.
package account

import (
	"bytes"
	"encoding/json"
	"io"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/fault"
	"github.com/weir-gateway/weir/internal/sse"
)

// Room opens answers. It is safe for concurrent use.
type Room struct {
	observer call.Observer
	learn    func(*call.Call, call.Usage)
	say      func(lang, reason string) string
	judge    *fault.Judge
}

// New returns the room. Each ended call goes to observer, and what it really
// used to learn. say puts into words why a stream broke off.
func New(observer call.Observer, learn func(*call.Call, call.Usage), say func(lang, reason string) string) *Room {
	return &Room{observer: observer, learn: learn, say: say, judge: fault.New()}
}

// Open returns the body that the client is to read. It owns the permit now:
// reading it to its end or closing it settles with the best-known usage. Only
// whole events of a stream are handed out, and a stream that breaks off ends
// with an error event, never with a false message_stop.
func (r *Room) Open(c *call.Call, permit *call.Permit, a *call.Answer) io.ReadCloser {
	b := &body{room: r, call: c, permit: permit, answer: a, sent: time.Now()}
	switch {
	case a.Verdict.Kind != call.OK:
		b.usage.Exact = true // a refused request costs nothing
		return b
	case a.Usage.Exact: // gathered
		b.usage, b.content = a.Usage, time.Now()
		c.Used = a.Usage
	case a.Stream && a.Header.Get("Content-Encoding") == "":
		s := &stream{body: b}
		s.fill(nil)
		return s
	case c.Endpoint == call.Messages:
		b.readUsage()
	default:
		b.usage.Exact = true // counting tokens is free
	}
	return b
}

// End books a call that ended without an answer to open.
func (r *Room) End(c *call.Call, status int, outcome, reason string) {
	r.observer.Event(r.event(c, status, outcome, reason))
}

func (r *Room) event(c *call.Call, status int, outcome, reason string) call.Event {
	now := time.Now()
	return call.Event{
		ID: c.ID, At: now, Endpoint: c.Endpoint, Model: c.Model, Tenant: c.Tenant, Class: c.Class,
		Stream: c.Stream, Status: status, Outcome: outcome, Reason: reason, Waited: c.Waited,
		Took: now.Sub(c.Received), Attempts: c.Attempts, Parts: c.Parts, Hedges: c.Hedges, Estimate: c.Estimate,
		Story: c.Story, Degraded: c.Degraded, TraceParent: c.TraceParent,
		Client: c.Client, Cached: c.Cached, Prompt: c.Prompt, Usage: c.Lost,
	}
}

// body is an answer that is passed on as it is.
type body struct {
	room   *Room
	call   *call.Call
	permit *call.Permit
	answer *call.Answer
	sent   time.Time

	usage   call.Usage
	content time.Time // when the first content byte came
	end     sync.Once
	broken  error
}

// readUsage books the usage of a whole JSON answer before its headers are
// observed: they include it.
func (b *body) readUsage() {
	raw, err := io.ReadAll(b.answer.Body)
	if err != nil {
		b.broken = err
	}
	b.answer.Body = io.NopCloser(bytes.NewReader(raw))
	b.content = time.Now()
	b.usage = usageOfBody(b.answer.Header, raw)
	b.call.Used = b.usage
	if b.usage.Exact {
		b.permit.Input(b.content, b.usage)
		b.permit.Output(b.content, b.usage.Output)
	}
}

// Read implements [io.Reader].
func (b *body) Read(p []byte) (int, error) {
	n, err := b.answer.Body.Read(p)
	if err == io.EOF {
		b.finish("ok", "")
	}
	return n, err
}

// Close implements [io.Closer].
func (b *body) Close() error {
	b.finish("client_gone", "")
	return b.answer.Body.Close()
}

// finish settles and books, once.
func (b *body) finish(outcome, reason string) {
	b.end.Do(func() {
		v := b.answer.Verdict
		if v.Kind != call.OK && outcome == "ok" {
			outcome, reason = "upstream_error", v.Kind.String()
		}
		b.permit.Settle(time.Now(), b.usage)
		if b.usage.Exact && v.Kind == call.OK && b.room.learn != nil {
			b.room.learn(b.call, b.usage)
		}
		e := b.room.event(b.call, b.answer.Status, outcome, reason)
		if outcome == "client_gone" {
			e.Status = 499
		}
		if !b.content.IsZero() {
			e.FirstIn = b.content.Sub(b.call.Received)
		}
		e.Usage = b.usage.Plus(b.call.Lost)
		b.room.observer.Event(e)
	})
}

// Why a stream has no end: the reasons in the books.
const (
	brokenOff = "broken_off"
	stalled   = "stalled"
)

// interrupted is what a client gets to see of a stream that has no end.
func (r *Room) interrupted(c *call.Call, reason string) []byte {
	type object = map[string]any
	data, _ := json.Marshal(object{"type": "error", "error": object{ // strings only: it cannot fail
		"type": "api_error", "message": r.say(c.Lang, reason), "details": object{"error_code": "stream_" + reason},
	}, "request_id": c.ID})
	return sse.Append(nil, "error", data)
}
