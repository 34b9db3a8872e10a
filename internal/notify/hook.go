package notify

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-gateway/weir/call"
)

// outcome is what became of a post, or of a warning that got none.
type outcome uint8

const (
	sent       outcome = iota // posts that were taken
	retried                   // tries that failed and were followed by another
	failed                    // posts that were given up
	refused                   // posts that the other side will not take
	suppressed                // warnings that were not told again
	dropped                   // warnings that found the queue full
	numOutcomes
)

// String returns the word of the metrics.
func (o outcome) String() string {
	return [...]string{"sent", "retried", "failed", "refused", "suppressed", "dropped"}[o]
}

// event is a warning, or its end, that is to be told.
type event struct {
	warning call.Warning
	cleared bool
}

// memo is what a hook remembers of a matter.
type memo struct {
	at    time.Time // when people were told of it last
	level call.WarningLevel
	holds bool // as far as people know

	later *call.Warning // it holds, and is to be told of at due
	due   time.Time
}

// hook is one hook at work.
type hook struct {
	room   *Notifier
	spec   atomic.Pointer[Hook]
	wake   chan struct{} // capacity 1
	quit   chan struct{} // closed when the hook is removed
	counts [numOutcomes]atomic.Uint64

	mu    sync.Mutex // guards everything below
	every time.Duration
	queue []event
	memos map[string]*memo // by the warning's id
}

func newHook(n *Notifier) *hook {
	return &hook{room: n, wake: make(chan struct{}, 1), quit: make(chan struct{}), memos: map[string]*memo{}}
}

// tell queues what people do not know yet. The caller holds the notifier's mu.
func (h *hook) tell(now time.Time, raised, cleared []call.Warning) {
	spec := h.spec.Load()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.every = h.room.every
	for _, w := range cleared {
		if m := h.memos[w.ID]; m != nil {
			m.later = nil
			if m.holds {
				m.holds = false
				h.push(now, event{w, true})
			}
		}
	}
	for _, w := range raised {
		if len(spec.Levels) == 0 || slices.Contains(spec.Levels, w.Level) {
			h.raise(now, w)
		}
	}
	h.stir()
}

// raise queues a warning, unless it was told of a short while ago. Then it is
// told of later, if it still holds and people believe that it is over. The
// caller holds h.mu.
func (h *hook) raise(now time.Time, w call.Warning) {
	m := h.memos[w.ID]
	if m == nil {
		h.forget(now)
		m = &memo{}
		h.memos[w.ID] = m
	} else if now.Sub(m.at) < h.every && w.Level <= m.level {
		h.counts[suppressed].Add(1)
		if !m.holds {
			m.later, m.due = &w, m.at.Add(h.every)
		}
		return
	}
	*m = memo{at: now, level: w.Level, holds: true}
	h.push(now, event{w, false})
}

// push queues e. The oldest event makes room if need be. The caller holds h.mu.
func (h *hook) push(now time.Time, e event) {
	if len(h.queue) == maxQueue {
		h.counts[dropped].Add(1)
		h.unheard(now, h.queue[0])
		h.queue = slices.Delete(h.queue, 0, 1)
	}
	h.queue = append(h.queue, e)
}

// unheard says that an event did not reach anybody. A warning that still holds
// is told of again, later. The caller holds h.mu.
func (h *hook) unheard(now time.Time, e event) {
	m := h.memos[e.warning.ID]
	if e.cleared || m == nil || !m.holds {
		return
	}
	m.holds, m.later, m.due = false, &e.warning, now.Add(h.every)
}

// forget drops what is too old to matter, and more if there is too much. The
// caller holds h.mu.
func (h *hook) forget(now time.Time) {
	if len(h.memos) < maxMemory {
		return
	}
	for id, m := range h.memos {
		if !m.holds && m.later == nil || len(h.memos) >= 2*maxMemory {
			delete(h.memos, id)
		}
	}
}

// stir wakes the worker.
func (h *hook) stir() {
	select {
	case h.wake <- struct{}{}:
	default: // it has not seen the last one yet
	}
}

// take empties the queue, as far as one post may hold. It also says when there
// will be more; the zero time if that is not known.
func (h *hook) take(now time.Time) (batch []event, next time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.memos {
		switch {
		case m.later == nil:
		case !now.Before(m.due):
			w := *m.later
			w.EmptyIn = nil // that was then
			*m = memo{at: now, level: w.Level, holds: true}
			h.push(now, event{w, false})
		case next.IsZero() || m.due.Before(next):
			next = m.due
		}
	}
	n := min(len(h.queue), maxBatch)
	batch = slices.Clone(h.queue[:n])
	h.queue = slices.Delete(h.queue, 0, n)
	return batch, next
}

// run posts what is queued until the hook is removed, or until stopping is
// closed and nothing is left. ctx ends the posts.
func (h *hook) run(ctx context.Context, stopping <-chan struct{}) {
	for {
		select {
		case <-h.quit:
			return
		default:
		}
		batch, next := h.take(time.Now())
		if len(batch) > 0 {
			h.post(ctx, batch)
			continue
		}
		var later <-chan time.Time
		if !next.IsZero() {
			later = time.After(time.Until(next))
		}
		select {
		case <-h.wake:
		case <-later:
		case <-h.quit:
			return
		case <-stopping:
			if batch, _ := h.take(time.Now()); len(batch) > 0 {
				h.post(ctx, batch)
				continue
			}
			return
		}
	}
}

// lost says that a batch did not reach anybody.
func (h *hook) lost(batch []event) {
	now, every := time.Now(), h.room.interval()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.every = every
	for _, e := range batch {
		h.unheard(now, e)
	}
}
