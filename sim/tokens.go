package sim

import (
	"math"
	"unicode"
	"unicode/utf8"
)

// classes of characters that tokenizers treat alike.
const (
	classLetter = iota
	classSpace
	classDigit
	classMark // ASCII punctuation
	classLine
	classLatin  // letters with accents
	classScript // Cyrillic, Greek, Arabic, Devanagari and the like
	classWide   // CJK, Kana, Hangul
	classEmoji  // and other symbols
	numClasses
)

// weights are tokens per character of each class. They are fitted so that
// plain English comes out at 4.3 and 3.6 characters per token and CJK at about
// one: the published comparisons of the two tokenizer families.
var weights = map[string][numClasses]float64{
	"old": {0.230, 0.19, 0.40, 0.50, 0.60, 0.38, 0.42, 1.02, 2.0},
	"new": {0.270, 0.25, 0.52, 0.62, 0.75, 0.46, 0.425, 1.03, 2.0},
}

// asciiClass gives the class of each ASCII byte.
var asciiClass = func() (t [128]uint8) {
	for c := range t {
		switch {
		case c == '\n' || c == '\r':
			t[c] = classLine
		case c <= ' ' || c == 127:
			t[c] = classSpace
		case c >= '0' && c <= '9':
			t[c] = classDigit
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			t[c] = classLetter
		default:
			t[c] = classMark
		}
	}
	return t
}()

// textTokens counts the tokens of a text, the same for the same text. A few
// percent depend on its hash: no client can predict the number exactly, as
// none can predict the real one.
func textTokens(family string, text string) float64 {
	if text == "" {
		return 0
	}
	var n [numClasses]int
	for i := 0; i < len(text); i++ {
		if c := text[i]; c < utf8.RuneSelf {
			n[asciiClass[c]]++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		n[wideClass(r)]++
		i += size - 1
	}
	w := weights[family]
	sum := 0.0
	for class, count := range n {
		sum += w[class] * float64(count)
	}
	noise := (float64(hashOf(text))/math.MaxUint32 - 0.5) * 0.08
	return max(1, sum*(1+noise))
}

// hashOf is FNV-1a over the length and the ends of the text.
func hashOf(text string) uint32 {
	const ends = 256
	h := uint32(2166136261) ^ uint32(len(text))
	mix := func(s string) {
		for i := range len(s) {
			h = (h ^ uint32(s[i])) * 16777619
		}
	}
	mix(text[:min(len(text), ends)])
	mix(text[max(0, len(text)-ends):])
	return h ^ h>>15
}

func wideClass(r rune) int {
	switch {
	case r < 0x0250:
		return classLatin
	case r >= 0x1100 && r < 0x1200, r >= 0x2E80 && r < 0xD7B0, r >= 0xF900 && r < 0xFB00,
		r >= 0xFF00 && r < 0xFFF0, r >= 0x20000 && r < 0x40000:
		return classWide
	case unicode.IsLetter(r), unicode.IsMark(r):
		return classScript
	}
	return classEmoji
}

// Fixed overheads in tokens: Anthropic docs, tool use and token counting, and
// what recorded requests show.
const (
	messageOverhead = 4
	requestOverhead = 3
	toolsOverhead   = 346 // the system prompt that any tool brings
	toolOverhead    = 12  // framing of each further tool
	forcedOverhead  = 84  // on top, if the choice is any or one tool
)

// measure counts the tokens of each block of the request.
func (q *request) measure() {
	family := q.model.Tokenizer
	for i := range q.blocks {
		b := &q.blocks[i]
		b.tokens = int(math.Ceil(blockTokens(family, b.node) + b.extra))
		q.total += b.tokens
	}
	q.total += requestOverhead
	if len(q.tools) > 0 {
		q.total += toolsOverhead
		if q.choice == "any" || q.choice == "tool" {
			q.total += forcedOverhead
		}
	}
}

// blockTokens counts a content block, a system text or a tool.
func blockTokens(family string, v *value) float64 {
	if v.kind == kindString {
		return textTokens(family, v.text())
	}
	switch v.get("type").text() {
	case "text":
		return textTokens(family, v.get("text").text())
	case "image":
		return imageTokens(family, v.get("source"))
	case "document":
		return documentTokens(family, v)
	case "thinking", "redacted_thinking":
		return textTokens(family, v.get("thinking").text()) + textTokens(family, v.get("data").text())
	case "tool_result":
		return 8 + contentTokens(family, v.get("content"))
	case "tool_use":
		return 16 + textTokens(family, v.get("name").text()) + textTokens(family, v.get("input").raw)
	}
	return textTokens(family, v.raw) // a tool, or a block of a kind not known here
}

// contentTokens counts a string or a list of blocks.
func contentTokens(family string, v *value) float64 {
	if v.kind != kindArray {
		return textTokens(family, v.text())
	}
	sum := 0.0
	for i := range v.list {
		sum += blockTokens(family, &v.list[i])
	}
	return sum
}
