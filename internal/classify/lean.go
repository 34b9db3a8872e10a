package classify

import (
	"bytes"
	"cmp"
	"slices"
	"unicode/utf8"
)

// lean is a body without the insides of its long strings. The decoder reads it
// in place of the body: being strict about each byte of a megabyte of text
// takes as long as everything else that the gateway does with it. Long strings
// are still checked to be UTF-8; wrong escapes in them are left to the
// upstream to refuse.
type lean struct {
	body []byte
	text []byte
	cuts []cut
}

// cut is a place in the text where something is missing.
type cut struct{ at, missing int } // missing counts the cuts before it too

const (
	leanFrom   = 64 << 10 // smaller bodies are read as they are
	longString = 4 << 10
)

func newLean(body []byte) lean {
	l := lean{body: body, text: body}
	if len(body) >= leanFrom {
		l.cutOut(longString)
	}
	return l
}

// cutOut takes out what is inside strings of at least long bytes.
func (l *lean) cutOut(long int) {
	body := l.body
	var text []byte
	from, missing := 0, 0
	for at := 0; ; {
		quote := bytes.IndexByte(body[at:], '"')
		if quote < 0 {
			break
		}
		start := at + quote + 1
		size := inside(body[start:])
		if size < 0 {
			break // the decoder will say that it has no end
		}
		at = start + size + 1
		if size < long || isName(body[at:]) || !utf8.Valid(body[start:at]) {
			continue
		}
		text = append(text, body[from:start]...)
		missing += size
		l.cuts = append(l.cuts, cut{len(text), missing})
		from = start + size
	}
	if l.cuts != nil {
		l.text = append(text, body[from:]...)
	}
}

// inside is the length of a string whose opening quote is just before b, or -1
// if it has no end.
func inside(b []byte) int {
	for at := 0; ; at++ {
		quote := bytes.IndexByte(b[at:], '"')
		if quote < 0 {
			return -1
		}
		at += quote
		slashes := at - len(bytes.TrimRight(b[:at], `\`))
		if slashes%2 == 0 {
			return at
		}
	}
}

// isName reports whether the string before b names a member.
func isName(b []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte{':'})
}

// offset is where in the body a place in the text is.
func (l *lean) offset(at int) int {
	n, exact := slices.BinarySearchFunc(l.cuts, at, func(c cut, at int) int { return cmp.Compare(c.at, at) })
	if exact {
		n++ // the closing quote stands behind what was cut
	}
	if n == 0 {
		return at
	}
	return at + l.cuts[n-1].missing
}

// value reads one value and returns it as it stands in the body.
func (p *parser) value() ([]byte, error) {
	raw, err := p.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	end := int(p.dec.InputOffset())
	p.began = p.lean.offset(end - len(raw))
	return p.lean.body[p.began:p.lean.offset(end)], nil
}
