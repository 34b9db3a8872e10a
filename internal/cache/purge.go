package cache

import (
	"errors"
	"sync"
	"time"
)

// purges remembers what was purged when: an answer that was asked for before is
// not kept when it comes, and does not come back out of a store that was out of
// reach.
type purges struct {
	mu     sync.Mutex // guards everything below
	all    time.Time
	owners map[owner]time.Time
}

// maxPurges bounds the tenants that are remembered. With one more, everything
// counts as purged.
const maxPurges = 10_000

// add notes a purge of one tenant's answers, or of all of them if of is nil.
func (p *purges) add(of *owner, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if of == nil || len(p.owners) >= maxPurges {
		clear(p.owners)
		if at.After(p.all) {
			p.all = at
		}
		return
	}
	if p.owners == nil {
		p.owners = map[owner]time.Time{}
	}
	if at.After(p.owners[*of]) {
		p.owners[*of] = at
	}
}

// covers reports whether an answer asked for then was purged since.
func (p *purges) covers(of owner, asked time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !asked.After(p.all) || !asked.After(p.owners[of])
}

// Purge forgets the answers that were asked for on behalf of a tenant until
// now; "" means everybody's. Answers under way are not kept. It returns when
// the memory and the disk have forgotten them; other instances that share a
// Redis follow within seconds.
func (r *Room) Purge(tenant string) error {
	var of *owner
	if tenant != "" {
		o := r.ownerOf(tenant)
		of = &o
	}
	return r.purge(of, time.Now(), true)
}

func (r *Room) purge(of *owner, at time.Time, tell bool) error {
	r.purges.add(of, at)
	r.memory.drop(func(e *entry) bool { return r.purges.covers(e.Owner, e.Asked) })
	var errs []error
	for _, s := range r.stores {
		errs = append(errs, s.purge(of, at, tell))
	}
	return errors.Join(errs...)
}
