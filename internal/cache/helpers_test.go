package cache

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
)

// ended is what the books say of a call that was not sent.
type ended struct {
	id, outcome string
	status      int
}

// ledger keeps what is booked.
type ledger struct {
	mu   sync.Mutex
	list []ended
}

func (l *ledger) end(c *call.Call, status int, outcome, _ string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, ended{c.ID, outcome, status})
}

func newRoom(t testing.TB, cfg Config) *Room {
	t.Helper()
	r, _ := newBooked(t, cfg)
	return r
}

func newBooked(t testing.TB, cfg Config) (*Room, *ledger) {
	t.Helper()
	if cfg.Default == call.CacheAsConfigured {
		cfg.Default = call.CacheOn
	}
	l := &ledger{}
	r, err := New(cfg, Books{End: l.end, Waits: func(string) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range r.stores {
		s.budget = time.Minute // the machine may be busy
	}
	t.Cleanup(func() { r.Close() })
	return r, l
}

var callIDs struct {
	sync.Mutex
	n int
}

func newCall(tenant, body string) *call.Call {
	callIDs.Lock()
	defer callIDs.Unlock()
	callIDs.n++
	now := time.Now()
	return &call.Call{
		ID: fmt.Sprintf("weir_%d", callIDs.n), Received: now, Deadline: now.Add(10 * time.Minute), Endpoint: call.Messages,
		Path: "/v1/messages", Header: http.Header{}, Body: []byte(body), Tenant: tenant, Owner: "key-" + tenant,
		Class: call.Normal, Stream: strings.Contains(body, `"stream":true`),
	}
}

// body is a request; n makes it another one.
func body(n int, stream bool) string {
	return fmt.Sprintf(`{"model":"m","stream":%v,"messages":[{"role":"user","content":"%d"}]}`, stream, n)
}

// messageOf is a whole answer with a text that needs no escapes, and streamOf the same as a stream.
func messageOf(text string) string {
	return fmt.Sprintf(`{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"%s"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":2}}`, text)
}

func streamOf(text string) string {
	return event("message_start", `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":1}}}`) +
		event("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`) +
		event("content_block_delta", fmt.Sprintf(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}`, text)) +
		event("content_block_stop", `{"type":"content_block_stop","index":0}`) +
		event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":2}}`) +
		event("message_stop", `{"type":"message_stop"}`)
}

func event(name, data string) string { return "event: " + name + "\ndata: " + data + "\n\n" }

// upstream answers what it is asked, and books that as the account room does.
type upstream struct {
	room  *Room
	text  func(c *call.Call) string // of the answer
	parts func(c *call.Call, whole string) []string
	pause time.Duration // before the answer, and between its parts
	fail  func(c *call.Call) (*http.Response, error)

	mu    sync.Mutex
	asked int
	gone  int // answers that nobody wanted any more
}

func (u *upstream) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.asked
}

func (u *upstream) ask(ctx context.Context, c *call.Call) (*http.Response, error) {
	u.mu.Lock()
	u.asked++
	u.mu.Unlock()
	c.Attempts = 1
	select {
	case <-time.After(u.pause):
	case <-ctx.Done():
		u.mu.Lock()
		u.gone++
		u.mu.Unlock()
		return nil, &call.Refusal{Reason: call.ClientGone, Cause: context.Cause(ctx)}
	}
	if u.fail != nil {
		if resp, err := u.fail(c); resp != nil || err != nil {
			return resp, err
		}
	}
	h := http.Header{"Content-Type": {"application/json"}, "Request-Id": {"req_" + c.ID}, "Anthropic-Organization-Id": {"org"}}
	whole := messageOf(u.text(c))
	if c.Stream {
		h.Set("Content-Type", "text/event-stream; charset=utf-8")
		whole = streamOf(u.text(c))
	}
	parts := []string{whole}
	if u.parts != nil {
		parts = u.parts(c, whole)
	}
	out, in := io.Pipe()
	go func() {
		for i, part := range parts {
			if i > 0 {
				select {
				case <-time.After(u.pause):
				case <-ctx.Done():
					u.mu.Lock()
					u.gone++
					u.mu.Unlock()
					in.CloseWithError(context.Cause(ctx))
					return
				}
			}
			if _, err := in.Write([]byte(part)); err != nil {
				return
			}
		}
		outcome := "ok"
		if strings.Join(parts, "") != whole {
			outcome = "failed_mid_stream"
		}
		u.room.Event(call.Event{
			ID: c.ID, Cached: call.CacheMiss, Outcome: outcome, Degraded: c.Degraded,
			Usage: call.Usage{Input: 5, Output: 2, Exact: outcome == "ok"}, Cost: 1000,
		})
		in.Close()
	}()
	return &http.Response{StatusCode: 200, Header: h, Body: out, ContentLength: -1}, nil
}

// get asks, and reads the whole answer.
func (u *upstream) get(ctx context.Context, c *call.Call) (string, error) {
	resp, err := u.room.Answer(ctx, c, u.ask)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return string(raw), err
}

func (u *upstream) must(t testing.TB, c *call.Call) string {
	t.Helper()
	text, err := u.get(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func echo(text string) func(*call.Call) string { return func(*call.Call) string { return text } }
