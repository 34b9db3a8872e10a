package sim

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The kinds of a value.
const (
	kindNull   = 'n'
	kindBool   = 'b'
	kindNumber = '0'
	kindString = 's'
	kindArray  = 'a'
	kindObject = 'o'
)

// value is a parsed JSON value. Strings without escapes share memory with the
// document, so that a body of 32 MB costs one copy. The zero value is absent.
type value struct {
	kind byte
	raw  string // as written
	str  string // of a string, unescaped
	keys []string
	list []value // elements, or the members behind keys
}

// get returns the member key of an object, or an absent value. The last of
// several members of one name wins.
func (v *value) get(key string) *value {
	for i := len(v.keys) - 1; i >= 0; i-- {
		if v.keys[i] == key {
			return &v.list[i]
		}
	}
	return &absent
}

// absent is what get returns for a member that is not there. Nobody writes to
// a value after it was parsed.
var absent value

// given reports whether the value is there and not null.
func (v *value) given() bool { return v.kind != 0 && v.kind != kindNull }

// text returns a string's content, or "".
func (v *value) text() string { return v.str }

// isTrue reports whether the value is true.
func (v *value) isTrue() bool { return v.kind == kindBool && v.raw == "true" }

// integer returns a whole number.
func (v *value) integer() (int64, bool) {
	if v.kind != kindNumber {
		return 0, false
	}
	n, err := strconv.ParseInt(v.raw, 10, 64)
	return n, err == nil
}

// maxNesting bounds the recursion of the parser.
const maxNesting = 512

// parseJSON reads one JSON document, strictly as RFC 8259 has it.
func parseJSON(text string) (value, error) {
	if !utf8.ValidString(text) {
		return value{}, errors.New("it is not valid UTF-8")
	}
	p := parser{in: text}
	v, err := p.value(0)
	if err != nil {
		return value{}, err
	}
	p.space()
	if p.at < len(p.in) {
		return value{}, p.unexpected("the end")
	}
	return v, nil
}

type parser struct {
	in string
	at int
}

func (p *parser) space() {
	for p.at < len(p.in) {
		switch p.in[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

// peek returns the next byte that is not space, or 0 at the end.
func (p *parser) peek() byte {
	p.space()
	if p.at == len(p.in) {
		return 0
	}
	return p.in[p.at]
}

func (p *parser) unexpected(want string) error {
	if p.at >= len(p.in) {
		return fmt.Errorf("it ends at byte %d, expected %s", p.at, want)
	}
	r, _ := utf8.DecodeRuneInString(p.in[p.at:])
	return fmt.Errorf("unexpected %q at byte %d, expected %s", r, p.at, want)
}

func (p *parser) value(depth int) (v value, err error) {
	if depth > maxNesting {
		return v, fmt.Errorf("it is nested deeper than %d", maxNesting)
	}
	c := p.peek()
	start := p.at
	switch {
	case c == '{':
		v.kind = kindObject
		err = p.object(&v, depth)
	case c == '[':
		v.kind = kindArray
		err = p.array(&v, depth)
	case c == '"':
		v.kind = kindString
		v.str, err = p.string()
	case c == '-' || c >= '0' && c <= '9':
		v.kind = kindNumber
		err = p.number()
	default:
		v.kind, err = p.literal()
	}
	v.raw = p.in[start:p.at]
	return v, err
}

func (p *parser) literal() (byte, error) {
	for _, word := range [...]string{"null", "true", "false"} {
		if strings.HasPrefix(p.in[p.at:], word) {
			p.at += len(word)
			if word == "null" {
				return kindNull, nil
			}
			return kindBool, nil
		}
	}
	return 0, p.unexpected("a value")
}

func (p *parser) object(v *value, depth int) error {
	p.at++
	if p.peek() == '}' {
		p.at++
		return nil
	}
	v.keys, v.list = make([]string, 0, 4), make([]value, 0, 4)
	for {
		if p.peek() != '"' {
			return p.unexpected("a key")
		}
		key, err := p.string()
		if err != nil {
			return err
		}
		if p.peek() != ':' {
			return p.unexpected("':'")
		}
		p.at++
		member, err := p.value(depth + 1)
		if err != nil {
			return err
		}
		v.keys = append(v.keys, key)
		v.list = append(v.list, member)
		if done, err := p.more('}'); done || err != nil {
			return err
		}
	}
}

func (p *parser) array(v *value, depth int) error {
	p.at++
	if p.peek() == ']' {
		p.at++
		return nil
	}
	for {
		element, err := p.value(depth + 1)
		if err != nil {
			return err
		}
		v.list = append(v.list, element)
		if done, err := p.more(']'); done || err != nil {
			return err
		}
	}
}

// more passes a comma, or the closing bracket.
func (p *parser) more(closing byte) (done bool, err error) {
	switch p.peek() {
	case ',':
		p.at++
		return false, nil
	case closing:
		p.at++
		return true, nil
	}
	return false, p.unexpected("',' or '" + string(closing) + "'")
}

func (p *parser) number() error {
	start := p.at
	for p.at < len(p.in) && strings.IndexByte("+-.0123456789eE", p.in[p.at]) >= 0 {
		p.at++
	}
	word := p.in[start:p.at]
	digits := strings.TrimPrefix(word, "-")
	leading := len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9'
	bare := strings.Contains(word+" ", ". ") || strings.Contains(word, ".e") || strings.Contains(word, ".E")
	if _, err := strconv.ParseFloat(word, 64); err != nil && !errors.Is(err, strconv.ErrRange) || leading || bare ||
		digits[0] < '0' || digits[0] > '9' {
		return fmt.Errorf("%q at byte %d is not a number", word, start)
	}
	return nil
}

// string reads a quoted string and returns its content.
func (p *parser) string() (string, error) {
	p.at++
	start := p.at
	for ; p.at < len(p.in); p.at++ {
		switch c := p.in[p.at]; {
		case c == '"':
			p.at++
			return p.in[start : p.at-1], nil
		case c == '\\':
			return p.escaped(start)
		case c < ' ':
			return "", fmt.Errorf("control character %#02x in a string at byte %d", c, p.at)
		}
	}
	return "", p.unexpected(`'"'`)
}

// escaped reads the rest of a string that has an escape at p.at.
func (p *parser) escaped(start int) (string, error) {
	buf := make([]byte, 0, 2*(p.at-start)+64)
	buf = append(buf, p.in[start:p.at]...)
	for p.at < len(p.in) {
		c := p.in[p.at]
		switch {
		case c == '"':
			p.at++
			return string(buf), nil
		case c < ' ':
			return "", fmt.Errorf("control character %#02x in a string at byte %d", c, p.at)
		case c != '\\':
			buf = append(buf, c)
			p.at++
			continue
		}
		r, err := p.escape()
		if err != nil {
			return "", err
		}
		buf = utf8.AppendRune(buf, r)
	}
	return "", p.unexpected(`'"'`)
}

// escape reads one escape, or two that make up one rune.
func (p *parser) escape() (rune, error) {
	if p.at+1 >= len(p.in) {
		p.at = len(p.in)
		return 0, p.unexpected("an escape")
	}
	if p.in[p.at+1] == 'u' {
		r, err := p.unit()
		if err == nil && utf16.IsSurrogate(r) && strings.HasPrefix(p.in[p.at:], `\u`) {
			back := p.at
			low, err := p.unit()
			if err != nil {
				return 0, err
			}
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, nil
			}
			p.at = back
		}
		return r, err // a lone surrogate becomes U+FFFD
	}
	i := strings.IndexByte(`"\/bfnrt`, p.in[p.at+1])
	if i < 0 {
		return 0, fmt.Errorf("unknown escape at byte %d", p.at)
	}
	p.at += 2
	return rune("\"\\/\b\f\n\r\t"[i]), nil
}

// unit reads \uXXXX.
func (p *parser) unit() (rune, error) {
	if p.at+6 > len(p.in) {
		return 0, fmt.Errorf("it ends inside an escape at byte %d", p.at)
	}
	n, err := strconv.ParseUint(p.in[p.at+2:p.at+6], 16, 16)
	if err != nil {
		return 0, fmt.Errorf("unknown escape at byte %d", p.at)
	}
	p.at += 6
	return rune(n), nil
}
