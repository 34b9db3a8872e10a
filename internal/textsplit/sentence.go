package textsplit

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/sentences"
	"github.com/clipperhouse/uax29/v2/words"
)

// look is how far at once the text is searched backwards for the end of a
// sentence. The rules look ahead from every dot, which must stay short.
const look = 512

// sentence returns the last end of a sentence in (low, high], or low.
func (s *splitter) sentence(low, high int) int {
	return s.back(low, high, func(piece string, limit int) (last int) {
		for it := sentences.FromString(piece); it.Next() && it.End() <= limit; {
			if it.End() < len(piece) && !wrapped(it.Value()) {
				last = it.Start() + len(closing(it.Value()))
			}
		}
		return last
	})
}

// closing returns a sentence without the brackets that open the next one: the
// rules of Unicode count them among those that close.
func closing(sentence string) string {
	return strings.TrimRightFunc(sentence, func(r rune) bool { return unicode.In(r, unicode.Ps, unicode.Pi) })
}

// wrapped reports whether a sentence is one only because its line ends.
func wrapped(sentence string) bool {
	return strings.HasSuffix(sentence, "\n") && !ends(sentence)
}

// word returns the last beginning of a word in (low, high], or low. Scripts
// without spaces have one at almost every character.
func (s *splitter) word(low, high int) int {
	return s.back(low, high, func(piece string, limit int) (last int) {
		for it := words.FromString(piece); it.Next() && it.End() <= limit; {
			if it.End() < len(piece) && piece[it.End()] != ' ' {
				last = it.End()
			}
		}
		return last
	})
}

// back calls find on pieces of (low, high], the last first, until it finds a
// boundary that is not behind limit.
func (s *splitter) back(low, high int, find func(piece string, limit int) int) int {
	for high > low {
		from := max(low, high-look)
		for from > low && !utf8.RuneStart(s.text[from]) {
			from--
		}
		to := min(high+look/8, len(s.text)) // what follows decides whether it is the end
		if last := find(s.text[from:to], high-from); last > 0 {
			return from + last
		}
		if from == low {
			break
		}
		high = min(from+look/4, high-1)
	}
	return low
}

// overlap returns from where the part behind p repeats p: whole sentences or
// lines, as many as the bounds allow.
func (s *splitter) overlap(p Part) int {
	if s.bounds.Overlap <= 0 || p.To == len(s.text) {
		return p.To
	}
	piece := s.text[max(p.Seam, p.To-maxOverlap):p.To]
	base := p.To - len(piece)
	from := p.To
	var starts []int
	for it := sentences.FromString(piece); it.Next(); {
		if it.End() < len(piece) && !wrapped(it.Value()) {
			starts = append(starts, base+it.Start()+len(closing(it.Value())))
		}
	}
	for i := len(starts) - 1; i >= 0; i-- {
		if s.cost(s.raw[starts[i]:p.To]) > s.bounds.Overlap {
			break
		}
		from = starts[i]
	}
	if from < p.To && s.whole(p.Seam, from) != from {
		return p.To
	}
	return from
}

// maxOverlap bounds the bytes that are searched for an overlap.
const maxOverlap = 4 << 10
