package textsplit

import (
	"strings"
	"unicode/utf8"
)

// strength is how well a text can be cut at a place.
type strength int

// From the weakest to the strongest.
const (
	never     strength = iota - 1 // what begins here belongs to what is before it
	anyLine                       // a line begins
	closed                        // the line before it ends like a sentence, a statement or an element
	outermost                     // it is not indented, either
	blank                         // behind a blank line
	block                         // and not indented; or an element of HTML begins, or a page
	heading                       // before a heading of Markdown or HTML
	strengths
)

// filled is how much of a part must be in front of a place, in percent, so that
// the place may be taken though the part could reach further.
var filled = [strengths]int{anyLine: 90, closed: 75, outermost: 70, blank: 60, block: 55, heading: 50}

// choose returns the best place to end the part from seam, not behind end.
func (s *splitter) choose(seam, end int) int {
	f, inside := s.solidAt(end)
	if inside && f.from > seam && f.to-f.from <= widest*(end-seam) && s.cost(s.raw[f.from:f.to]) <= s.bounds.Part {
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
		if at := s.element(low, end); at > low {
			return at
		}
		if at := s.sentence(low, end); at > low {
			return s.outsideTag(low, at)
		}
	}
	if places[anyLine] > 0 {
		return places[anyLine]
	}
	if at := s.word(low, end); at > low {
		return s.outsideTag(low, at)
	}
	return s.outsideTag(low, end)
}

// widest is how many times as long as a part a text can be that costs no more,
// by the scripts that it is written in. What is longer need not be weighed.
const widest = 4

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
	if !strings.Contains(s.text[at:end], "\n") {
		return places // the line around seam need not be followed to its end
	}
	var b before // nothing is known of the lines before the first
	for at <= end && at < len(s.text) {
		next := lineEnd(s.text, at)
		line := s.text[at:next]
		if at > seam && b.line != "" {
			level := s.rank(at, b, line)
			for l := anyLine; l <= level; l++ {
				if at > share(filled[l]) {
					places[l] = at
				}
			}
		}
		b.pass(line)
		at = next
	}
	return places
}

// before is what stands before a line.
type before struct {
	line   string // the one before it
	text   string // the last one that is neither blank nor the number of a page
	titled bool   // that is a heading
}

func (b *before) pass(line string) {
	if !isBlank(line) && !isPageNumber(line) {
		b.titled = isHeading(line) || isUnderline(line) && b.line != "" && !isBlank(b.line)
		b.text = line
	}
	b.line = line
}

// rank says how well the text can be cut before a line.
func (s *splitter) rank(at int, b before, line string) strength {
	_, inside := s.solidAt(at)
	indented := line[0] == ' ' || line[0] == '\t'
	switch {
	case s.footer(at):
		return never
	case isBlank(line), isPageNumber(line):
		return anyLine
	case inside && isBlank(b.line):
		return closed
	case inside:
		return anyLine
	case isUnderline(line), hyphenated(b.line, line):
		return never
	case b.titled, closes(line):
		return anyLine // it stays with its text, or with what it closes
	case isHeading(line), isUnderline(s.lineBehind(at, line)):
		return heading
	case line[0] == '\f', isPageNumber(b.line):
		return page(b)
	case isBlank(b.line) && indented:
		return blank
	case isBlank(b.line), fenceMark(line) != "", fenceMark(b.line) != "", blockTag(line) != "":
		return block
	case indented && (ends(b.line) || isItem(line)):
		return closed
	case ends(b.line), isItem(line):
		return outermost
	}
	return anyLine
}

// page ranks the beginning of a page of a PDF, which may be in the middle of a
// sentence.
func page(b before) strength {
	if ends(b.text) {
		return block
	}
	return anyLine
}

// footer reports whether nothing but the number of a page follows until the
// page ends.
func (s *splitter) footer(at int) bool {
	for range maxFooter {
		line := s.text[at:lineEnd(s.text, at)]
		if line == "" || line[0] == '\f' || !isBlank(line) && !isPageNumber(line) {
			return false
		}
		if at += len(line); strings.HasPrefix(s.text[at:], "\f") {
			return true
		}
	}
	return false
}

// maxFooter is how many lines a footer has at most, with blank ones.
const maxFooter = 8

// lineBehind returns the line behind the one at a place.
func (s *splitter) lineBehind(at int, line string) string {
	from := at + len(line)
	return s.text[from:lineEnd(s.text, from)]
}
