package shape

import "time"

// habits is what was learned about who repeats what: which beginnings of
// requests have come again, and how often a conversation goes on. It takes the
// time as an argument and has no lock. When it is full, what has not been seen
// for long goes first, then any.
type habits struct {
	ttl     time.Duration
	repeats int
	seen    map[uint64]sighting
	going   map[uint64]*going
	purses  map[uint64]*purse
}

const (
	maxSeen   = 60_000
	maxGoing  = 10_000
	maxPurses = 10_000
)

// sighting is a beginning of a request that has been seen.
type sighting struct {
	last   time.Time
	count  int32 // in a row, each within the lifetime of the one before
	whole  bool  // it was a request's whole conversation at the time
	wentOn bool  // and a later request went on from there
	kept   bool  // the upstream was asked to keep it
}

// going counts how many of the requests that begin alike are gone on from.
type going struct{ asked, wentOn float64 }

const (
	// countsKept is the number of requests from which on the older ones fade.
	countsKept = 128
	// firstGuess is the weight of what is expected before anything was seen.
	firstGuess = 2
	// onceMore is how likely a conversation that has gone on goes on again, as
	// long as nothing else is known.
	onceMore = 2.0 / 3
)

// margin is kept from the end of an entry's life: requests wait.
func margin(ttl time.Duration) time.Duration { return ttl / 20 }

func newHabits(ttl time.Duration, repeats int) *habits {
	return &habits{ttl: ttl, repeats: repeats, seen: map[uint64]sighting{}, going: map[uint64]*going{}, purses: map[uint64]*purse{}}
}

// fresh returns what is known of a prefix, unless that is too old to count.
func (h *habits) fresh(now time.Time, key uint64) (sighting, bool) {
	s, ok := h.seen[key]
	return s, ok && now.Sub(s.last) < h.ttl-margin(h.ttl)
}

// see notes that a prefix was seen.
func (h *habits) see(now time.Time, key uint64) {
	s, ok := h.fresh(now, key)
	if !ok {
		s = sighting{}
		h.room(now)
	}
	s.last = now
	s.count++
	h.seen[key] = s
}

// room makes room for a tenth of the bound when it is reached.
func (h *habits) room(now time.Time) {
	if len(h.seen) < maxSeen {
		return
	}
	for key, s := range h.seen {
		if now.Sub(s.last) >= h.ttl {
			delete(h.seen, key)
		}
	}
	shrink(h.seen, maxSeen*9/10)
}

// shrink forgets any entries until there are no more than n.
func shrink[V any](m map[uint64]V, n int) {
	for key := range m {
		if len(m) <= n {
			return
		}
		delete(m, key)
	}
}

// asked counts one more request that begins so.
func (h *habits) asked(root uint64) *going {
	g := h.going[root]
	if g == nil {
		shrink(h.going, maxGoing-1)
		g = &going{}
		h.going[root] = g
	}
	if g.asked >= countsKept {
		g.asked, g.wentOn = g.asked/2, g.wentOn/2
	}
	g.asked++
	return g
}

// chance is how likely a request that begins so is gone on from, where guess is
// what is expected of one about which nothing is known.
func (g *going) chance(guess float64) float64 {
	return (g.wentOn + firstGuess*guess) / (g.asked + firstGuess)
}

// purse holds what marks may cost a tenant, in tokens of uncached input. They
// fill it by what they save, and every request by a hundredth of its input:
// what is never read again makes nobody's bill longer by more than that.
type purse struct {
	tokens float64
	shut   time.Time // the upstream refuses marks: none until then
}

// pause is how long no marks are set where they were refused.
const pause = time.Hour

const (
	firstPurse = 50_000
	fullPurse  = 1_000_000
	purseShare = 0.01
	// readSaves is the share of the price that a read saves, on the models where
	// it saves the least.
	readSaves = 0.9
)

// premium is how much more a token costs that is written to the cache.
func premium(ttl time.Duration) float64 {
	if ttl == longTTL {
		return 1
	}
	return 0.25
}

func (h *habits) purse(subject uint64) *purse {
	p := h.purses[subject]
	if p == nil {
		shrink(h.purses, maxPurses-1)
		p = &purse{tokens: firstPurse}
		h.purses[subject] = p
	}
	return p
}

// settle takes what a request has used.
func (p *purse) settle(ttl time.Duration, input, read, written float64) {
	p.tokens += purseShare*input + readSaves*read - premium(ttl)*written
	p.tokens = min(p.tokens, fullPurse)
}

// worthIt reports whether keeping a prefix pays: it will be read p/(1-p) times,
// if each request is gone on from with the chance p, and that must save twice
// what writing costs more.
func worthIt(ttl time.Duration, p float64) bool {
	return readSaves*p >= 2*premium(ttl)*(1-p)
}
