// Package estimate predicts what a call will cost before it is sent. There is
// no public tokenizer for current models, so it weighs the text by script with
// a linear model per tokenizer family and learns, for each tenant and model,
// the coefficients of that model and how far they may be off, which beginnings
// of requests the upstream has cached, and how long answers are
// (anthropic-api.md §8, algorithms.md B11).
package estimate

import (
	"math"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Room estimates calls and learns from their usage. It is safe for concurrent
// use.
type Room struct {
	mu       sync.Mutex // guards the rest
	seen     map[subject]*experience
	bound    int
	salts    uint64
	prefixes prefixes
}

// subject is whose requests resemble each other.
type subject struct{ tenant, model string }

// experience is what was learned about one subject.
type experience struct {
	family family
	input  filter
	output [2]lengths // without and with thinking
	salt   uint64     // of its entries among the prefixes
	hits   float64    // share of the expected cache reads that came true
	luck   float64    // share read from the cache although nothing was expected
	lucky  bool       // luck has been seen at all
}

const (
	gain       = 0.1  // weight of the newest call in running means
	safetyBias = 1.02 // slightly high estimates cause fewer 429s than unbiased ones (algorithms.md A3)
	spreadLow  = 0.02
	spreadHigh = 0.40
	firstHits  = 0.97
	// reserveForMiss is how much more often than learned a cache read is
	// expected to fail: a miss costs all at once.
	reserveForMiss = 1.5
	maxSubjects    = 10_000
)

// New returns the room with nothing learned.
func New() *Room {
	return &Room{seen: map[subject]*experience{}, bound: maxSubjects, prefixes: newPrefixes()}
}

// Estimate predicts the cost of c.
func (r *Room) Estimate(c *call.Call) call.Estimate { return r.estimate(c, 0) }

// countedError is the relative error of the upstream's own count, which its
// documentation calls an estimate.
const countedError = 0.01

// estimate predicts the cost of c, of whose input the whole was counted unless
// that is 0.
func (r *Room) estimate(c *call.Call, counted float64) call.Estimate {
	r.mu.Lock()
	defer r.mu.Unlock()
	x, own := r.recall(c)
	if x == nil {
		x = newExperience(c.Model)
	}
	all := wholeRequest(x.family, &c.Content)
	limit := c.MaxTokens
	if limit <= 0 {
		limit = math.MaxInt64
	}
	out := &x.output[thinking(c)]
	e := call.Estimate{Output: out.mean(limit), OutputHigh: out.quantile(0.9, limit)}
	tokens, variance := x.input.predict(all)
	if counted > 0 {
		tokens, variance = counted, sq(countedError*counted)
	}
	if len(c.Content.Prefixes) > 0 && own {
		tokens, variance = r.lessCached(c, x, all, &e, guess{tokens, variance, counted > 0})
	}
	margin := safetyBias
	if counted > 0 {
		margin = 1 + countedError
	}
	e.Input = max(1, call.Tokens(tokens*margin+0.5))
	e.Spread = min(max(math.Hypot(math.Sqrt(variance)/max(tokens, 1), margin-1), spreadLow), spreadHigh)
	return e
}

// Text predicts how many tokens a part of a call's text has that m counts.
func (r *Room) Text(c *call.Call, m call.Measure) call.Tokens {
	r.mu.Lock()
	defer r.mu.Unlock()
	x, _ := r.recall(c)
	if x == nil {
		x = newExperience(c.Model)
	}
	tokens, _ := x.input.predict(featuresOf(x.family, &m))
	return call.Tokens(tokens*safetyBias + 0.5)
}

// guess is a number of tokens with its variance.
type guess struct {
	tokens, variance float64
	counted          bool // by the upstream
}

// lessCached takes what is expected to be read from the prompt cache off the
// input: then only the text behind the cached prefix is uncertain. That the
// cache may not have it after all is no matter of spread: it is all or nothing,
// and rare, so its expected cost is reserved.
func (r *Room) lessCached(c *call.Call, x *experience, all features, e *call.Estimate, g guess) (tokens, variance float64) {
	p, cached := r.prefixes.find(time.Now(), x.salt, c.Content.Prefixes)
	if p == nil {
		// Nothing of it is known to be cached, so all of it is charged, unless
		// experience says that such calls are lucky: another instance of Weir,
		// or another tenant of the workspace, keeps their prefix warm.
		charged := min(1, reserveForMiss*(1-x.luck))
		e.Cached = call.Tokens(g.tokens * (1 - charged))
		return g.tokens * charged, g.variance * sq(charged)
	}
	e.Cached = call.Tokens(cached.tokens)
	before := featuresOf(x.family, &p.Measure)
	for i := range all {
		all[i] = max(0, all[i]-before[i])
	}
	if c.Content.Tools > 0 {
		all[frame] = max(0, all[frame]-toolPrompt) // it comes first, so it is cached
	}
	rest, variance := x.input.predict(all)
	if g.counted {
		rest, variance = max(0, g.tokens-cached.tokens), g.variance
	}
	miss := 1 - x.hits
	return rest + min(1, reserveForMiss*miss)*cached.tokens, variance
}

func thinking(c *call.Call) int {
	if c.Content.Thinking {
		return 1
	}
	return 0
}

// recall finds the subject's experience, else that of the model at large.
func (r *Room) recall(c *call.Call) (x *experience, own bool) {
	if x = r.seen[subject{c.Tenant, c.Model}]; x != nil {
		return x, true
	}
	return r.seen[subject{"", c.Model}], false
}

// Learn takes the real usage of a finished call. Usage that is not exact
// teaches nothing.
func (r *Room) Learn(c *call.Call, u call.Usage) {
	total := float64(u.Charged() + u.CacheRead)
	if !u.Exact || total <= 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range [2]subject{{"", c.Model}, {c.Tenant, c.Model}} {
		x := r.seen[s]
		if x == nil {
			x = r.admit(s)
		}
		x.input.learn(wholeRequest(x.family, &c.Content), total)
		x.output[thinking(c)].learn(u.Output)
		if s.tenant != "" && len(c.Content.Prefixes) > 0 {
			r.learnCached(c, x, u)
		}
	}
}

// learnCached compares what was read from the cache with what was expected,
// and remembers what it holds now.
func (r *Room) learnCached(c *call.Call, x *experience, u call.Usage) {
	total := float64(u.Charged() + u.CacheRead)
	at := c.Received.Add(c.Waited) // when it was sent; an entry lives from then on
	known, _ := r.prefixes.find(at, x.salt, c.Content.Prefixes)
	switch {
	case known != nil && c.Estimate.Cached > 0:
		hit := min(1, float64(u.CacheRead)/float64(c.Estimate.Cached))
		x.hits += gain * (hit - x.hits)
	case known == nil && u.CacheRead+u.CacheWrite > 0:
		luck := float64(u.CacheRead) / total
		if !x.lucky {
			x.lucky, x.luck = true, luck/2
		}
		x.luck += gain * (luck - x.luck)
	}
	r.prefixes.learn(at, x.salt, c.Content.Prefixes, func(p *call.Prefix) float64 {
		tokens, _ := x.input.predict(featuresOf(x.family, &p.Measure))
		return tokens
	}, u)
}

func newExperience(model string) *experience {
	return &experience{family: familyOf(model), input: newFilter(), hits: firstHits}
}

// admit makes room for a new subject by forgetting an arbitrary one. It
// inherits what is known of its model.
func (r *Room) admit(s subject) *experience {
	for old := range r.seen {
		if len(r.seen) < r.bound {
			break
		}
		delete(r.seen, old)
	}
	x := newExperience(s.model)
	if general := r.seen[subject{"", s.model}]; general != nil && general.input.samples > 1 {
		x.input = general.input.heir()
		x.output = general.output
	}
	r.salts++
	x.salt = r.salts * 0x9E3779B97F4A7C15
	r.seen[s] = x
	return x
}
