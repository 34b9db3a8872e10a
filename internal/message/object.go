package message

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// lenient accepts what an API may send, however odd: nothing is decided here by
// which of two names is read, and strings are handed on as they are.
var lenient = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// field is one member of a JSON object, its value in the bytes in which it came.
type field struct {
	name  string
	value jsontext.Value
}

// object is a JSON object whose members keep their order.
type object []field

// parse reads an object. Its values are parts of data; none can grow into its
// neighbour.
func parse(data []byte) (object, error) { return new(reader).object(data, make(object, 0, 8)) }

// reader reads one object after the other without much garbage.
type reader struct{ dec jsontext.Decoder }

// object reads an object as parse does, into the memory of another one.
func (r *reader) object(data []byte, o object) (object, error) {
	dec := &r.dec
	dec.Reset(bytes.NewBuffer(data), lenient...)
	if dec.PeekKind() != '{' {
		return nil, fmt.Errorf("%w: not a JSON object", ErrBroken)
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	o = o[:0]
	for dec.PeekKind() == '"' {
		name, err := dec.ReadValue()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBroken, err)
		}
		key := unquoted(name)
		value, err := dec.ReadValue()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBroken, err)
		}
		end := int(dec.InputOffset())
		o.set(key, data[end-len(value):end:end])
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	if rest := bytes.TrimSpace(data[dec.InputOffset():]); len(rest) > 0 {
		return nil, fmt.Errorf("%w: something follows the JSON object", ErrBroken)
	}
	return o, nil
}

// unquoted returns a string in clear, and spares an allocation for what each
// delta has.
func unquoted(value jsontext.Value) string {
	inner := value[1 : len(value)-1]
	switch string(inner) {
	case "type":
		return "type"
	case "index":
		return "index"
	case "delta":
		return "delta"
	case "text":
		return "text"
	case "text_delta":
		return "text_delta"
	}
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	out, _ := jsontext.AppendUnquote(nil, value) // what cannot be read is replaced
	return string(out)
}

// get returns a member's value, or nil.
func (o object) get(name string) jsontext.Value {
	for _, f := range o {
		if f.name == name {
			return f.value
		}
	}
	return nil
}

// text returns a member that is a string, or "".
func (o object) text(name string) string {
	value := o.get(name)
	if value.Kind() != '"' {
		return ""
	}
	return unquoted(value)
}

// set gives a member a value, at the end if it is new.
func (o *object) set(name string, value jsontext.Value) {
	for i, f := range *o {
		if f.name == name {
			(*o)[i].value = value
			return
		}
	}
	*o = append(*o, field{name, value})
}

// join puts the value of a delta behind what the member has: strings are
// joined in the bytes in which they came, so that an escape or a character
// that was cut in two is whole again. Anything else takes its place.
func (o object) join(name string, more jsontext.Value) object {
	have := o.get(name)
	if have.Kind() != '"' || more.Kind() != '"' {
		o.set(name, bytes.Clone(more))
		return o
	}
	have = append(have[:len(have)-1], more[1:]...)
	o.set(name, have)
	return o
}

// merge puts the members of a later object over those of o. A null says
// nothing about a member that is known.
func (o *object) merge(later object) {
	for _, f := range later {
		if f.value.Kind() != 'n' || o.get(f.name) == nil {
			o.set(f.name, f.value)
		}
	}
}

// append writes the object.
func (o object) append(dst []byte) []byte {
	dst = append(dst, '{')
	for i, f := range o {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst, _ = jsontext.AppendQuote(dst, f.name) // what cannot be written is replaced
		dst = append(append(dst, ':'), f.value...)
	}
	return append(dst, '}')
}
