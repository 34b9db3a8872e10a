package textsplit

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/sentences"
	"github.com/clipperhouse/uax29/v2/words"
)

// strength is how well a text can be cut at a place.
type strength int

// From the weakest to the strongest.
const (
	anyLine   strength = iota // a line begins
	closed                    // the line before it ends like a sentence, a statement or an element
	outermost                 // it is not indented, either
	blank                     // behind a blank line
	block                     // and not indented
	heading                   // before a heading of Markdown
	strengths
)

// filled is how much of a part must be in front of a place, in percent, so that
// the place may be taken though the part could reach further.
var filled = [strengths]int{anyLine: 90, closed: 75, outermost: 70, blank: 60, block: 55, heading: 50}

// choose returns the best place to end the part from seam, not behind end.
func (s *splitter) choose(seam, end int) int {
	f, inside := s.fenceAt(end)
	if inside && f.from > seam && s.cost(s.raw[f.from:f.to]) <= s.bounds.Part {
		return f.from // the next part can have it whole
	}
	places := s.lines(seam, end)
	for level := heading; level > anyLine; level-- {
		if places[level] > 0 {
			return places[level]
		}
	}
	low := seam + (end-seam)/2
	for low > seam && !utf8.RuneStart(s.text[low]) {
		low--
	}
	if !inside {
		if at := s.sentence(low, end); at > low {
			return at
		}
	}
	if places[anyLine] > 0 {
		return places[anyLine]
	}
	if at := s.word(low, end); at > low {
		return at
	}
	return end
}

// lines returns the last place of each strength at which a line begins that
// fills the part enough, or 0.
func (s *splitter) lines(seam, end int) (places [strengths]int) {
	share := func(percent int) int { return seam + int(int64(end-seam)*int64(percent)/100) }
	at := share(filled[heading])
	if back := strings.LastIndexByte(s.text[seam:at], '\n'); back >= 0 {
		at = seam + back + 1
	} else {
		at = seam
	}
	before := "" // nothing is known of the line before the first
	for at <= end && at < len(s.text) {
		next := lineEnd(s.text, at)
		line := s.text[at:next]
		if at > seam && before != "" {
			level := s.rank(at, before, line)
			for l := range level + 1 {
				if at > share(filled[l]) {
					places[l] = at
				}
			}
		}
		before, at = line, next
	}
	return places
}

// rank says how well the text can be cut between two lines.
func (s *splitter) rank(at int, before, line string) strength {
	_, inside := s.fenceAt(at)
	trimmed := strings.TrimSpace(line)
	indented := line[0] == ' ' || line[0] == '\t'
	switch {
	case trimmed == "":
		return anyLine
	case !inside && isHeading(line):
		return heading
	case strings.TrimSpace(before) == "" && inside:
		return closed
	case strings.TrimSpace(before) == "" && indented:
		return blank
	case strings.TrimSpace(before) == "", !inside && (fenceMark(line) != "" || fenceMark(before) != ""):
		return block
	case inside || !ends(before):
		return anyLine
	case indented:
		return closed
	}
	return outermost
}

// isHeading reports whether a line is an ATX heading of Markdown.
func isHeading(line string) bool {
	rest := strings.TrimLeft(line, "#")
	n := len(line) - len(rest)
	return 0 < n && n <= 6 && rest != "" && (rest[0] == ' ' || rest[0] == '\t')
}

// ends reports whether a line ends like a sentence, a statement or an element.
func ends(line string) bool {
	line = strings.TrimRight(line, " \t\r\n\"')]*_”’」』）】》")
	r, _ := utf8.DecodeLastRuneInString(line)
	return strings.ContainsRune(".!?:;}>。！？：；…।؟۔", r)
}

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
