package keys

import (
	"bytes"
	"cmp"
	"hash/fnv"
	"slices"
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
// go much sooner, or where c's has just failed it. What is bound to a workspace
// always goes to the first key.
func (r *Room) choose(now time.Time, c *call.Call, pool []call.Key, o call.Outlook) (call.Key, error) {
	if i := slices.IndexFunc(pool, func(k call.Key) bool { return c.Bound != "" && k.Print == c.Bound }); i >= 0 {
		return pool[i], r.only(now, c, pool[i], o)
	}
	if len(pool) == 1 || bound(c) {
		return pool[0], r.only(now, c, pool[0], o)
	}
	var room [8]*call.Key // on the stack: pools are small
	usable := room[:0]
	var refusal *call.Refusal
	for i := range pool {
		key := &pool[i]
		no, due := r.state(now, c, *key, o)
		switch {
		case due && r.take(now, *key):
			return *key, nil // c finds out whether it can pay again
		case no != nil || due:
			refusal = sooner(refusal, no)
		default:
			usable = append(usable, key)
		}
	}
	if len(usable) == 0 {
		return pool[0], refusal
	}
	return *rank(now, c, elsewhere(usable, c), o), nil
}

// rank returns the key of c's conversation, or one that would serve it much
// sooner.
func rank(now time.Time, c *call.Call, usable []*call.Key, o call.Outlook) *call.Key {
	var (
		own, best  *call.Key
		highest    uint64
		wait, home time.Duration
	)
	for _, key := range usable {
		var w time.Duration
		if o.Wait != nil {
			w = o.Wait(now, c, *key)
		}
		if best == nil || w < wait {
			best, wait = key, w
		}
		if h := affinity(c, key.Print); own == nil || h > highest {
			own, highest, home = key, h, w
		}
	}
	if home <= wait+Patience {
		return own
	}
	return best
}

// elsewhere leaves out the keys of the upstream that has just failed c, if
// there are others.
func elsewhere(usable []*call.Key, c *call.Call) []*call.Key {
	if c.Shunned.Print == "" {
		return usable
	}
	others := make([]*call.Key, 0, len(usable))
	for _, key := range usable {
		if key.Upstream != c.Shunned.Upstream {
			others = append(others, key)
		}
	}
	if len(others) == 0 {
		return usable
	}
	return others
}

// only lets c be paid by key, for there is no other, or says why not.
func (r *Room) only(now time.Time, c *call.Call, key call.Key, o call.Outlook) error {
	no, due := r.state(now, c, key, o)
	if no == nil || due && r.take(now, key) {
		return nil
	}
	return no
}

// state says why key cannot pay for c now, or nil; due means that its block is
// to be looked at again, and that c may do it.
func (r *Room) state(now time.Time, c *call.Call, key call.Key, o call.Outlook) (no *call.Refusal, due bool) {
	if o.Shut != nil {
		if no := o.Shut(now, c, key); no != nil {
			return no, false
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, scope := range r.scopes(key) {
		b := r.blocks[scope]
		switch {
		case b == nil:
			continue
		case b.over(now):
			delete(r.blocks, scope)
			tell(r.changed)
			continue
		}
		return b.refusal(now), r.late(now, b)
	}
	return nil, false
}

// late reports whether a call may look at a block.
func (r *Room) late(now time.Time, b *block) bool {
	if len(r.keys()) == 0 {
		return !now.Before(b.recheck) // nobody else has the callers' keys
	}
	return !now.Before(b.recheck.Add(grace))
}

// take lets one call, and no other, look at the blocks of key. It reports false
// if another call was quicker.
func (r *Room) take(now time.Time, key call.Key) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, scope := range r.scopes(key) {
		b := r.blocks[scope]
		if b == nil {
			continue
		}
		if !r.late(now, b) {
			return false
		}
		b.looked(now)
	}
	return true
}

// refusal is what a call hears of the block.
func (b *block) refusal(now time.Time) *call.Refusal {
	no := &call.Refusal{Reason: call.AccountBlocked, Verdict: b.verdict}
	if !b.verdict.Until.IsZero() {
		no.RetryIn = b.verdict.Until.Sub(now)
	}
	return no
}

// sooner keeps the refusal that ends first; one without an end ends last.
func sooner(a, b *call.Refusal) *call.Refusal {
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
