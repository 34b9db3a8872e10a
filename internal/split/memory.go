package split

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/textsplit"
)

// memory remembers how texts were cut. The parts of one that comes again are the
// same then, and the cache knows their answers, although estimates have learned
// meanwhile.
type memory struct {
	mu     sync.Mutex
	known  map[[sha256.Size]byte]cutting
	oldest [][sha256.Size]byte
}

// maxKnown bounds what is remembered.
const maxKnown = 64

// cutting is how the texts of a request were cut.
type cutting struct {
	size call.Tokens
	cuts [][]textsplit.Part // by text
}

// recall returns how the texts of j were cut before, or cuts them.
func (m *memory) recall(j *job) [][]textsplit.Part {
	key := j.key()
	m.mu.Lock()
	c, ok := m.known[key]
	m.mu.Unlock()
	if ok && j.fit(c) {
		j.size = c.size
		return c.cuts
	}
	c = cutting{size: j.size}
	for _, t := range j.cut {
		c.cuts = append(c.cuts, textsplit.Split(t.long(), textsplit.Bounds{Part: j.size, Overlap: j.cfg.Overlap}, j.cost))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		m.known = map[[sha256.Size]byte]cutting{}
	}
	if _, again := m.known[key]; !again {
		m.oldest = append(m.oldest, key)
	}
	m.known[key] = c
	if len(m.oldest) > maxKnown {
		delete(m.known, m.oldest[0])
		m.oldest = m.oldest[1:]
	}
	return c.cuts
}

// key tells apart what is cut, and how.
func (j *job) key() (sum [sha256.Size]byte) {
	h := sha256.New()
	fmt.Fprintln(h, j.call.Model, j.cfg.Above, j.cfg.Part, j.cfg.Overlap)
	for _, t := range j.cut {
		_ = binary.Write(h, binary.BigEndian, int64(len(t.long()))) // a hash takes all
		_, _ = h.Write([]byte(t.long()))
	}
	h.Sum(sum[:0])
	return sum
}

// fit reports whether texts may be cut now as they were before.
func (j *job) fit(c cutting) bool {
	if c.size < j.size/2 {
		return false
	}
	for i, parts := range c.cuts {
		long := j.cut[i].long()
		if slices.ContainsFunc(parts, func(p textsplit.Part) bool { return j.cost(long[p.From:p.To]) > j.most }) {
			return false
		}
	}
	return true
}
