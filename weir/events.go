package weir

import (
	"sync"

	"github.com/weir-gateway/weir/call"
)

// observers passes each event on to all of them.
type observers []call.Observer

// Event implements [call.Observer].
func (o observers) Event(e call.Event) {
	for _, each := range o {
		if each != nil {
			each.Event(e)
		}
	}
}

// How many finished calls are kept with their stories, and how many of them
// the live page lists.
const (
	keptEvents   = 4096
	recentEvents = 512
)

// recent is a ring of the latest events, which can be asked for by id. The
// oldest one makes room for the newest.
type recent struct {
	mu   sync.Mutex // guards the rest
	ring []call.Event
	next int            // the place of the oldest, once the ring is full
	byID map[string]int // place in the ring
}

func newRecent(size int) *recent {
	return &recent{ring: make([]call.Event, 0, size), byID: make(map[string]int, size)}
}

// Event implements [call.Observer].
func (r *recent) Event(e call.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ring) < cap(r.ring) {
		r.byID[e.ID] = len(r.ring)
		r.ring = append(r.ring, e)
		return
	}
	if old := r.ring[r.next].ID; r.byID[old] == r.next {
		delete(r.byID, old)
	}
	r.ring[r.next] = e
	r.byID[e.ID] = r.next
	r.next = (r.next + 1) % len(r.ring)
}

// list returns at most n events, the newest first.
func (r *recent) list(n int) []call.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]call.Event, min(n, len(r.ring)))
	for i := range out {
		out[i] = r.ring[(r.next+len(r.ring)-1-i)%len(r.ring)]
	}
	return out
}

// find returns the event of the call with that id, if it is still kept.
func (r *recent) find(id string) (call.Event, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i, ok := r.byID[id]
	if !ok {
		return call.Event{}, false
	}
	return r.ring[i], true
}
