// Package textsplit cuts a long text into parts that a model can take one by
// one: before headings, blocks and items of Markdown, elements of HTML and pages
// of a PDF's text, else at blank lines, ends of lines, sentences, words, and in
// the end between any two graphemes. What kind of text it is need not be said.
// Source code is cut by its blank lines and indentation.
//
// The parts follow each other without a gap. Each may begin with an overlap, a
// few whole sentences of the one before.
package textsplit

import (
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"

	"github.com/weir-gateway/weir/call"
)

// Cost says how large a piece of text is. It must not shrink when the piece
// grows.
type Cost func(piece string) call.Tokens

// Bounds say how large parts may be, by their [Cost].
type Bounds struct {
	Part    call.Tokens // of a part with its overlap; below 1: 1
	Overlap call.Tokens // of what a part repeats of the one before; half a part at most
}

// Part is a stretch of the text, by offsets of bytes: text[From:To], of which
// text[From:Seam] is the end of the part before.
type Part struct{ From, Seam, To int }

// Split cuts text into parts within the bounds. What is longer than a part
// though it is a single grapheme is a part of its own. An empty text has no
// parts.
func Split(text string, b Bounds, cost Cost) []Part {
	b.Part = max(b.Part, 1)
	b.Overlap = min(b.Overlap, b.Part/2)
	s := splitter{raw: text, text: valid(text), bounds: b, cost: cost, guess: firstGuess}
	s.solids = solids(s.text)
	var parts []Part
	for from, seam := 0, 0; seam < len(text); {
		p := s.part(from, seam)
		parts = append(parts, p)
		seam = p.To
		from = s.overlap(p)
	}
	return parts
}

// firstGuess is how many bytes a unit of cost may have, before any is known.
const firstGuess = 4

// valid returns text with a control character for each byte that is no UTF-8.
// The rules of Unicode have no places inside such bytes.
func valid(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	out := []byte(text)
	for i := 0; i < len(out); {
		r, size := utf8.DecodeRune(out[i:])
		if r == utf8.RuneError && size == 1 {
			out[i] = 0
		}
		i += size
	}
	return string(out)
}

type splitter struct {
	raw    string // what is split
	text   string // the same, in valid UTF-8
	bounds Bounds
	cost   Cost
	solids []solid
	guess  float64 // bytes per unit of cost, in the latest piece
}

// part returns the part whose own text begins at seam.
func (s *splitter) part(from, seam int) Part {
	end := s.fit(from, s.bounds.Part)
	first := seam + s.grapheme(seam)
	if end < first && from < seam {
		from = seam // no room for an overlap
		end = s.fit(from, s.bounds.Part)
	}
	if end < first {
		return Part{from, seam, first}
	}
	if end == len(s.text) {
		return Part{from, seam, end}
	}
	cut := s.whole(seam, s.choose(seam, end))
	if cut == seam {
		cut = first
	}
	return Part{from, seam, cut}
}

// grapheme is the length of the one at i.
func (s *splitter) grapheme(i int) int { return len(graphemes.FromString(s.text[i:]).First()) }

// whole returns the last boundary of graphemes that is not behind cut, where
// from is one as well.
func (s *splitter) whole(from, cut int) int {
	if cut == len(s.text) || plain(s.text[cut-1], s.text[cut]) {
		return cut
	}
	last := from
	for g := graphemes.FromString(s.text[from:]); g.Next() && from+g.End() <= cut; {
		last = from + g.End()
	}
	return last
}

// plain reports whether two bytes are surely two graphemes.
func plain(a, b byte) bool {
	return a < utf8.RuneSelf && b < utf8.RuneSelf && (a != '\r' || b != '\n')
}

// fit returns how far text[from:] may reach within a budget: to the byte for
// short pieces, else somewhat less. It weighs a few pieces of about that length,
// whatever the length of the text.
func (s *splitter) fit(from int, budget call.Tokens) int {
	var (
		length = len(s.text) - from
		fits   = 0          // bytes known to fit
		fails  = length + 1 // bytes known not to
		spent  call.Tokens  // cost of what fits
	)
	for step := 0; fails-fits > 1+fits/tolerance; step++ {
		try := fits + int(float64(budget-spent)*s.guess)
		if step >= maxGuesses && fails <= length {
			try = fits + (fails-fits)/2
		} else if step >= maxGuesses {
			try = 2 * try
		}
		try = s.between(from, fits, fails, max(try, fits+1+fits/tolerance))
		if try == fits {
			break
		}
		cost := s.cost(s.raw[from : from+try])
		if cost > 0 {
			s.guess = float64(try) / float64(cost)
		}
		if cost <= budget {
			fits, spent = try, cost
		} else {
			fails = try
		}
	}
	return from + fits
}

// between returns a beginning of a rune between low and high, behind from: the
// one at or before want, or else the first. Where there is none, it is low.
func (s *splitter) between(from, low, high, want int) int {
	starts := func(i int) bool { return from+i >= len(s.text) || utf8.RuneStart(s.text[from+i]) }
	want = min(want, high-1)
	at := want
	for at > low && !starts(at) {
		at--
	}
	if at > low {
		return at
	}
	for at = want + 1; at < high; at++ {
		if starts(at) {
			return at
		}
	}
	return low
}

const (
	tolerance  = 64 // a piece may be shorter by this part of it than it could be
	maxGuesses = 6  // then it is halved
)
