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
	how     call.Merge
	answers []answered
	spent   []answered
}

// give settles for the answers as they are: one text after the other, or each a
// block of its own where programs read them.
func (m *merged) give(format bool) {
	if m.how = call.MergeConcat; format {
		m.how = call.MergeList
	}
}

func (m *merged) all() []answered { return append(m.spent[:len(m.spent):len(m.spent)], m.answers...) }

// tell sets what the door says of the whole call: what is true of all that was
// asked, and of the last answer.
func (m *merged) tell(c *call.Call, took time.Duration) {
	c.Attempts, c.Waited, c.Cached = 0, 0, call.CacheHit
	for _, a := range m.all() {
		c.Attempts += a.call.Attempts
		c.Waited += a.call.Waited
		if a.call.Cached != call.CacheHit {
			c.Cached = a.call.Cached
		}
		c.Headroom, c.Payer = a.call.Headroom, a.call.Payer
		c.MaxTokens, c.MaxTokensAsked = a.call.MaxTokens, a.call.MaxTokensAsked
	}
	c.Waited = min(c.Waited, took)
}

// ownEnd is the reason for which an answer stops that is whole.
const ownEnd = "end_turn"

// reply is what is looked at of an answer.
type reply struct {
	Content      []json.RawMessage
	Usage        any
	StopReason   json.RawMessage `json:"stop_reason"`
	StopSequence json.RawMessage `json:"stop_sequence"`
}

// stops reports whether an answer came to an end that is not its own.
func (r *reply) stops() bool {
	return len(r.StopReason) > 0 && string(r.StopReason) != `"`+ownEnd+`"`
}

// message is the one answer: the last part's, with the contents and the usage of
// all. It has stopped for the reason of the first part that did not come to an
// end of its own.
func (m *merged) message() ([]byte, error) {
	var (
		usage   any
		content = []json.RawMessage{}
		parts   []part
		stop    reply
	)
	for i, a := range m.all() {
		var one reply
		if err := json.Unmarshal(a.body, &one); err != nil {
			return nil, fmt.Errorf("answer to a part: %w", err)
		}
		usage = sum(usage, one.Usage)
		if i < len(m.spent) {
			continue
		}
		if stop.StopReason == nil || one.stops() && !stop.stops() {
			stop = one
		}
		blocks := uncited(one.Content)
		content = append(content, blocks...)
		parts = append(parts, part{ID: a.call.ID, Blocks: len(blocks), Stop: one.StopReason})
	}
	members := []member{
		{"stop_sequence", orNull(stop.StopSequence)}, {"stop_reason", orNull(stop.StopReason)}, {"usage", usage}, {"content", content},
	}
	switch m.how {
	case call.MergeConcat:
		members[3].value = []map[string]string{{"type": "text", "text": m.text()}}
	case call.MergeList:
		members = append(members, member{"weir", map[string]any{"parts": parts}})
	}
	return set(m.answers[len(m.answers)-1].body, members)
}

// part says of an answer that stands in a list which blocks are its own, and by
// which weir-request-id it was asked for.
type part struct {
	ID     string          `json:"request_id"`
	Blocks int             `json:"blocks"`
	Stop   json.RawMessage `json:"stop_reason"`
}

type member struct {
	name  string
	value any
}

// set gives an object other members.
func set(object []byte, members []member) ([]byte, error) {
	for _, m := range members {
		raw, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		if object, err = message.Set(object, m.name, raw); err != nil {
			return nil, err
		}
	}
	return object, nil
}

func orNull(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("null")
	}
	return raw
}

// text is one text of the answers.
func (m *merged) text() string {
	texts := make([]string, len(m.answers))
	for i, a := range m.answers {
		texts[i] = a.text
	}
	return strings.Join(texts, "\n\n")
}

// uncited takes the citations out of blocks: their places are those in a part,
// not in the text that the caller knows.
func uncited(blocks []json.RawMessage) []json.RawMessage {
	for i, b := range blocks {
		if cited, err := message.Get(b, "citations"); err != nil || cited == nil {
			continue
		}
		if plain, err := message.Set(b, "citations", []byte("null")); err == nil {
			blocks[i] = plain
		}
	}
	return blocks
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

// respond makes the answer for the client, with the headers of the last part's:
// JSON, or the stream that yields it.
// A stream whose header went out with a ping says in a comment that it was split.
func (j *job) respond(m *merged) (*http.Response, error) {
	body, err := m.message()
	if err != nil {
		return nil, &call.Refusal{Reason: call.InternalFailure, Cause: fmt.Errorf("merge: %w", err)}
	}
	h := m.answers[len(m.answers)-1].header.Clone()
	h.Del("Content-Encoding")
	h.Del("Content-Length")
	h.Set("Content-Type", "application/json")
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
		h.Set("Content-Type", "text/event-stream; charset=utf-8")
		h.Set("Cache-Control", "no-cache")
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
