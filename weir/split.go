package weir

import (
	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/classify"
	"github.com/weir-gateway/weir/internal/estimate"
	"github.com/weir-gateway/weir/internal/textsplit"
)

// SplitBounds say how large the parts of a text may be; see [SplitText].
type SplitBounds struct {
	Model   string      // whose tokens are meant; "": a current one
	Tokens  call.Tokens // of a part with its overlap, at most
	Overlap call.Tokens // of what a part repeats of the one before, at most; half a part is the most there is
}

// TextPart is a part of a text.
type TextPart struct {
	Text    string
	Overlap int         // how many bytes of Text are the end of the part before
	Tokens  call.Tokens // estimated
}

// SplitText cuts a text into parts of at most so many tokens, by an estimate:
// at headings and blocks of Markdown, else at paragraphs, sentences, words and,
// if nothing else helps, between two graphemes. Without their overlaps the parts
// are the text, byte for byte. It contacts nobody.
func SplitText(text string, b SplitBounds) []TextPart {
	room, c := estimate.New(), &call.Call{Model: b.Model}
	cost := func(piece string) call.Tokens { return room.Text(c, classify.Weigh(piece)) }
	parts := textsplit.Split(text, textsplit.Bounds{Part: b.Tokens, Overlap: b.Overlap}, cost)
	out := make([]TextPart, len(parts))
	for i, p := range parts {
		piece := text[p.From:p.To]
		out[i] = TextPart{Text: piece, Overlap: p.Seam - p.From, Tokens: cost(piece)}
	}
	return out
}
