package classify

import (
	"unicode/utf8"

	"github.com/weir-gateway/weir/call"
)

// A long text is measured by samples, spread evenly. Scripts do not change from
// one line to the next, and the upstream's own count is not exact either.
const (
	sampledFrom = 24 << 10
	windows     = 32
	window      = 256
)

// Weigh counts all of a text by script, however long it is.
func Weigh(text string) (m call.Measure) {
	count([]byte(text), &m.Text)
	return m
}

// measure counts the raw (still escaped) text of a JSON string by script.
func measure(raw []byte, into *[call.NumScripts]int32) {
	if len(raw) < sampledFrom {
		count(raw, into)
		return
	}
	var sample [call.NumScripts]int32
	seen := 0
	for i := range windows {
		from := i * (len(raw) - window) / (windows - 1)
		part := raw[runeStart(raw, from):runeStart(raw, from+window)]
		count(part, &sample)
		seen += len(part)
	}
	scale := float64(len(raw)) / float64(seen)
	for s, n := range sample {
		into[s] += int32(float64(n)*scale + 0.5)
	}
}

// runeStart is the first place from i on at which no rune is cut in two.
func runeStart(raw []byte, i int) int {
	for i < len(raw) && !utf8.RuneStart(raw[i]) {
		i++
	}
	return i
}

// notPlain marks bytes that do not stand for themselves: the backslash, and
// what belongs to runes outside ASCII. It is a bit that no script has.
const notPlain = 16

// count measures every character. It counts four at once in tables of their
// own, because to count the same script twice in a row is slow.
func count(raw []byte, into *[call.NumScripts]int32) {
	var n [4][16]int32
	i := 0
	for i < len(raw) {
		if i+4 <= len(raw) {
			a, b, c, d := scriptOf[raw[i]], scriptOf[raw[i+1]], scriptOf[raw[i+2]], scriptOf[raw[i+3]]
			if (a|b|c|d)&notPlain == 0 {
				n[0][a&15]++
				n[1][b&15]++
				n[2][c&15]++
				n[3][d&15]++
				i += 4
				continue
			}
		}
		if s := scriptOf[raw[i]]; s != notPlain {
			n[0][s&15]++
			i++
			continue
		}
		s, size := decode(raw[i:])
		n[1][s&15]++
		i += size
	}
	for s := range into {
		into[s] += n[0][s] + n[1][s] + n[2][s] + n[3][s]
	}
}

// scriptOf is the script of each byte.
var scriptOf = scripts()

func scripts() (t [256]call.Script) {
	for c := range t {
		switch {
		case c >= utf8.RuneSelf || c == '\\':
			t[c] = notPlain
		case c == '\n' || c == '\r':
			t[c] = call.Lines
		case c <= ' ' || c == 127:
			t[c] = call.Spaces
		case c >= '0' && c <= '9':
			t[c] = call.Digits
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			t[c] = call.Letters
		default:
			t[c] = call.Marks
		}
	}
	return t
}

// decode reads one character, be it UTF-8, a \uXXXX escape or another escape.
func decode(b []byte) (s call.Script, size int) {
	if b[0] != '\\' {
		r, size := utf8.DecodeRune(b)
		return script(r), size
	}
	if len(b) < 2 {
		return call.Marks, 1
	}
	switch b[1] {
	case 'n', 'r':
		return call.Lines, 2
	case 't', 'b', 'f':
		return call.Spaces, 2
	case 'u':
		if len(b) >= 6 {
			return escaped(b)
		}
	}
	return call.Marks, 2 // \", \\ and \/
}

// escaped reads \uXXXX. A pair of them is one rune beyond the basic plane: an
// emoji, or rare CJK.
func escaped(b []byte) (s call.Script, size int) {
	var r rune
	for _, c := range b[2:6] {
		r = r<<4 | hexDigit(c)
	}
	switch {
	case r >= 0xD83C && r <= 0xD83E:
		return call.Symbols, min(12, len(b))
	case r >= 0xD800 && r < 0xE000:
		return call.Wide, min(12, len(b))
	case r < utf8.RuneSelf && scriptOf[r] != notPlain:
		return scriptOf[r], 6
	}
	return script(r), 6
}

// script is the script of a rune outside ASCII.
func script(r rune) call.Script {
	switch {
	case r < 0x0250:
		return call.Accented
	case r < 0x1100, r >= 0x1200 && r < 0x2000:
		return call.Foreign
	case r >= 0x2000 && r < 0x2E80, r >= 0xFE00 && r < 0xFE10, r >= 0x1F000 && r < 0x20000, r == utf8.RuneError:
		return call.Symbols
	}
	return call.Wide // CJK, Kana, Hangul, full-width forms
}

func hexDigit(c byte) rune {
	switch {
	case c >= 'a':
		return rune(c-'a') + 10
	case c >= 'A':
		return rune(c-'A') + 10
	}
	return rune(c - '0')
}
