package sim

import (
	"slices"
	"sync"
	"time"
)

// messageBatch is one batch. Nothing runs while nobody looks: what has become
// of its requests follows from the time.
type messageBatch struct {
	id      string
	owner   owner
	created instant
	items   []batchItem

	canceled   bool // guarded by the store
	canceledAt instant
	settled    bool // all that will be charged has been
}

// batchItem is one request of a batch with its answer.
type batchItem struct {
	id            string
	done          instant
	ok            bool
	result        []byte
	input, output int64

	due     billKey // where it is charged when it is done; the day is set then
	tokens  [numTokenKinds]int64
	charged bool // guarded by the store
}

// batchProgress is what has become of a batch.
type batchProgress struct {
	processing, succeeded, errored, canceledN, expired int
	input, output                                      int64 // of those that succeeded
	ended, canceled                                    bool
	end, canceledAt                                    instant
}

func (p batchProgress) counts() map[string]int {
	return map[string]int{
		"processing": p.processing, "succeeded": p.succeeded, "errored": p.errored,
		"canceled": p.canceledN, "expired": p.expired,
	}
}

// The fates of a request.
const (
	fateProcessing = iota
	fateDone
	fateCanceled
	fateExpired
)

// fate is what has become of one request.
func (b *messageBatch) fate(now instant, it *batchItem) int {
	switch expires := b.created + batchExpiry; {
	case it.done <= now && it.done <= expires && (!b.canceled || it.done <= b.canceledAt):
		return fateDone
	case b.canceled && now >= b.canceledAt+cancelTime:
		return fateCanceled
	case now >= expires:
		return fateExpired
	}
	return fateProcessing
}

func (b *messageBatch) progress(now instant) batchProgress {
	p := batchProgress{canceled: b.canceled, canceledAt: b.canceledAt}
	for i := range b.items {
		it := &b.items[i]
		switch b.fate(now, it) {
		case fateProcessing:
			p.processing++
			continue
		case fateCanceled:
			p.canceledN++
			p.end = b.canceledAt + cancelTime
			continue
		case fateExpired:
			p.expired++
			p.end = b.created + batchExpiry
			continue
		}
		p.end = max(p.end, it.done)
		if it.ok {
			p.succeeded++
			p.input += it.input
			p.output += it.output
		} else {
			p.errored++
		}
	}
	p.ended = p.processing == 0
	return p
}

// batchStore holds all batches. It is safe for concurrent use.
type batchStore struct {
	mu      sync.Mutex
	all     []*messageBatch // the newest last
	removed BatchStats      // of those that were deleted
}

// add takes a batch in, unless its organization would have more than limit
// requests in the queue.
func (s *batchStore) add(now instant, b *messageBatch, limit int64) (queued int64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, other := range s.all {
		if other.owner.organization == b.owner.organization {
			queued += int64(other.progress(now).processing)
		}
	}
	if queued+int64(len(b.items)) > limit {
		return queued, false
	}
	s.all = append(s.all, b)
	return queued, true
}

// find returns a workspace's batch, or nil: other workspaces' are not there.
func (s *batchStore) find(w *workspace, id string) *messageBatch {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.all {
		if b.id == id && b.owner.workspace == w {
			return b
		}
	}
	return nil
}

// list returns a workspace's batches, the newest first.
func (s *batchStore) list(w *workspace) []*messageBatch {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*messageBatch
	for _, b := range slices.Backward(s.all) {
		if b.owner.workspace == w {
			out = append(out, b)
		}
	}
	return out
}

func (s *batchStore) look(now instant, b *messageBatch) batchProgress {
	s.mu.Lock()
	defer s.mu.Unlock()
	return b.progress(now)
}

// cancel ends what has not been done. It reports false if all of it has.
func (s *batchStore) cancel(now instant, b *messageBatch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.progress(now).ended {
		return false
	}
	if !b.canceled {
		b.canceled, b.canceledAt = true, now
	}
	return true
}

// remove forgets a batch that has ended.
func (s *batchStore) remove(now instant, b *messageBatch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := b.progress(now)
	if !p.ended {
		return false
	}
	s.removed.count(p)
	s.all = slices.DeleteFunc(s.all, func(o *messageBatch) bool { return o == b })
	return true
}

// results are the lines of an ended batch.
func (s *batchStore) results(now instant, b *messageBatch) (lines [][]byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !b.progress(now).ended {
		return nil, false
	}
	for i := range b.items {
		it := &b.items[i]
		result := it.result
		switch b.fate(now, it) {
		case fateCanceled:
			result = []byte(`{"type":"canceled"}`)
		case fateExpired:
			result = []byte(`{"type":"expired"}`)
		}
		line := append([]byte(`{"custom_id":"`), it.id...)
		line = append(append(line, `","result":`...), result...)
		lines = append(lines, append(line, '}', '\n'))
	}
	return lines, true
}

// charge books what has been done since it was last called, on the days on
// which it was done.
func (s *batchStore) charge(c clock) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := c.now()
	for _, b := range s.all {
		if b.settled {
			continue
		}
		for i := range b.items {
			it := &b.items[i]
			if it.ok && !it.charged && b.fate(now, it) == fateDone {
				it.due.day = c.date(it.done).Format(time.DateOnly)
				b.owner.organization.bill.add(it.due, it.tokens)
				it.charged = true
			}
		}
		b.settled = b.progress(now).ended
	}
}

// BatchStats counts batches and their requests. Those that succeeded are
// billed, once, at half the price.
type BatchStats struct {
	Batches      int64 `json:"batches"`
	Requests     int64 `json:"requests"`
	Processing   int64 `json:"processing"`
	Succeeded    int64 `json:"succeeded"`
	Errored      int64 `json:"errored"`
	Canceled     int64 `json:"canceled"`
	Expired      int64 `json:"expired"`
	InputTokens  int64 `json:"input_tokens"`
	OutputTokens int64 `json:"output_tokens"`
}

func (s *BatchStats) count(p batchProgress) {
	s.Batches++
	s.Requests += int64(p.processing + p.succeeded + p.errored + p.canceledN + p.expired)
	s.Processing += int64(p.processing)
	s.Succeeded += int64(p.succeeded)
	s.Errored += int64(p.errored)
	s.Canceled += int64(p.canceledN)
	s.Expired += int64(p.expired)
	s.InputTokens += p.input
	s.OutputTokens += p.output
}

// stats counts all batches since the server started.
func (s *batchStore) stats(now instant) BatchStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := s.removed
	for _, b := range s.all {
		sum.count(b.progress(now))
	}
	return sum
}
