package split

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/message"
	"github.com/weir-gateway/weir/internal/sse"
)

// merged is what becomes one answer: those whose contents follow each other in
// it, and those that only cost something.
type merged struct {
	answers []answered
	spent   []answered
	text    string // in place of the contents, if joined
	joined  bool
}

// concat makes one text of the answers.
func (m *merged) concat() {
	texts := make([]string, len(m.answers))
	for i, a := range m.answers {
		texts[i] = a.text
	}
	m.text, m.joined = strings.Join(texts, "\n\n"), true
}

func (m *merged) all() []answered { return append(m.spent[:len(m.spent):len(m.spent)], m.answers...) }

func (m *merged) attempts() (n int) {
	for _, a := range m.all() {
		n += a.call.Attempts
	}
	return n
}

// waited is how long the parts waited to be sent, together.
func (m *merged) waited() (d time.Duration) {
	for _, a := range m.all() {
		d += a.call.Waited
	}
	return d
}

// message is the one answer: the last part's, with the contents and the usage of
// all. It has stopped for the reason of the first part that did not come to an
// end of its own.
func (m *merged) message() ([]byte, error) {
	out := m.answers[len(m.answers)-1].body
	content, err := m.content()
	if err != nil {
		return nil, err
	}
	stop := []byte(`"end_turn"`)
	var usage any
	for i, a := range m.all() {
		u, err := message.Get(a.body, "usage")
		if err != nil {
			return nil, err
		}
		var one any
		if json.Unmarshal(u, &one) == nil {
			usage = sum(usage, one)
		}
		reason, err := message.Get(a.body, "stop_reason")
		if err == nil && reason != nil && i >= len(m.spent) && string(stop) == `"end_turn"` {
			stop = reason
		}
	}
	total, err := json.Marshal(usage)
	if err != nil {
		return nil, err
	}
	for _, set := range []struct {
		name  string
		value []byte
	}{{"content", content}, {"usage", total}, {"stop_reason", stop}} {
		if out, err = message.Set(out, set.name, set.value); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (m *merged) content() ([]byte, error) {
	if m.joined {
		return json.Marshal([]map[string]string{{"type": "text", "text": m.text}})
	}
	all := []json.RawMessage{}
	for _, a := range m.answers {
		raw, err := message.Get(a.body, "content")
		if err != nil {
			return nil, err
		}
		var blocks []json.RawMessage
		if err := json.Unmarshal(raw, &blocks); err != nil {
			return nil, fmt.Errorf("content of an answer: %w", err)
		}
		all = append(all, blocks...)
	}
	return json.Marshal(all)
}

// sum adds the numbers of two usages, whatever they are called. Of what is no
// number, the later stays.
func sum(a, b any) any {
	switch b := b.(type) {
	case float64:
		if n, ok := a.(float64); ok {
			return n + b
		}
	case map[string]any:
		old, ok := a.(map[string]any)
		if !ok {
			return b
		}
		for name, v := range b {
			old[name] = sum(old[name], v)
		}
		return old
	case nil:
		return a
	}
	return b
}

// respond makes the answer for the client: JSON, or the stream that yields it.
// A stream whose header went out with a ping says in a comment that it was split.
func (j *job) respond(m *merged) (*http.Response, error) {
	body, err := m.message()
	if err != nil {
		return nil, &call.Refusal{Reason: call.InternalFailure, Cause: fmt.Errorf("merge: %w", err)}
	}
	h := http.Header{"Content-Type": {"application/json"}}
	size := int64(len(body))
	if j.call.Stream {
		events, err := message.Events(body)
		if err != nil {
			return nil, &call.Refusal{Reason: call.InternalFailure, Cause: fmt.Errorf("merge: %w", err)}
		}
		body = fmt.Appendf(nil, ": weir-split: %d\n\n", j.call.Parts)
		for _, e := range events {
			body = sse.Append(body, e.Name, e.Data)
		}
		h = http.Header{"Content-Type": {"text/event-stream; charset=utf-8"}, "Cache-Control": {"no-cache"}}
		size = -1
	}
	end := func(status int, outcome string) { j.room.house.End(j.call, status, outcome, "") }
	return &http.Response{
		StatusCode: http.StatusOK, Header: h, Body: &ending{Reader: bytes.NewReader(body), end: end}, ContentLength: size,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

// ending is a body that says once how its reading ended.
type ending struct {
	io.Reader
	once sync.Once
	end  func(status int, outcome string)
}

// Read implements [io.Reader].
func (b *ending) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		b.once.Do(func() { b.end(http.StatusOK, "ok") })
	}
	return n, err
}

// Close implements [io.Closer].
func (b *ending) Close() error {
	b.once.Do(func() { b.end(499, "client_gone") })
	return nil
}
