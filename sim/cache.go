package sim

import (
	"encoding/binary"
	"hash/maphash"
	"sync"
	"time"
)

// The bounds of prompt caching: Anthropic docs, prompt caching.
const (
	lookback   = 20      // blocks before a mark that may hold an older entry
	maxEntries = 200_000 // of the simulator's memory
	shortTTL   = 5 * time.Minute
	longTTL    = time.Hour
)

// promptCache remembers prefixes of requests by their hash, apart for each
// workspace. It is safe for concurrent use. When it is full, expired entries
// go first, then any.
type promptCache struct {
	seed maphash.Seed

	mu      sync.Mutex
	entries map[uint64]cacheEntry
}

type cacheEntry struct {
	expires instant
	ttl     time.Duration
}

func newPromptCache() *promptCache {
	return &promptCache{seed: maphash.MakeSeed(), entries: map[uint64]cacheEntry{}}
}

// cachePlan is what a request reads from the cache and will write to it.
type cachePlan struct {
	read, write5m, write1h int
	commits                []commit
}

type commit struct {
	key uint64
	ttl time.Duration
}

// uncached is what the request pays in full.
func (p cachePlan) uncached(total int) int { return total - p.read - p.write5m - p.write1h }

// plan looks up what of q is cached in the workspace. Nothing is written: an
// entry can be read only after the first answer begins, so [promptCache.commit]
// comes later.
func (c *promptCache) plan(now instant, workspace string, q *request) cachePlan {
	if q.uncached {
		return cachePlan{}
	}
	keys, sums := c.prefixes(workspace, q)
	marks := q.marks()
	c.mu.Lock()
	defer c.mu.Unlock()
	best := -1
	for _, m := range marks {
		for j := m.at; j >= max(0, m.at-lookback) && j > best; j-- {
			if e, ok := c.entries[keys[j]]; ok && e.expires > now {
				best = j
			}
		}
	}
	var p cachePlan
	before := 0
	if best >= 0 {
		p.read = sums[best]
		before = p.read
		p.commits = append(p.commits, commit{keys[best], c.entries[keys[best]].ttl})
	}
	for _, m := range marks {
		if m.at <= best || sums[m.at] < q.model.CacheMinimum {
			continue // below the minimum nothing is cached, silently
		}
		written := sums[m.at] - before
		before = sums[m.at]
		if m.ttl == longTTL {
			p.write1h += written
		} else {
			p.write5m += written
		}
		p.commits = append(p.commits, commit{keys[m.at], m.ttl})
	}
	return p
}

// commit makes the entries readable, and refreshes those that were read.
func (c *promptCache) commit(now instant, p cachePlan) {
	if len(p.commits) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.entries) >= maxEntries {
		c.shrink(now)
	}
	for _, m := range p.commits {
		c.entries[m.key] = cacheEntry{expires: now + m.ttl, ttl: m.ttl}
	}
}

// shrink makes room for a tenth of the bound.
func (c *promptCache) shrink(now instant) {
	for key, e := range c.entries {
		if e.expires <= now {
			delete(c.entries, key)
		}
	}
	for key := range c.entries {
		if len(c.entries) < maxEntries*9/10 {
			return
		}
		delete(c.entries, key)
	}
}

// prefixes returns for every block the hash of all up to it, and their tokens.
func (c *promptCache) prefixes(workspace string, q *request) (keys []uint64, sums []int) {
	keys, sums = make([]uint64, len(q.blocks)), make([]int, len(q.blocks))
	sum := q.total
	for _, b := range q.blocks {
		sum -= b.tokens // what is left is overhead, which comes first
	}
	var h maphash.Hash
	h.SetSeed(c.seed)
	h.WriteString(workspace + "\x00" + q.model.ID + "\x00" + q.speed)
	key := h.Sum64()
	for i, b := range q.blocks {
		h.Reset()
		h.Write(binary.LittleEndian.AppendUint64([]byte{b.role}, key))
		hashBlock(&h, b.node)
		key = h.Sum64()
		sum += b.tokens
		keys[i], sums[i] = key, sum
	}
	return keys, sums
}

// hashBlock hashes a block without its mark, which clients move about.
func hashBlock(h *maphash.Hash, v *value) {
	if v.kind == kindString || v.get("type").text() == "text" {
		h.WriteString("text\x00" + v.text() + v.get("text").text())
		return
	}
	for i, key := range v.keys {
		if key != "cache_control" {
			h.WriteString(key + "\x00" + v.list[i].raw + "\x00")
		}
	}
}

// mark is a place up to which the client wants the prefix cached.
type mark struct {
	at  int
	ttl time.Duration
}

// marks returns the marks in order. Automatic caching marks the last block.
func (q *request) marks() []mark {
	var marks []mark
	for i, b := range q.blocks {
		c := b.cache
		if c == nil && q.autoCache != nil && i == len(q.blocks)-1 {
			c = q.autoCache
		}
		if c == nil {
			continue
		}
		m := mark{at: i, ttl: shortTTL}
		if c.get("ttl").text() == "1h" {
			m.ttl = longTTL
		}
		marks = append(marks, m)
	}
	return marks
}
