// Package admit lets calls out to the upstream when the quota allows it, and
// lets them wait their turn until then. There is one lane per organization
// and model group: a belief about its buckets and a bounded queue. Nothing
// polls: a lane wakes when its head may go, when an answer changes the
// belief, or when a waiter leaves.
package admit

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/fair"
	"github.com/weir-gateway/weir/internal/quota"
)

// Config bounds the queues. The zero Config works.
type Config struct {
	MaxWaiting int64 // calls that may wait at once; 0: 100,000
	MaxBytes   int64 // of their bodies together; 0: 1 GiB
	AtOnce     int   // calls that may be under way at once, whoever pays; 0: as many as the quota bears

	Fair    fair.Config        // shares of the classes, bounds of tenants and sessions
	Weights map[string]float64 // of tenants against each other; missing: 1
}

// Defaults of [Config], and the number of lanes from which idle ones are
// forgotten.
const (
	DefaultMaxWaiting = 100_000
	DefaultMaxBytes   = 1 << 30
	maxLanes          = 4096
)

// Room admits calls. It is safe for concurrent use.
type Room struct {
	// Static after New.
	cfg    Config
	groups *quota.Groups
	gate   *gate

	waiting atomic.Int64 // calls in all queues
	bytes   atomic.Int64 // their bodies

	mu    sync.RWMutex // guards the maps; taken before any lane's lock
	lanes map[laneKey]*lane
	alias map[string]string        // key fingerprint → organization, once known
	space map[string]string        // key fingerprint → workspace, once known
	told  map[string]*quota.Groups // by organization; see Configure
}

// laneKey names a lane. The account is the organization's id, or the key's
// fingerprint until an answer has told the organization.
type laneKey struct{ account, group string }

// New returns the room with nothing known about any organization.
func New(cfg Config, groups *quota.Groups) *Room {
	cfg.MaxWaiting = cmp.Or(cfg.MaxWaiting, DefaultMaxWaiting)
	cfg.MaxBytes = cmp.Or(cfg.MaxBytes, DefaultMaxBytes)
	return &Room{
		cfg: cfg, groups: groups, gate: &gate{most: cfg.AtOnce, held: map[*lane]bool{}}, lanes: map[laneKey]*lane{},
		alias: map[string]string{}, space: map[string]string{}, told: map[string]*quota.Groups{},
	}
}

// Admit waits until a call paid by the key with the given fingerprint may be
// sent, and returns the permit for one attempt. It ends early with a
// [*call.Refusal] when the call can never fit, when there is no place to
// wait, at the call's deadline, or when ctx is done. A call that comes back
// after a failed attempt takes its old place.
func (r *Room) Admit(ctx context.Context, c *call.Call, print string) (*call.Permit, error) {
	for {
		now := time.Now()
		ln := r.lane(print, c.Pool, c.Model)
		w := newWaiter(now, c, print, r.cfg.Weights[c.Tenant])
		w.demand.Workspace = r.workspace(print)
		permit, err := ln.enter(now, w)
		if err == errMoved {
			continue // the lane has just joined another one
		}
		if permit != nil || err != nil {
			return permit, err
		}
		return r.await(ctx, c, w)
	}
}

// await sleeps until the queued waiter is granted, refused, late or left.
func (r *Room) await(ctx context.Context, c *call.Call, w *waiter) (*call.Permit, error) {
	timer := time.NewTimer(time.Until(c.Deadline))
	defer timer.Stop()
	var refusal *call.Refusal
	select {
	case <-w.answered:
		return w.result()
	case <-timer.C:
		refusal = &call.Refusal{Reason: call.TimedOut}
	case <-ctx.Done():
		refusal = &call.Refusal{Reason: call.ClientGone, Cause: context.Cause(ctx)}
	}
	now := time.Now()
	if r.leave(now, w, refusal) {
		return nil, refusal
	}
	// The grant crossed the departure: take it if the call can still use it.
	<-w.answered
	if w.refused != nil || refusal.Reason == call.TimedOut {
		return w.result()
	}
	w.permit.Release(now)
	return nil, refusal
}

// leave takes w out of its queue and completes its refusal with what the
// queue knows. It reports false if w had already been answered.
func (r *Room) leave(now time.Time, w *waiter, refusal *call.Refusal) bool {
	for {
		ln := w.lane.Load()
		if done, left := ln.leave(now, w, refusal); done {
			return left
		}
	}
}

// lane returns the lane that a key's calls for a model, or for a pool of its
// own, go through.
func (r *Room) lane(print, pool, model string) *lane {
	r.mu.RLock()
	key, _ := r.keyOf(print, pool, model)
	ln := r.lanes[key]
	r.mu.RUnlock()
	if ln != nil {
		return ln
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	key, countCached := r.keyOf(print, pool, model)
	if ln = r.lanes[key]; ln == nil {
		r.forgetIdle()
		now := time.Now()
		ln = newLane(r, key, quota.NewGroup(now, countCached))
		r.place(now, key, ln)
	}
	return ln
}

// workspace is that of a key, or empty while it is not known.
func (r *Room) workspace(print string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.space[print]
}

// forgetIdle drops lanes that nobody uses, so that a caller with ever new keys
// cannot fill the memory. The caller holds r.mu.
func (r *Room) forgetIdle() {
	if len(r.lanes) < maxLanes {
		return
	}
	used := map[string]bool{}
	for key, ln := range r.lanes {
		if ln.idle() {
			delete(r.lanes, key)
		} else {
			used[key.account] = true
		}
	}
	for print, account := range r.alias {
		if !used[account] {
			delete(r.alias, print)
			delete(r.space, print)
		}
	}
}

// learn takes what an answer says of the key that paid.
func (r *Room) learn(print string, l call.Limits) {
	if l.Workspace != "" && r.workspace(print) != l.Workspace {
		r.mu.Lock()
		r.space[print] = l.Workspace
		r.mu.Unlock()
	}
	if l.Organization != "" {
		r.adopt(print, l.Organization)
	}
}

// adopt learns that a key belongs to an organization: its lanes take the
// organization's name, or join the lanes that the organization has already.
func (r *Room) adopt(print, organization string) {
	r.mu.RLock()
	known := r.alias[print] == organization
	r.mu.RUnlock()
	if known || print == organization {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	old := cmp.Or(r.alias[print], print)
	r.alias[print] = organization
	if old != print {
		return // the key moved to another organization: the old lanes stay others'
	}
	now := time.Now()
	for key, ln := range r.lanes {
		if key.account != old {
			continue
		}
		delete(r.lanes, key)
		key.account = organization
		key.group = r.groupsOf(organization).Successor(r.groups, key.group)
		r.place(now, key, ln)
	}
}

// admitted counts a waiter in, unless the bounds are reached.
func (r *Room) admitted(size int) bool {
	waiting, bytes := r.waiting.Add(1), r.bytes.Add(int64(size))
	if waiting > r.cfg.MaxWaiting || bytes > r.cfg.MaxBytes {
		r.left(size)
		return false
	}
	return true
}

// left counts a waiter out.
func (r *Room) left(size int) {
	r.waiting.Add(-1)
	r.bytes.Add(-int64(size))
}
