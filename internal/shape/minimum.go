package shape

import (
	"strings"

	"github.com/weir-gateway/weir/call"
)

// minimums are the shortest prefixes that the upstream caches, in tokens, by
// the beginning of the model's name; the longest that fits counts. Where
// sources disagree it is the higher number, and what is not verified stands at
// the highest there is (anthropic-api.md §5.5). A mark on a shorter prefix would
// be ignored in silence.
var minimums = map[string]call.Tokens{
	"claude-opus-5": 512, "claude-fable-5": 2048, "claude-mythos-5": 2048, "claude-haiku-5-5": 512,
	"claude-opus-5-5": highestMinimum, "claude-sonnet-5-5": highestMinimum,
	"claude-fable-5-2": highestMinimum, "claude-mythos-5-2": highestMinimum,
	"claude-sonnet-5": 1024, "claude-sonnet-4-6": 2048, "claude-sonnet-4-5": 1024,
	"claude-opus-4-7": 2048, "claude-3-5-haiku": 2048,
}

const highestMinimum = call.Tokens(4096)

// factOf looks a fact of a model up in a table by the beginnings of models'
// names, of which the longest that fits counts.
func factOf[T any](table map[string]T, model string, otherwise T) T {
	fact, long := otherwise, 0
	for name, is := range table {
		if len(name) > long && strings.HasPrefix(model, name) {
			fact, long = is, len(name)
		}
	}
	return fact
}

// weights are tokens a character, roughly: only shares of one request are made
// of them.
var weights = [call.NumScripts]float64{
	call.Letters: 0.25, call.Spaces: 0.2, call.Digits: 0.45, call.Marks: 0.55, call.Lines: 0.65,
	call.Accented: 0.4, call.Foreign: 0.42, call.Wide: 1, call.Symbols: 2,
}

// Tokens of what is no text.
const (
	pageWeight    = 2000
	messageWeight = 4
	toolWeight    = 12
)

// weight is how much of a request m is, in no exact unit.
func weight(m *call.Measure) float64 {
	sum := float64(m.Pages)*pageWeight + float64(m.Messages)*messageWeight + float64(m.Tools)*toolWeight + float64(m.Pixels[0])
	for s, n := range m.Text {
		sum += weights[s] * float64(n)
	}
	return sum
}

// caution is kept from the estimated length of a prefix before it is compared
// with the minimum.
const caution = 0.9

// longEnough returns the weight from which on a prefix of c is surely as long as
// the minimum of its model.
func longEnough(c *call.Call) float64 {
	all := weight(&c.Content.Measure)
	tokens := caution * float64(c.Estimate.Input+c.Estimate.Cached)
	return float64(factOf(minimums, c.Model, highestMinimum)) * all / max(tokens, 1)
}
