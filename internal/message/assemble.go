// Package message turns the events of a stream of the Messages API into the
// message that the API would have answered without streaming, and back.
//
// Values are handed on in the bytes in which they came. What the package does
// not know stays: fields, blocks and deltas that came after it was written.
package message

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// ErrBroken says that something is not what the Messages API sends.
var ErrBroken = errors.New("not a message of the Messages API")

// ErrUnfinished says that a message is asked for before its message_stop came.
var ErrUnfinished = errors.New("the stream has not ended with message_stop")

// StreamError is an error event. Body is its data: the body of an error answer,
// as the API sends it.
type StreamError struct {
	Type, Message string
	Body          []byte
}

// Error names the type and the message.
func (e *StreamError) Error() string { return "error event: " + e.Type + ": " + e.Message }

// Assembler puts a message together from the events of its stream. The zero
// Assembler is ready to use, for one stream and by one goroutine. It keeps
// about as much memory as the message is long.
type Assembler struct {
	head   object // the message, without its content
	usage  object
	blocks []block
	size   int
	begun  bool
	done   bool

	// Of the delta that is being read.
	reader reader
	event  object
	inner  object
}

// block is one content block under way.
type block struct {
	fields object
	input  []byte // the partial JSON, still in the quoted form of a string
	cited  []byte // the citations, each with a comma before it
}

// Done reports whether the message is whole: message_stop has come.
func (a *Assembler) Done() bool { return a.done }

// Size is how many bytes of events the Assembler has been fed with.
func (a *Assembler) Size() int { return a.size }

// Add takes the next event: its name (or "", then its data tells) and its
// whole data, which it does not keep. It returns a [*StreamError] for an error
// event, and [ErrBroken] for what cannot be part of a message; after either the
// message does not become whole. Pings and events that it does not know are
// passed over, as the API asks for.
func (a *Assembler) Add(name string, data []byte) error {
	if a.done || name == "ping" {
		return nil
	}
	a.size += len(data)
	switch name {
	case "", "content_block_delta", "message_start", "content_block_start", "message_delta", "message_stop", "error":
	default:
		return nil
	}
	if name == "content_block_delta" { // it is copied where it is joined
		return a.delta(data)
	}
	data = bytes.Clone(data)
	event, err := parse(data)
	if err != nil {
		return err
	}
	if name == "" {
		name = event.text("type")
	}
	if name == "error" {
		return streamError(event, data)
	}
	if name == "message_start" {
		return a.start(event)
	}
	if !a.begun {
		return errEarly(name)
	}
	switch name {
	case "content_block_start":
		return a.open(event)
	case "content_block_delta": // its data alone told
		return a.delta(data)
	case "message_delta":
		return a.end(event)
	case "message_stop":
		a.done = true
	}
	return nil
}

func errEarly(name string) error {
	return fmt.Errorf("%w: %s before message_start", ErrBroken, name)
}

func streamError(event object, data []byte) error {
	e := &StreamError{Type: "api_error", Body: data}
	if inner, err := parse(event.get("error")); err == nil {
		e.Type, e.Message = inner.text("type"), inner.text("message")
	}
	return e
}

// start takes the message as it begins.
func (a *Assembler) start(event object) error {
	if a.begun {
		return fmt.Errorf("%w: a second message_start", ErrBroken)
	}
	message, err := parse(event.get("message"))
	if err != nil {
		return err
	}
	a.begun = true
	a.head = message
	if usage := message.get("usage"); usage.Kind() == '{' {
		if a.usage, err = parse(usage); err != nil {
			return err
		}
	}
	content, err := Elements(message.get("content"))
	if err != nil {
		return err
	}
	for _, value := range content { // a message that begins with content: none does today
		fields, err := parse(value)
		if err != nil {
			return err
		}
		a.blocks = append(a.blocks, block{fields: fields})
	}
	return nil
}

// open takes a block as it begins.
func (a *Assembler) open(event object) error {
	if i, err := index(event); err != nil || i != len(a.blocks) {
		return fmt.Errorf("%w: block %s begins after %d others", ErrBroken, event.get("index"), len(a.blocks))
	}
	fields, err := parse(event.get("content_block"))
	if err != nil {
		return err
	}
	a.blocks = append(a.blocks, block{fields: fields})
	return nil
}

// delta adds to a block.
func (a *Assembler) delta(data []byte) (err error) {
	if !a.begun {
		return errEarly("content_block_delta")
	}
	if a.event, err = a.reader.object(data, a.event); err != nil {
		return err
	}
	event := a.event
	i, err := index(event)
	if err != nil || i < 0 || i >= len(a.blocks) {
		return fmt.Errorf("%w: a delta for block %s, which has not begun", ErrBroken, event.get("index"))
	}
	if a.inner, err = a.reader.object(event.get("delta"), a.inner); err != nil {
		return err
	}
	delta := a.inner
	b := &a.blocks[i]
	kind := delta.text("type")
	if part := delta.get("partial_json"); kind == "input_json_delta" && part.Kind() == '"' {
		b.input = append(b.input, part[1:len(part)-1]...)
		return nil
	}
	if citation := delta.get("citation"); kind == "citations_delta" && citation != nil {
		b.cited = append(append(b.cited, ','), citation...)
		return nil
	}
	for _, f := range delta {
		if f.name != "type" {
			b.fields = b.fields.join(f.name, f.value)
		}
	}
	return nil
}

// end takes what is known only at the end: why the message stopped, and what
// it has used in all.
func (a *Assembler) end(event object) error {
	for _, f := range event {
		switch f.name {
		case "type":
		case "delta":
			delta, err := parse(f.value)
			if err != nil {
				return err
			}
			for _, d := range delta { // null is a final word, but not about the container
				if d.name != "container" || d.value.Kind() != 'n' || a.head.get("container") == nil {
					a.head.set(d.name, d.value)
				}
			}
		case "usage":
			if f.value.Kind() != '{' {
				continue
			}
			usage, err := parse(f.value)
			if err != nil {
				return err
			}
			if a.usage == nil && a.head.get("usage").Kind() != '{' {
				a.head.set("usage", jsontext.Value("{}"))
			}
			a.usage.merge(usage)
		default:
			a.head.set(f.name, f.value)
		}
	}
	return nil
}

// Message returns the message, as the API would have answered it without
// streaming: JSON without line ends between its parts.
func (a *Assembler) Message() ([]byte, error) {
	if !a.done {
		return nil, ErrUnfinished
	}
	content := []byte{'['}
	for i := range a.blocks {
		if i > 0 {
			content = append(content, ',')
		}
		fields, err := a.blocks[i].whole()
		if err != nil {
			return nil, err
		}
		content = fields.append(content)
	}
	head := append(object(nil), a.head...)
	head.set("content", append(content, ']'))
	if a.head.get("usage").Kind() == '{' {
		head.set("usage", a.usage.append(nil))
	}
	out := jsontext.Value(head.append(make([]byte, 0, len(content)+1024)))
	if err := out.Compact(lenient...); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return out, nil
}

// whole returns the block with all that its deltas have brought.
func (b *block) whole() (object, error) {
	fields := append(object(nil), b.fields...)
	if len(b.input) > 0 {
		input, err := input(b.input)
		if err != nil {
			return nil, err
		}
		fields.set("input", input)
	}
	if len(b.cited) > 0 {
		before, err := Elements(fields.get("citations"))
		if err != nil {
			before = nil // null, or missing
		}
		list := []byte{'['}
		for _, value := range before {
			list = append(append(list, value...), ',')
		}
		fields.set("citations", append(append(list, b.cited[1:]...), ']'))
	}
	return fields, nil
}

// input reads a tool's input out of the joined parts of its JSON. Where the
// answer was cut off in the middle of it, what is whole of it stays.
func input(quoted []byte) (jsontext.Value, error) {
	text, err := jsontext.AppendUnquote(nil, append(append([]byte{'"'}, quoted...), '"'))
	if err != nil {
		return nil, fmt.Errorf("%w: the input of a tool: %w", ErrBroken, err)
	}
	if value := jsontext.Value(text); value.IsValid(lenient...) {
		return value, nil
	}
	return closed(text), nil
}

// closed ends a JSON text that breaks off, behind its last whole value.
func closed(text []byte) jsontext.Value {
	dec := jsontext.NewDecoder(bytes.NewBuffer(text), lenient...)
	end, open := 0, ""
	for {
		token, err := dec.ReadToken()
		if err != nil {
			break
		}
		depth := dec.StackDepth()
		kind, n := dec.StackIndex(depth)
		if kind == '{' && token.Kind() != '{' && n%2 != 0 {
			continue // a name whose value has not come
		}
		end = int(dec.InputOffset())
		var b strings.Builder
		for d := depth; d > 0; d-- {
			if kind, _ := dec.StackIndex(d); kind == '{' {
				b.WriteByte('}')
			} else {
				b.WriteByte(']')
			}
		}
		open = b.String()
	}
	if end == 0 {
		return jsontext.Value("{}")
	}
	return append(text[:end:end], open...)
}

func index(event object) (int, error) { return strconv.Atoi(string(event.get("index"))) }
