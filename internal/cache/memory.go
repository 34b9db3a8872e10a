package cache

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// memory holds entries up to so many bytes. What is asked for least makes room.
type memory struct {
	cache   *otter.Cache[key, *entry]
	maxAge  atomic.Int64 // a time.Duration
	keepOld atomic.Bool  // until there is no more room
	evicted atomic.Uint64
}

// openMemory returns an empty memory. It has no goroutine of its own: age is
// looked at when an entry is read, and by sweep.
func openMemory(maxBytes int64, maxAge time.Duration) (*memory, error) {
	m := &memory{}
	m.maxAge.Store(int64(maxAge))
	cache, err := otter.New(&otter.Options[key, *entry]{
		MaximumWeight: uint64(maxBytes),
		Weigher:       func(_ key, e *entry) uint32 { return uint32(min(e.size(), math.MaxUint32)) },
		OnAtomicDeletion: func(d otter.DeletionEvent[key, *entry]) {
			if d.Cause == otter.CauseOverflow {
				m.evicted.Add(1)
			}
		},
	})
	m.cache = cache
	return m, err
}

// get returns the entry of k if it is there and young enough.
func (m *memory) get(now time.Time, k key) (*entry, bool) {
	e, ok := m.cache.GetIfPresent(k)
	if !ok || m.old(now, e) {
		return nil, false
	}
	return e, true
}

func (m *memory) old(now time.Time, e *entry) bool { return now.Sub(e.Asked) >= m.age() }

// age is how old an entry may become.
func (m *memory) age() time.Duration { return time.Duration(m.maxAge.Load()) }

func (m *memory) put(k key, e *entry) { m.cache.Set(k, e) }

// drop removes what no longer may be there.
func (m *memory) drop(gone func(*entry) bool) {
	for k, e := range m.cache.All() {
		if gone(e) {
			m.cache.Invalidate(k)
		}
	}
}

// sweep removes what is too old.
func (m *memory) sweep(now time.Time) {
	if m.keepOld.Load() {
		return
	}
	m.drop(func(e *entry) bool { return m.old(now, e) })
}

// configure changes the bounds.
func (m *memory) configure(maxBytes int64, maxAge time.Duration) {
	m.maxAge.Store(int64(maxAge))
	m.cache.SetMaximum(uint64(maxBytes))
}

func (m *memory) size() (entries, bytes int64) {
	m.cache.CleanUp()
	return int64(m.cache.EstimatedSize()), int64(m.cache.WeightedSize())
}
