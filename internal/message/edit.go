package message

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Get returns a member of a JSON object in the bytes in which it stands there,
// or nil.
func Get(object []byte, name string) ([]byte, error) {
	at, _, err := find(object, name)
	if err != nil || at.begin == 0 {
		return nil, err
	}
	return object[at.begin:at.end:at.end], nil
}

// Set returns a copy of a JSON object in which a member has another value, or
// is there at all: as the first, if it was not. No other byte changes.
func Set(object []byte, name string, value []byte) ([]byte, error) {
	parts, err := Parts(object, name, value)
	if err != nil {
		return nil, err
	}
	return slices.Concat(parts...), nil
}

// Parts returns what [Set] does in parts that follow each other: all but what is
// new are parts of object.
func Parts(object []byte, name string, value []byte) ([][]byte, error) {
	at, inside, err := find(object, name)
	if err != nil {
		return nil, err
	}
	if at.begin > 0 {
		return [][]byte{object[:at.begin], value, object[at.end:]}, nil
	}
	member, err := jsontext.AppendQuote(nil, name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	member = append(append(member, ':'), value...)
	if inside.end > 0 { // there are others
		member = append(member, ',')
	}
	return [][]byte{object[:inside.begin], member, object[inside.begin:]}, nil
}

// span is where something stands. A zero begin or end is nowhere.
type span struct{ begin, end int }

// find looks for a member's value, and for what stands inside the object: its
// end is 0 if that is nothing.
func find(object []byte, name string) (value, inside span, err error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(object), lenient...)
	if dec.PeekKind() != '{' {
		return value, inside, fmt.Errorf("%w: not a JSON object", ErrBroken)
	}
	if _, err := dec.ReadToken(); err != nil {
		return value, inside, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	inside.begin = int(dec.InputOffset())
	for dec.PeekKind() == '"' {
		inside.end = len(object)
		word, err := dec.ReadToken()
		if err != nil {
			return value, inside, fmt.Errorf("%w: %w", ErrBroken, err)
		}
		if word.String() != name {
			if err := dec.SkipValue(); err != nil {
				return value, inside, fmt.Errorf("%w: %w", ErrBroken, err)
			}
			continue
		}
		raw, err := dec.ReadValue()
		if err != nil {
			return value, inside, fmt.Errorf("%w: %w", ErrBroken, err)
		}
		end := int(dec.InputOffset())
		return span{end - len(raw), end}, inside, nil
	}
	if _, err := dec.ReadToken(); err != nil { // the object's end
		return value, inside, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return value, inside, nil
}

// Elements returns the values of a JSON array, in the bytes in which they stand
// there.
func Elements(array []byte) ([][]byte, error) {
	list, err := spans(array)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, len(list))
	for i, at := range list {
		out[i] = array[at.begin:at.end:at.end]
	}
	return out, nil
}

// Replace returns a copy of a JSON array in which f's results stand in the place
// of its elements; those for which it returns nil stay. Where all stay, it is
// array itself. No other byte changes.
func Replace(array []byte, f func(i int, element []byte) []byte) ([]byte, error) {
	list, err := spans(array)
	if err != nil {
		return nil, err
	}
	out, from := []byte(nil), 0
	for i, at := range list {
		if next := f(i, array[at.begin:at.end:at.end]); next != nil {
			out, from = append(append(out, array[from:at.begin]...), next...), at.end
		}
	}
	if from == 0 {
		return array, nil
	}
	return append(out, array[from:]...), nil
}

// Cut returns a copy of a JSON array without the elements from one index to
// before another, which is not behind the last. No other byte changes.
func Cut(array []byte, from, to int) ([]byte, error) {
	list, err := spans(array)
	if err != nil {
		return nil, err
	}
	if from < 0 || from >= to || to >= len(list) {
		return nil, fmt.Errorf("%w: no elements %d to %d of %d", ErrBroken, from, to, len(list))
	}
	return slices.Concat(array[:list[from].begin], array[list[to].begin:]), nil
}

// spans says where the values of an array stand.
func spans(array []byte) ([]span, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(array), lenient...)
	if dec.PeekKind() != '[' {
		return nil, fmt.Errorf("%w: not a JSON array", ErrBroken)
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	var out []span
	for dec.PeekKind() != ']' {
		value, err := dec.ReadValue()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBroken, err)
		}
		end := int(dec.InputOffset())
		out = append(out, span{end - len(value), end})
	}
	return out, nil
}
