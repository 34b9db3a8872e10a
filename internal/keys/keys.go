// Package keys chooses the credential that pays for a call, and remembers
// which of them cannot pay: a spend cap, no credit, a refused key. Such a
// state is re-checked by a cheap call of the gateway's own now and then, or,
// where the gateway has no key, by letting a single call through.
package keys

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Recheck is after how long a block is looked at again, whether it has ended
// before its date or has none. Each look that finds it doubles the time, up to
// maxRecheck.
const (
	Recheck    = time.Minute
	maxRecheck = 16 * time.Minute
)

// grace is how long after its time a re-check of the pool is left to whoever
// runs [Room.Due]. Then a call is let through instead.
const grace = 30 * time.Second

// maxStates bounds what callers with ever new keys can make Weir remember.
const maxStates = 10_000

// Room holds the keys. With a pool, callers' own credentials are never sent
// upstream; without one, each caller pays with its own. It is safe for
// concurrent use.
type Room struct {
	pool atomic.Pointer[[]call.Key] // replaced as a whole

	changed chan struct{} // capacity 1
	blocked chan struct{} // capacity 1

	mu     sync.Mutex // guards the maps
	owner  map[string]string
	blocks map[string]*block // by organization or fingerprint
}

type block struct {
	verdict call.Verdict
	model   string // that was asked for; "" if it is not known
	since   time.Time
	recheck time.Time // when it is looked at again
	every   time.Duration
}

// looked says that the block is being looked at.
func (b *block) looked(now time.Time) {
	b.recheck = now.Add(b.every)
	b.every = min(2*b.every, maxRecheck)
}

// over reports whether the block's date has come.
func (b *block) over(now time.Time) bool {
	return !b.verdict.Until.IsZero() && !now.Before(b.verdict.Until)
}

// New returns the room. An empty pool means pass-through mode.
func New(pool []call.Key) *Room {
	r := &Room{
		owner: map[string]string{}, blocks: map[string]*block{},
		changed: make(chan struct{}, 1), blocked: make(chan struct{}, 1),
	}
	r.pool.Store(&pool)
	return r
}

// Replace puts other keys in the place of the pool's. Calls under way end with
// the key they have; those that wait are paid by a key of the new pool.
func (r *Room) Replace(pool []call.Key) { r.pool.Store(&pool) }

func (r *Room) keys() []call.Key { return *r.pool.Load() }

// Pool lists the keys of the pool, in their order; none in pass-through mode.
func (r *Room) Pool() []call.Key { return slices.Clone(r.keys()) }

// Pick returns the key that pays for c, or a [*call.Refusal] if there is none
// or if none can be used. Of several, it is the one of c's conversation, unless
// the outlook of another one is much better.
func (r *Room) Pick(now time.Time, c *call.Call, o call.Outlook) (call.Key, error) {
	if pool := r.keys(); len(pool) > 0 {
		return r.choose(now, c, pool, o)
	}
	if c.Credential.Secret.Empty() {
		return c.Credential, &call.Refusal{Reason: call.NoKey}
	}
	return c.Credential, r.only(now, c, c.Credential, o)
}

// Sure returns the key that will pay for c, whatever comes: the caller's own, or
// that of a pool of one. The zero Key says that it depends.
func (r *Room) Sure(c *call.Call) call.Key {
	switch pool := r.keys(); len(pool) {
	case 0:
		return c.Credential
	case 1:
		return pool[0]
	}
	return call.Key{}
}

// scopes are the names under which a block of the key may be filed.
func (r *Room) scopes(key call.Key) [2]string {
	return [2]string{key.Print, r.owner[key.Print]}
}

// Observe learns from the answer to a call which organization its key belongs
// to, and whether it can pay.
func (r *Room) Observe(now time.Time, e call.Evidence) {
	key, v := e.Key, e.Verdict
	if !v.Account() && e.Limits.Organization == "" && v.Kind != call.OK {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bound()
	if e.Limits.Organization != "" {
		r.owner[key.Print] = e.Limits.Organization
	}
	switch {
	case v.Account():
		if v.Kind == call.BadKey && len(r.keys()) == 0 {
			return // the caller's own mistake, which the upstream tells best
		}
		r.block(now, r.scope(key, v), e)
	case v.Kind == call.OK:
		for _, scope := range r.scopes(key) {
			if r.blocks[scope] != nil {
				delete(r.blocks, scope)
				tell(r.changed)
			}
		}
	}
}

// block files what e says. One that is there already keeps its beginning, and
// is looked at ever more rarely. The caller holds r.mu.
func (r *Room) block(now time.Time, scope string, e call.Evidence) {
	b := r.blocks[scope]
	if b == nil {
		b = &block{since: now, every: Recheck}
		b.looked(now)
		r.blocks[scope] = b
	}
	b.verdict, b.model = e.Verdict, cmp.Or(e.Model, b.model)
	tell(r.changed)
	tell(r.blocked)
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
	for _, scope := range slices.Sorted(maps.Keys(r.blocks)) {
		if !reported[scope] {
			k := call.KeyReport{Name: scope, State: "ok"}
			r.blocks[scope].describe(now, &k)
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
	if b == nil || b.over(now) {
		return
	}
	k.State, k.Reason, k.Block, k.Message = "blocked", b.verdict.Kind.String(), b.verdict.Block(), b.verdict.Message
	k.Since, k.Until = &b.since, nil
	if !b.verdict.Until.IsZero() {
		k.Until = &b.verdict.Until
	}
}
