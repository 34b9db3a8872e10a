package cache

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"
)

// sweepEvery is how often what is too old is removed.
const sweepEvery = time.Minute

// How long a call waits for a store before it goes on without it.
const (
	diskBudget  = 100 * time.Millisecond
	redisBudget = 5 * time.Millisecond
)

// openStores opens what there is to be besides the memory. What cannot be
// opened is told of, and done without.
func (r *Room) openStores() error {
	age := r.memory.age
	if r.cfg.Disk {
		d, err := openDisk(r.cfg.Folder, r.cfg.DiskBytes, age, r.log)
		if err != nil {
			r.log.Warn("there is no cache on disk: the memory goes on without it", "folder", r.cfg.Folder, "cause", err)
		} else {
			r.stores = append(r.stores, r.newKeeper("disk", d, diskBudget))
		}
	}
	if r.cfg.Redis.Address != "" {
		d, err := newRemote(r.cfg.Redis, age, func(of *owner, at time.Time) { _ = r.purge(of, at, false) })
		if err != nil {
			return err
		}
		r.stores = append(r.stores, r.newKeeper("redis", d, redisBudget))
	}
	return nil
}

func (r *Room) newKeeper(name string, s store, budget time.Duration) *keeper {
	return &keeper{
		name: name, store: s, sealer: r.sealer, budget: budget, purged: r.purges.covers, log: r.log,
		queue: make(chan queued, maxQueued),
	}
}

// Run tends the memory and the stores until ctx is done.
func (r *Room) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, s := range r.stores {
		wg.Go(func() { s.run(ctx) })
	}
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			r.memory.sweep(now)
		case <-ctx.Done():
			wg.Wait()
			return
		}
	}
}

// Configure changes the bounds of the memory and the age, at once. What is 0 is
// the default.
func (r *Room) Configure(maxBytes int64, maxAge time.Duration) {
	r.memory.configure(cmp.Or(maxBytes, DefaultMaxBytes), cmp.Or(maxAge, DefaultMaxAge))
}

// Close closes the stores. The room answers from its memory after it.
func (r *Room) Close() error {
	var errs []error
	for _, s := range r.stores {
		errs = append(errs, s.store.close())
	}
	return errors.Join(errs...)
}
