package weir

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/classify"
	"github.com/weir-gateway/weir/internal/estimate"
	"github.com/weir-gateway/weir/internal/split"
	"github.com/weir-gateway/weir/internal/textsplit"
)

// Split says what is too long for a request that may be answered in parts, and
// how; see [WithSplit].
type Split = split.Config

// WithSplit changes how requests are split whose callers allow it by the header
// weir-split. The zero Split, the default, splits what exceeds the model's
// context window or all that the input bucket holds.
func WithSplit(c Split) Option {
	return func(s *settings) error {
		s.split = c
		return checkSplit(c)
	}
}

func checkSplit(c Split) error {
	if min(int64(c.Above), int64(c.Part), int64(c.Overlap), int64(c.Parallel), int64(c.MaxParts)) < 0 {
		return fmt.Errorf("bounds of splitting must not be negative: %+v", c)
	}
	return nil
}

// SetSplit changes what [WithSplit] has set, for requests that come from then
// on.
func (g *Gateway) SetSplit(c Split) error {
	if err := checkSplit(c); err != nil {
		return err
	}
	g.splitter.Configure(c)
	return nil
}

// newSplitter wires the room that splits.
func (g *Gateway) newSplitter(c Split, e *estimate.Room) *split.Room {
	return split.New(c, split.House{
		Part: g.classify.Part,
		Input: func(c *call.Call) call.Tokens {
			est := e.Estimate(c)
			return est.Input + est.Cached
		},
		Text:   func(c *call.Call, text string) call.Tokens { return e.Text(c, classify.Weigh(text)) },
		Window: windowOf,
		Bucket: g.inputBucket,
		End: func(c *call.Call, status int, outcome, reason string) {
			g.corridor.Account.End(c, status, outcome, reason)
		},
	})
}

// splitNote is a comment for a stream whose header has gone out, perhaps before
// it was known that the call is split.
func splitNote(c *call.Call) []byte {
	if c.Parts == 0 {
		return nil
	}
	return fmt.Appendf(nil, ": weir-split: %d\n\n", c.Parts)
}

// The context windows of models (Anthropic docs, models overview).
const (
	window      = 1_000_000
	smallWindow = 200_000
)

// smallModels begin the names of those with the smaller window.
var smallModels = []string{
	"claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-4-5", "claude-opus-4-1", "claude-opus-4-0", "claude-opus-4-2",
	"claude-sonnet-4-0", "claude-sonnet-4-2", "claude-3", "claude-2",
}

// windowOf is how many tokens a request to a model and its answer may have.
func windowOf(model string) call.Tokens {
	if slices.ContainsFunc(smallModels, func(begin string) bool { return strings.HasPrefix(model, begin) }) {
		return smallWindow
	}
	return window
}

// inputBucket is what the bucket of input tokens holds that c would draw on: the
// smallest, if it is not known yet who pays. 0: not known.
func (g *Gateway) inputBucket(c *call.Call) (size call.Tokens) {
	payer := g.keys.Sure(c)
	organization, group := g.admission.Place(payer.Print, c.Pool, c.Model)
	for _, b := range g.admission.Quota(time.Now()) {
		if b.Limiter != call.InputTokens.String() || b.Group != group || b.Source == "guess" ||
			payer.Print != "" && b.Organization != organization {
			continue
		}
		if limit := call.Tokens(b.Limit); size == 0 || limit < size {
			size = limit
		}
	}
	return size
}

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
// before headings, paragraphs, items of lists and elements of HTML, else between
// sentences, lines, words and, if nothing else helps, two graphemes. Without
// their overlaps the parts are the text, byte for byte. It contacts nobody.
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
