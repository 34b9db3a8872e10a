// Package keys chooses the credential that pays for a call, and remembers
// which of them cannot pay: a spend cap, no credit, a refused key. Such a
// state is re-checked by letting a single call through now and then.
package keys

import (
	"cmp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Recheck is how often one call is let through to see whether a block has
// ended before its date, or a block without a date at all.
const Recheck = time.Minute

// maxStates bounds what callers with ever new keys can make Weir remember.
const maxStates = 10_000

// Room holds the keys. With a pool, callers' own credentials are never sent
// upstream; without one, each caller pays with its own. It is safe for
// concurrent use.
type Room struct {
	pool atomic.Pointer[[]call.Key] // replaced as a whole

	changed chan struct{} // capacity 1

	mu     sync.Mutex // guards the maps
	owner  map[string]string
	blocks map[string]*block // by organization or fingerprint
}

type block struct {
	verdict call.Verdict
	since   time.Time
	probe   time.Time // when the next call is let through
}

// New returns the room. An empty pool means pass-through mode.
func New(pool []call.Key) *Room {
	r := &Room{owner: map[string]string{}, blocks: map[string]*block{}, changed: make(chan struct{}, 1)}
	r.pool.Store(&pool)
	return r
}

// Replace puts other keys in the place of the pool's. Calls under way end with
// the key they have; those that wait are paid by a key of the new pool.
func (r *Room) Replace(pool []call.Key) { r.pool.Store(&pool) }

func (r *Room) keys() []call.Key { return *r.pool.Load() }

// Pick returns the key that pays for c, or a [*call.Refusal] if there is none
// or if all are blocked. Of several, it is the one of c's conversation, unless
// expect says that another would let c go much sooner.
func (r *Room) Pick(now time.Time, c *call.Call, expect call.Forecast) (call.Key, error) {
	if pool := r.keys(); len(pool) > 0 {
		return r.choose(now, c, pool, expect)
	}
	if c.Credential.Secret.Empty() {
		return c.Credential, &call.Refusal{Reason: call.NoKey}
	}
	return c.Credential, r.usable(now, c.Credential)
}

// scopes are the names under which a block of the key may be filed.
func (r *Room) scopes(key call.Key) [2]string {
	return [2]string{key.Print, r.owner[key.Print]}
}

// blocked decides whether b still holds. The caller holds r.mu.
func (r *Room) blocked(now time.Time, scope string, b *block) error {
	if !b.verdict.Until.IsZero() && !now.Before(b.verdict.Until) {
		delete(r.blocks, scope)
		return nil
	}
	if !now.Before(b.probe) {
		b.probe = now.Add(Recheck)
		return nil
	}
	refusal := &call.Refusal{Reason: call.AccountBlocked, Verdict: b.verdict}
	if !b.verdict.Until.IsZero() {
		refusal.RetryIn = b.verdict.Until.Sub(now)
	}
	return refusal
}

// Observe learns from the answer to a call that key paid for: which
// organization it belongs to, and whether it can pay.
func (r *Room) Observe(now time.Time, key call.Key, l call.Limits, v call.Verdict) {
	if !v.Account() && l.Organization == "" && v.Kind != call.OK {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bound()
	if l.Organization != "" {
		r.owner[key.Print] = l.Organization
	}
	switch {
	case v.Account():
		if v.Kind == call.BadKey && len(r.keys()) == 0 {
			return // the caller's own mistake, which the upstream tells best
		}
		r.blocks[r.scope(key, v)] = &block{verdict: v, since: now, probe: now.Add(Recheck)}
		r.tell()
	case v.Kind == call.OK:
		for _, scope := range r.scopes(key) {
			if r.blocks[scope] != nil {
				delete(r.blocks, scope)
				r.tell()
			}
		}
	}
}

// scope is what a verdict blocks: a bad key or a workspace's limit only this
// key, everything else the whole organization.
func (r *Room) scope(key call.Key, v call.Verdict) string {
	if v.Kind == call.BadKey || v.Workspace {
		return key.Print
	}
	return cmp.Or(r.owner[key.Print], key.Print)
}

// bound forgets arbitrary owners when there are too many. Their organization
// is learned again from the next answer. The caller holds r.mu.
func (r *Room) bound() {
	for print := range r.owner {
		if len(r.owner) < maxStates {
			break
		}
		delete(r.owner, print)
	}
	for scope := range r.blocks {
		if len(r.blocks) < maxStates {
			break
		}
		delete(r.blocks, scope)
	}
}

// Report describes the pool's keys and everything that is blocked.
func (r *Room) Report(now time.Time) []call.KeyReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := []call.KeyReport{}
	reported := map[string]bool{}
	for _, key := range r.keys() {
		k := call.KeyReport{Name: key.Name, Organization: r.owner[key.Print], SameQuota: r.siblings(key), State: "ok"}
		for _, scope := range r.scopes(key) {
			reported[scope] = true
			r.blocks[scope].describe(now, &k)
		}
		out = append(out, k)
	}
	for scope, b := range r.blocks {
		if !reported[scope] {
			k := call.KeyReport{Name: scope, State: "ok"}
			b.describe(now, &k)
			out = append(out, k)
		}
	}
	return out
}

// siblings names the pool's other keys of the same organization. The caller
// holds r.mu.
func (r *Room) siblings(key call.Key) (names []string) {
	owner := r.owner[key.Print]
	for _, other := range r.keys() {
		if owner != "" && other.Print != key.Print && r.owner[other.Print] == owner {
			names = append(names, other.Name)
		}
	}
	return names
}

// describe fills in a report if b is a block that still holds.
func (b *block) describe(now time.Time, k *call.KeyReport) {
	if b == nil || (!b.verdict.Until.IsZero() && !now.Before(b.verdict.Until)) {
		return
	}
	k.State, k.Reason, k.Message = "blocked", b.verdict.Kind.String(), b.verdict.Message
	if !b.verdict.Until.IsZero() {
		k.Until = &b.verdict.Until
	}
}
