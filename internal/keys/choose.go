package keys

import (
	"bytes"
	"cmp"
	"hash/fnv"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Patience is how much longer a call waits for the key of its conversation
// than for another one. The prompt cache is kept per workspace: moving a
// conversation throws it away (anthropic-api.md §5.5).
const Patience = 5 * time.Second

// choose picks the key of the pool that pays for c. The usable keys are ranked
// for c's conversation, so that each conversation has a key of its own as long
// as the pool does not change; another one is taken only where the call would
// go much sooner. What is bound to a workspace always goes to the first key.
func (r *Room) choose(now time.Time, c *call.Call, pool []call.Key, expect call.Forecast) (call.Key, error) {
	if len(pool) == 1 || bound(c) {
		return pool[0], r.usable(now, pool[0])
	}
	var (
		own, best  = -1, -1
		rank       uint64
		wait, home time.Duration
		refusal    *call.Refusal
	)
	for i, key := range pool {
		if err := r.usable(now, key); err != nil {
			refusal = sooner(refusal, err)
			continue
		}
		w := expect(now, c, key.Print)
		if best < 0 || w < wait {
			best, wait = i, w
		}
		if h := affinity(c, key.Print); own < 0 || h > rank {
			own, rank, home = i, h, w
		}
	}
	switch {
	case best < 0:
		return pool[0], refusal
	case home <= wait+Patience:
		return pool[own], nil
	}
	return pool[best], nil
}

// usable reports whether key can pay, or the refusal if it cannot.
func (r *Room) usable(now time.Time, key call.Key) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, scope := range r.scopes(key) {
		if b := r.blocks[scope]; b != nil {
			if err := r.blocked(now, scope, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// sooner keeps the refusal that ends first; one without an end ends last.
func sooner(a *call.Refusal, err error) *call.Refusal {
	b, _ := err.(*call.Refusal)
	if a == nil || (b.RetryIn > 0 && (a.RetryIn == 0 || b.RetryIn < a.RetryIn)) {
		return b
	}
	return a
}

// affinity ranks a key for c's conversation (rendezvous hashing): the highest
// wins, and a key that comes or goes moves only its own conversations.
func affinity(c *call.Call, print string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(cmp.Or(c.Session, c.Tenant)))
	h.Write([]byte{0})
	h.Write([]byte(print))
	return h.Sum64()
}

// bound reports whether c touches what lives in one workspace: batches, files,
// containers. They all live in that of the first key.
func bound(c *call.Call) bool {
	switch c.Pool {
	case call.PoolBatches, call.PoolFiles:
		return true
	}
	return bytes.Contains(c.Body, []byte(`"file_id"`)) || bytes.Contains(c.Body, []byte(`"container"`))
}
