package estimate

import (
	"strings"

	"github.com/weir-gateway/weir/call"
)

// features are the expected tokens of the parts of a request that tokenizers
// treat alike. One coefficient each is learned.
type features [numFeatures]float64

const (
	prose   = iota // letters and spaces
	code           // digits, punctuation, ends of lines
	foreign        // accents, Cyrillic, Arabic and the like
	wide           // CJK, emoji
	frame          // around messages and tools
	images
	pages
	numFeatures
)

// family is one of the two tokenizers that are in use: until Opus 4.6, and
// since Opus 4.7.
type family int

const (
	older family = iota
	newer
)

// perCharacter are the tokens per character before anything is learned. They
// give 4.4 and 3.6 characters per token for plain English, half of that for
// code and JSON, and about one token for each character of CJK: the published
// measurements of the two families (anthropic-api.md §8).
var perCharacter = [2][call.NumScripts]float64{
	older: {0.215, 0.20, 0.45, 0.55, 0.50, 0.40, 0.45, 1.00, 2.0},
	newer: {0.265, 0.25, 0.55, 0.65, 0.65, 0.50, 0.45, 1.02, 2.0},
}

// Overheads in tokens (Anthropic docs, tool use and PDF support; recorded
// requests of anthropic-api.md §8).
const (
	perRequest = 8
	perMessage = 4
	perTool    = 12
	perBlock   = 12  // a tool's call or result
	toolPrompt = 346 // the system prompt that any tool brings
	forcedTool = 84  // more, if a tool must be called
	perPage    = 7000.0 / 3
)

// featuresOf splits what m measures into features.
func featuresOf(f family, m *call.Measure) (x features) {
	w := &perCharacter[f]
	for s, n := range m.Text {
		t := w[s] * float64(n)
		switch call.Script(s) {
		case call.Letters, call.Spaces:
			x[prose] += t
		case call.Digits, call.Marks, call.Lines:
			x[code] += t
		case call.Accented, call.Foreign:
			x[foreign] += t
		default:
			x[wide] += t
		}
	}
	x[frame] = perMessage*float64(m.Messages) + perTool*float64(m.Tools) + perBlock*float64(m.Blocks)
	x[images] = float64(m.Pixels[f])
	x[pages] = perPage * float64(m.Pages)
	return x
}

// wholeRequest adds what only a request as a whole has.
func wholeRequest(f family, c *call.Content) features {
	x := featuresOf(f, &c.Measure)
	x[frame] += perRequest
	if c.Tools > 0 {
		x[frame] += toolPrompt
		if c.Forced {
			x[frame] += forcedTool
		}
	}
	return x
}

// sum is the expected tokens of all of it, before anything is learned.
func (x *features) sum() (s float64) {
	for _, v := range x {
		s += v
	}
	return s
}

// familyOf tells the tokenizer of a model. Unknown ones are new ones.
func familyOf(model string) family {
	for _, old := range []string{
		"claude-2", "claude-3", "claude-instant", "haiku-4", "sonnet-4", "opus-4-0", "opus-4-1", "opus-4-2025",
		"opus-4-5", "opus-4-6",
	} {
		if strings.Contains(model, old) {
			return older
		}
	}
	return newer
}
