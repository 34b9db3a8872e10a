package sim

import (
	"cmp"
	"encoding/json"
	"strconv"
)

// The JSON of answers is put together by hand: it is most of what the server
// does, and the order of the fields is the API's.

// json returns the whole answer as one document.
func (a *answer) json() []byte {
	b := make([]byte, 0, 1024+len(filler))
	b = a.head(b)
	b = append(b, `,"content":[`...)
	for i, block := range a.blocks {
		if i > 0 {
			b = append(b, ',')
		}
		b = block.json(b)
	}
	b = append(b, `],`...)
	b = a.ending(b)
	b = append(b, `,"usage":`...)
	b = a.usage(b, a.output, true)
	return append(b, '}')
}

// head begins the message object.
func (a *answer) head(b []byte) []byte {
	b = append(b, `{"model":`...)
	b = quoted(b, a.req.model.ID)
	b = append(b, `,"id":`...)
	b = quoted(b, a.id)
	return append(b, `,"type":"message","role":"assistant"`...)
}

// ending writes why the answer stopped.
func (a *answer) ending(b []byte) []byte {
	b = append(b, `"stop_reason":`...)
	b = quoted(b, a.stop)
	b = append(b, `,"stop_sequence":`...)
	if a.stopWord == "" {
		return append(b, "null"...)
	}
	return quoted(b, a.stopWord)
}

// json writes a finished content block.
func (k answerBlock) json(b []byte) []byte {
	switch k.kind {
	case "thinking":
		b = append(b, `{"type":"thinking","thinking":`...)
		b = quoted(b, k.text)
		b = append(b, `,"signature":`...)
		b = quoted(b, k.sign)
	case "tool_use":
		b = append(b, `{"type":"tool_use","id":`...)
		b = quoted(b, k.id)
		b = append(b, `,"name":`...)
		b = quoted(b, k.name)
		b = append(b, `,"input":`...)
		b = append(b, k.text...)
	default:
		b = append(b, `{"type":"text","text":`...)
		b = quoted(b, k.text)
	}
	return append(b, '}')
}

// start writes a content block as it begins.
func (k answerBlock) start(b []byte) []byte {
	switch k.kind {
	case "thinking":
		return append(b, `{"type":"thinking","thinking":"","signature":""}`...)
	case "tool_use":
		empty := k
		empty.text = "{}"
		return empty.json(b)
	}
	return append(b, `{"type":"text","text":""}`...)
}

// usage writes the usage with so many output tokens. details is for the end of
// the answer only.
func (a *answer) usage(b []byte, output int, details bool) []byte {
	field := func(name string, n int) {
		b = append(b, name...)
		b = strconv.AppendInt(b, int64(n), 10)
	}
	c := a.cache
	field(`{"input_tokens":`, c.uncached(a.req.total))
	field(`,"cache_creation_input_tokens":`, c.write5m+c.write1h)
	field(`,"cache_read_input_tokens":`, c.read)
	field(`,"cache_creation":{"ephemeral_5m_input_tokens":`, c.write5m)
	field(`,"ephemeral_1h_input_tokens":`, c.write1h)
	field(`},"output_tokens":`, output)
	if details && a.req.thinking > 0 {
		field(`,"output_tokens_details":{"thinking_tokens":`, a.thought)
		b = append(b, '}')
	}
	b = append(b, `,"service_tier":`...)
	b = quoted(b, cmp.Or(a.tier, "standard"))
	if a.req.speed != "" {
		b = append(b, `,"speed":`...)
		b = quoted(b, a.req.speed)
	}
	b = append(b, `,"inference_geo":`...)
	if a.req.geo == "" {
		b = append(b, `"global"`...)
	} else {
		b = quoted(b, a.req.geo)
	}
	return append(b, '}')
}

// quoted writes s as a JSON string.
func quoted(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			raw, err := json.Marshal(s)
			if err != nil {
				return append(b, `""`...) // strings always marshal
			}
			return append(b, raw...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
