package cache

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-gateway/weir/call"
)

// store holds sealed entries outside of the process. It is safe for concurrent
// use.
type store interface {
	// load returns the entry of k and whose it is, or nothing.
	load(ctx context.Context, k key) (owner, []byte, error)
	save(ctx context.Context, list []sealed) error
	// purge removes what was asked for until then, on behalf of one owner or, if
	// of is nil, of anybody. tell lets other instances hear of it.
	purge(ctx context.Context, of *owner, at time.Time, tell bool) error
	// tend does what is to be done once in a while, until ctx is done.
	tend(ctx context.Context)
	bytes() int64
	close() error
}

// sealed is an entry as a store gets it.
type sealed struct {
	key   key
	owner owner
	asked time.Time
	value []byte
}

// Bounds of what waits to be written.
const (
	maxQueued      = 1024
	maxQueuedBytes = 64 << 20
	maxBatch       = 64
)

const (
	rest         = time.Second // without the store after it has failed
	writeTimeout = 5 * time.Second
)

// keeper stands between the calls and a store: it writes behind their backs,
// reads within a small budget of time, and leaves a store alone for a moment
// that has failed. What it cannot write in time is lost.
type keeper struct {
	// Static after openStores.
	name   string
	store  store
	sealer sealer
	budget time.Duration
	purged func(owner, time.Time) bool
	log    *slog.Logger
	queue  chan queued

	queuedBytes atomic.Int64
	lost        atomic.Uint64

	writing sync.Mutex // held while a batch is checked and written, and for a purge

	mu    sync.Mutex // guards everything below
	until time.Time  // when the store is tried again
	err   error      // why it is away; nil: it is not
}

type queued struct {
	key   key
	entry *entry
}

// get reads an entry. What does not open is none.
func (k *keeper) get(ctx context.Context, of key) (*entry, bool) {
	if k.resting() {
		return nil, false
	}
	limited, cancel := context.WithTimeout(ctx, k.budget)
	defer cancel()
	whose, value, err := k.store.load(limited, of)
	if ctx.Err() != nil {
		return nil, false // the client has left, and the store may be well
	}
	k.note(err)
	if err != nil || value == nil {
		return nil, false
	}
	e, err := k.sealer.open(of, whose, value)
	return e, err == nil
}

// put has an entry written soon.
func (k *keeper) put(of key, e *entry) {
	size := int64(e.size())
	if k.queuedBytes.Add(size) > maxQueuedBytes {
		k.queuedBytes.Add(-size)
		k.lost.Add(1)
		return
	}
	select {
	case k.queue <- queued{of, e}:
	default:
		k.queuedBytes.Add(-size)
		k.lost.Add(1)
	}
}

// run writes until ctx is done, and then what is left.
func (k *keeper) run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { k.store.tend(ctx) })
	defer wg.Wait()
	for {
		select {
		case first := <-k.queue:
			k.write(first)
		case <-ctx.Done():
			for {
				select {
				case first := <-k.queue:
					k.write(first)
				default:
					return
				}
			}
		}
	}
}

// write writes an entry and those that wait behind it, together.
func (k *keeper) write(next queued) {
	batch := make([]sealed, 0, maxBatch)
	for {
		k.queuedBytes.Add(-int64(next.entry.size()))
		if value, err := k.sealer.seal(next.key, next.entry); err == nil {
			batch = append(batch, sealed{next.key, next.entry.Owner, next.entry.Asked, value})
		}
		if len(batch) == maxBatch {
			break
		}
		select {
		case next = <-k.queue:
			continue
		default:
		}
		break
	}
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	k.writing.Lock()
	defer k.writing.Unlock()
	batch = slices.DeleteFunc(batch, func(e sealed) bool { return k.purged(e.owner, e.asked) })
	err := errResting
	if !k.resting() {
		err = k.store.save(ctx, batch)
		k.note(err)
	}
	if err != nil {
		k.lost.Add(uint64(len(batch)))
	}
}

// errResting says that a store is left alone.
var errResting = errors.New("the store has just failed")

func (k *keeper) purge(of *owner, at time.Time, tell bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	k.writing.Lock()
	defer k.writing.Unlock()
	err := k.store.purge(ctx, of, at, tell)
	k.note(err)
	return err
}

// note remembers how the store is. A change for the worse is told once.
func (k *keeper) note(err error) {
	k.mu.Lock()
	was := k.err
	k.err = err
	if err != nil {
		k.until = time.Now().Add(rest)
	}
	k.mu.Unlock()
	switch {
	case err != nil && was == nil:
		k.log.Warn("a store of the cache is away: the others go on without it", "store", k.name, "cause", err)
	case err == nil && was != nil:
		k.log.Info("a store of the cache is back", "store", k.name)
	}
}

func (k *keeper) resting() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err != nil && time.Now().Before(k.until)
}

func (k *keeper) report() call.CacheStoreReport {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := call.CacheStoreReport{Name: k.name, State: "ok", Bytes: k.store.bytes(), Lost: k.lost.Load()}
	if k.err != nil {
		r.State, r.Error = "away", k.err.Error()
	}
	return r
}
