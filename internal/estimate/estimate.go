// Package estimate predicts what a call will cost before it is sent. There is
// no public tokenizer for current models, so it counts the text by script with
// a linear model per tokenizer family and learns, for each tenant and model,
// the ratio of real to predicted input, the share read from the prompt cache
// and the length of answers (anthropic-api.md §8, algorithms.md B11).
package estimate

import (
	"strings"
	"sync"

	"github.com/weir-gateway/weir/call"
)

// Room estimates calls and learns from their usage. It is safe for concurrent
// use.
type Room struct {
	mu    sync.Mutex // guards seen and what it holds
	seen  map[subject]*experience
	bound int
}

// subject is whose requests resemble each other.
type subject struct{ tenant, model string }

// experience is what was learned about one subject.
type experience struct {
	predicted, actual float64 // forgetful sums of tokens: their ratio is the bias
	err               float64 // running mean of |actual/predicted - 1|
	cachedShare       float64 // of calls with cache marks
	cachedKnown       bool
	output            float64 // running mean of the answer's length
	samples           int
}

const (
	forget      = 0.98 // weight that a past call keeps with each new one
	gain        = 0.1  // weight of the newest call in running means
	biasLow     = 0.4
	biasHigh    = 2.5
	safetyBias  = 1.02 // slightly high estimates cause fewer 429s than unbiased ones
	coldSpread  = 0.25
	spreadLow   = 0.02
	spreadHigh  = 0.40
	spreadOfErr = 1.25 // standard deviation per mean absolute error
	coldOutput  = 500
	maxSubjects = 10_000
)

// New returns the room with nothing learned.
func New() *Room {
	return &Room{seen: map[subject]*experience{}, bound: maxSubjects}
}

// Estimate predicts the cost of c.
func (r *Room) Estimate(c *call.Call) call.Estimate {
	raw := predict(c.Model, c.Content)
	r.mu.Lock()
	defer r.mu.Unlock()
	x := r.recall(c)
	if x == nil {
		return call.Estimate{
			Input:  max(1, call.Tokens(raw*safetyBias)),
			Output: capped(coldOutput, c.MaxTokens), Spread: coldSpread,
		}
	}
	input := raw * x.bias() * safetyBias
	if c.Content.Cached && x.cachedKnown {
		// A hit must be sure before it is counted on: half of the learned miss
		// share is kept as a reserve on top of it.
		input *= min(1, 1.5*(1-x.cachedShare)+0.01)
	}
	return call.Estimate{
		Input: max(1, call.Tokens(input)), Output: capped(call.Tokens(x.output), c.MaxTokens),
		Spread: x.spread(),
	}
}

// recall finds the subject's experience, else that of the model at large.
func (r *Room) recall(c *call.Call) *experience {
	if x := r.seen[subject{c.Tenant, c.Model}]; x != nil {
		return x
	}
	return r.seen[subject{"", c.Model}]
}

func capped(n, limit call.Tokens) call.Tokens {
	if limit > 0 {
		return min(n, limit)
	}
	return n
}

func (x *experience) bias() float64 {
	if x.predicted == 0 {
		return 1
	}
	return min(max(x.actual/x.predicted, biasLow), biasHigh)
}

func (x *experience) spread() float64 {
	// While there are few samples the cold spread still counts.
	w := 1 / float64(x.samples+1)
	return min(max(w*coldSpread+(1-w)*spreadOfErr*x.err, spreadLow), spreadHigh)
}

// Learn takes the real usage of a finished call. Usage that is not exact
// teaches nothing.
func (r *Room) Learn(c *call.Call, u call.Usage) {
	total := float64(u.Charged() + u.CacheRead)
	raw := predict(c.Model, c.Content)
	if !u.Exact || total <= 0 || raw <= 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range [2]subject{{c.Tenant, c.Model}, {"", c.Model}} {
		x := r.seen[s]
		if x == nil {
			x = r.admit(s)
		}
		x.learn(raw, total, c.Content.Cached, u)
	}
}

// admit makes room for a new subject by forgetting an arbitrary one.
func (r *Room) admit(s subject) *experience {
	for old := range r.seen {
		if len(r.seen) < r.bound {
			break
		}
		delete(r.seen, old)
	}
	x := &experience{}
	r.seen[s] = x
	return x
}

func (x *experience) learn(raw, total float64, cached bool, u call.Usage) {
	off := total/(raw*x.bias()) - 1
	g := max(gain, 1/float64(x.samples+1))
	x.err += g * (abs(off) - x.err)
	x.predicted = x.predicted*forget + raw
	x.actual = x.actual*forget + total
	x.output += g * (float64(u.Output) - x.output)
	x.samples++
	if cached {
		share := float64(u.CacheRead) / total
		if !x.cachedKnown {
			x.cachedKnown, x.cachedShare = true, share
		}
		x.cachedShare += gain * (share - x.cachedShare)
	}
}

func abs(v float64) float64 { return max(v, -v) }

// predict is the linear model. Its constants are the published and measured
// ones of anthropic-api.md §8; the learned bias puts the rest right.
func predict(model string, c call.Content) float64 {
	perLatin := 3.6
	if oldTokenizer(model) {
		perLatin = 4.3
	}
	n := float64(c.Latin)/perLatin + float64(c.Wide)*1.1 + float64(c.Other)/2.2
	n += float64(c.Schema)/2.5 + float64(c.Messages)*5 + 10
	if c.Tools > 0 {
		n += 350
	}
	n += float64(c.Images) * imageTokens
	n += float64(c.PDFBytes) / pdfBytesPerToken
	return n
}

const (
	imageTokens      = 1500 // a full-size picture on most models
	pdfBytesPerToken = 30.0 // about 70 kB and 2,300 tokens a page
)

// oldTokenizer lists the models before the change of tokenizer (Opus 4.7 and
// Sonnet 5 have the new one).
func oldTokenizer(model string) bool {
	for _, old := range []string{"claude-3", "haiku-4", "sonnet-4", "opus-4-0", "opus-4-1", "opus-4-5", "opus-4-6", "claude-2"} {
		if strings.Contains(model, old) {
			return true
		}
	}
	return false
}
