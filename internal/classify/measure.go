package classify

import (
	"unicode/utf8"

	"github.com/weir-gateway/weir/call"
)

// wideFrom is where the scripts begin whose runes are about a token each: CJK
// radicals and everything behind them, Kana, Hangul syllables and emoji among
// it.
const wideFrom = 0x2E80

// measure counts the raw (still escaped) text of a JSON string by script.
func measure(raw []byte, into *call.Content) {
	latin := 0
	for i := 0; i < len(raw); {
		c := raw[i]
		if c < utf8.RuneSelf && c != '\\' {
			latin++
			i++
			continue
		}
		r, size := decode(raw[i:])
		i += size
		switch {
		case r < utf8.RuneSelf:
			latin++
		case r >= wideFrom:
			into.Wide++
		default:
			into.Other++
		}
	}
	into.Latin += latin
}

// decode reads one rune, be it UTF-8, a \uXXXX escape or another escape.
func decode(b []byte) (r rune, size int) {
	if b[0] != '\\' {
		return utf8.DecodeRune(b)
	}
	if len(b) < 6 || b[1] != 'u' {
		return ' ', min(2, len(b)) // \n, \", \\ and the like
	}
	for _, c := range b[2:6] {
		r = r<<4 | hexDigit(c)
	}
	if r >= 0xD800 && r < 0xE000 { // half of a surrogate pair: an emoji or rare CJK
		return wideFrom, min(12, len(b))
	}
	return r, 6
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
