package message

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Event is one event of a stream. Data has no line ends.
type Event struct {
	Name string
	Data []byte
}

// chunk is how many bytes of text one delta carries.
const chunk = 512

// atEnd are the members of a message that its stream tells at its end, in the
// delta of message_delta; they begin as null.
var atEnd = []string{"stop_reason", "stop_sequence", "stop_details", "container"}

// Events returns the events of a stream that yields the message. It returns
// [ErrBroken] for what is not a message.
func Events(message []byte) ([]Event, error) {
	clean := jsontext.Value(bytes.Clone(message))
	if err := clean.Compact(lenient...); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	whole, err := parse(clean)
	if err != nil {
		return nil, err
	}
	blocks, err := Elements(whole.get("content"))
	if err != nil {
		return nil, err
	}
	head, end, err := split(whole)
	if err != nil {
		return nil, err
	}
	out := append(make([]Event, 0, 3+len(blocks)*3+len(clean)/chunk), event("message_start", field{"message", head.append(nil)}))
	for i, value := range blocks {
		if out, err = appendBlock(out, i, value); err != nil {
			return nil, err
		}
	}
	return append(out, event("message_delta", end...), event("message_stop")), nil
}

// split parts a message into what is told at its beginning and what at its end.
func split(whole object) (head, end object, err error) {
	head = append(head, whole...)
	head.set("content", jsontext.Value("[]"))
	delta := object{}
	for _, name := range atEnd {
		if value := whole.get(name); value != nil {
			head.set(name, jsontext.Value("null"))
			delta.set(name, value)
		}
	}
	end = object{{"delta", delta.append(nil)}}
	if usage := whole.get("usage"); usage.Kind() == '{' {
		begun, err := parse(usage)
		if err != nil {
			return nil, nil, err
		}
		if begun.get("output_tokens").Kind() == '0' {
			begun.set("output_tokens", jsontext.Value("0"))
		}
		for _, name := range []string{"output_tokens_details", "server_tool_use"} {
			if begun.get(name) != nil {
				begun.set(name, jsontext.Value("null"))
			}
		}
		head.set("usage", begun.append(nil))
		end.set("usage", usage)
	}
	if managed := whole.get("context_management"); managed != nil {
		head = without(head, "context_management")
		end.set("context_management", managed)
	}
	return head, end, nil
}

func without(o object, names ...string) object {
	out := make(object, 0, len(o))
	for _, f := range o {
		keep := true
		for _, name := range names {
			keep = keep && f.name != name
		}
		if keep {
			out = append(out, f)
		}
	}
	return out
}

// event writes an event with the given members behind its type.
func event(name string, more ...field) Event {
	return Event{name, append(object{{"type", jsontext.Value(`"` + name + `"`)}}, more...).append(nil)}
}

// appendBlock appends the events of one block: what grows by deltas begins
// empty, a block that has nothing of that kind begins whole.
func appendBlock(out []Event, i int, value jsontext.Value) ([]Event, error) {
	fields, err := parse(value)
	if err != nil {
		return nil, err
	}
	at := field{"index", strconv.AppendInt(nil, int64(i), 10)}
	var deltas []object
	grow := func(kind, name string, part jsontext.Value) {
		deltas = append(deltas, object{{"type", jsontext.Value(`"` + kind + `"`)}, {name, part}})
	}
	kind := fields.text("type")
	for _, f := range append(object(nil), fields...) {
		switch {
		case f.name == "text" && kind == "text" && f.value.Kind() == '"',
			f.name == "thinking" && kind == "thinking" && f.value.Kind() == '"':
			fields.set(f.name, jsontext.Value(`""`))
			for part := range parts(f.value) {
				grow(f.name+"_delta", f.name, part)
			}
		case f.name == "signature" && kind == "thinking" && f.value.Kind() == '"' && len(f.value) > 2:
			fields.set(f.name, jsontext.Value(`""`))
			grow("signature_delta", f.name, f.value)
		case f.name == "citations" && kind == "text" && f.value.Kind() == '[':
			cited, err := Elements(f.value)
			if err != nil {
				return nil, err
			}
			fields.set(f.name, jsontext.Value("[]"))
			for _, citation := range cited {
				grow("citations_delta", "citation", citation)
			}
		case f.name == "input" && strings.HasSuffix(kind, "tool_use") && f.value.Kind() == '{' && len(f.value) > 2:
			quoted, err := jsontext.AppendQuote(nil, f.value)
			if err != nil {
				return nil, fmt.Errorf("%w: the input of a tool: %w", ErrBroken, err)
			}
			fields.set(f.name, jsontext.Value("{}"))
			for part := range parts(quoted) {
				grow("input_json_delta", "partial_json", part)
			}
		}
	}
	out = append(out, event("content_block_start", at, field{"content_block", fields.append(nil)}))
	for _, d := range deltas {
		out = append(out, event("content_block_delta", at, field{"delta", d.append(nil)}))
	}
	return append(out, event("content_block_stop", at)), nil
}

// parts cuts a quoted string into quoted strings of about a chunk each.
func parts(quoted jsontext.Value) func(yield func(jsontext.Value) bool) {
	return func(yield func(jsontext.Value) bool) {
		for rest := quoted[1 : len(quoted)-1]; len(rest) > 0; {
			n := cut(rest)
			part := append(append(append(make(jsontext.Value, 0, n+2), '"'), rest[:n]...), '"')
			if rest = rest[n:]; !yield(part) {
				return
			}
		}
	}
}

// cut finds the end of the first chunk: not in the middle of a character, of an
// escape, or between two escapes that are one character.
func cut(inner []byte) int {
	n := 0
	for n < len(inner) && n < chunk {
		n += width(inner[n:])
	}
	return min(n, len(inner))
}

// width is the length of the first character.
func width(inner []byte) int {
	switch {
	case inner[0] != '\\':
		_, n := utf8.DecodeRune(inner)
		return n
	case len(inner) < 6 || inner[1] != 'u':
		return 2
	}
	surrogate := (inner[2] == 'd' || inner[2] == 'D') && inner[3] >= '8'
	if surrogate && len(inner) >= 12 && inner[6] == '\\' && inner[7] == 'u' {
		return 12
	}
	return 6
}
