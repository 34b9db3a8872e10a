package estimate

import (
	"time"

	"github.com/weir-gateway/weir/call"
)

// prefixes remembers which beginnings of requests are in the upstream's prompt
// cache, and how many tokens they are. When it is full, expired entries go
// first, then any.
type prefixes struct {
	entries map[uint64]entry
	bound   int
}

type entry struct {
	tokens  float64
	expires time.Time
	ttl     time.Duration
}

const (
	maxPrefixes = 100_000
	// cacheMargin is kept from the end of an entry's life: the request waits,
	// and clocks differ.
	cacheMargin = 15 * time.Second
)

func newPrefixes() prefixes { return prefixes{entries: map[uint64]entry{}, bound: maxPrefixes} }

// find returns the longest of the list that is cached now, or nil. The salt
// tells one subject's entries from another's.
func (p *prefixes) find(now time.Time, salt uint64, list []call.Prefix) (*call.Prefix, entry) {
	for i := len(list) - 1; i >= 0; i-- {
		if e, ok := p.entries[list[i].Hash^salt]; ok && now.Before(e.expires.Add(-cacheMargin)) {
			return &list[i], e
		}
	}
	return nil, entry{}
}

// learn takes what a call read from the cache and wrote to it at the instant
// at: all of it up to its last mark. Reading an entry renews its life.
func (p *prefixes) learn(at time.Time, salt uint64, list []call.Prefix, tokens func(*call.Prefix) float64, u call.Usage) {
	covered := float64(u.CacheRead + u.CacheWrite)
	if len(list) == 0 || covered == 0 {
		return // below the model's minimum nothing is cached, silently
	}
	last := &list[len(list)-1] // the list ends with a mark
	scale := covered / max(tokens(last), 1)
	for i := range list {
		l := &list[i]
		old, known := p.entries[l.Hash^salt]
		switch {
		case known && old.tokens <= float64(u.CacheRead)*1.01:
			old.expires = at.Add(old.ttl)
			p.put(at, l.Hash^salt, old)
		case l == last:
			p.put(at, l.Hash^salt, entry{tokens: covered, expires: at.Add(l.TTL), ttl: l.TTL})
		case l.TTL > 0:
			p.put(at, l.Hash^salt, entry{tokens: scale * tokens(l), expires: at.Add(l.TTL), ttl: l.TTL})
		}
	}
}

func (p *prefixes) put(now time.Time, key uint64, e entry) {
	if _, known := p.entries[key]; !known && len(p.entries) >= p.bound {
		p.shrink(now)
	}
	p.entries[key] = e
}

// shrink makes room for a tenth of the bound.
func (p *prefixes) shrink(now time.Time) {
	for key, e := range p.entries {
		if !now.Before(e.expires) {
			delete(p.entries, key)
		}
	}
	for key := range p.entries {
		if len(p.entries) <= p.bound*9/10 {
			return
		}
		delete(p.entries, key)
	}
}
