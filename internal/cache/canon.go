package cache

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// unkeyed are the members of a request that say nothing about its answer's
// content: an answer is replayed as a stream and as JSON alike, and metadata is
// for Anthropic's own records of who asks.
var unkeyed = map[string]bool{"stream": true, "metadata": true}

// canonical writes a request in a form that is the same for equal values and
// no others: members are sorted, numbers and strings are written by value, and
// each part tells its own length.
func canonical(body []byte) ([]byte, error) {
	w := canon{dec: jsontext.NewDecoder(bytes.NewBuffer(body)), out: make([]byte, 0, len(body)+len(body)/4)}
	if err := w.value(true); err != nil {
		return nil, err
	}
	if _, err := w.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errBehind
	}
	return w.out, nil
}

var (
	errBehind = errors.New("there is something behind the value")
	errNumber = errors.New("a number whose exponent has too many digits")
)

// canon writes the values that dec reads. Recursion is bounded by the decoder,
// which refuses what is nested too deep.
type canon struct {
	dec *jsontext.Decoder
	out []byte
}

func (w *canon) value(top bool) error {
	switch kind := w.dec.PeekKind(); kind {
	case '{':
		return w.object(top)
	case '[':
		return w.array()
	case '"':
		raw, err := w.dec.ReadValue()
		if err != nil {
			return err
		}
		return w.text(raw)
	case '0':
		raw, err := w.dec.ReadValue()
		if err != nil {
			return err
		}
		return w.number(string(raw))
	default:
		if _, err := w.dec.ReadToken(); err != nil {
			return err
		}
		w.out = append(w.out, byte(kind))
		return nil
	}
}

// text writes a string behind its length, which is not known before it is
// unquoted.
func (w *canon) text(quoted []byte) error {
	at := len(w.out)
	w.out = append(w.out, '"', 0, 0, 0, 0, 0, 0, 0, 0)
	var err error
	if w.out, err = jsontext.AppendUnquote(w.out, quoted); err != nil {
		return err
	}
	binary.BigEndian.PutUint64(w.out[at+1:], uint64(len(w.out)-at-9))
	return nil
}

// number writes digits and a power of ten, without zeros at either end.
func (w *canon) number(s string) error {
	s, minus := strings.CutPrefix(s, "-")
	mantissa, exponent := s, ""
	if at := strings.IndexAny(s, "eE"); at >= 0 {
		mantissa, exponent = s[:at], s[at+1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	power := int64(-len(fraction))
	if exponent != "" {
		n, err := strconv.ParseInt(exponent, 10, 48)
		if err != nil && digits != "" {
			return errNumber
		}
		power += n
	}
	short := strings.TrimRight(digits, "0")
	power += int64(len(digits) - len(short))
	if short == "" {
		power, minus = 0, false // zero, however it is written
	}
	w.out = append(w.out, '0')
	if minus {
		w.out = append(w.out, '-')
	}
	w.out = append(w.out, short...)
	w.out = strconv.AppendInt(append(w.out, 'e'), power, 10)
	w.out = append(w.out, ';')
	return nil
}

func (w *canon) array() error {
	if _, err := w.dec.ReadToken(); err != nil {
		return err
	}
	w.out = append(w.out, '[')
	for w.dec.PeekKind() != ']' {
		if err := w.value(false); err != nil {
			return err
		}
	}
	w.out = append(w.out, ']')
	_, err := w.dec.ReadToken()
	return err
}

// object writes members as they come, and puts them in order if they are not.
func (w *canon) object(top bool) error {
	if _, err := w.dec.ReadToken(); err != nil {
		return err
	}
	w.out = append(w.out, '{')
	begin := len(w.out)
	var members []member
	for w.dec.PeekKind() != '}' {
		token, err := w.dec.ReadToken()
		if err != nil {
			return err
		}
		name := token.String()
		if top && unkeyed[name] {
			if err := w.dec.SkipValue(); err != nil {
				return err
			}
			continue
		}
		at := len(w.out)
		w.out = binary.BigEndian.AppendUint64(w.out, uint64(len(name)))
		w.out = append(w.out, name...)
		if err := w.value(false); err != nil {
			return err
		}
		members = append(members, member{name, at, len(w.out)})
	}
	if !slices.IsSortedFunc(members, byName) {
		slices.SortFunc(members, byName)
		sorted := make([]byte, 0, len(w.out)-begin)
		for _, m := range members {
			sorted = append(sorted, w.out[m.from:m.to]...)
		}
		copy(w.out[begin:], sorted)
	}
	w.out = append(w.out, '}')
	_, err := w.dec.ReadToken()
	return err
}

// member is where a member of an object stands in what was written.
type member struct {
	name     string
	from, to int
}

func byName(a, b member) int { return strings.Compare(a.name, b.name) }
