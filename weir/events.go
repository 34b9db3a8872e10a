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

// recentEvents is how many finished calls are kept for the live page.
const recentEvents = 256

// recent is a ring of the latest events.
type recent struct {
	mu   sync.Mutex // guards ring and next
	ring []call.Event
	next int
}

func newRecent(size int) *recent { return &recent{ring: make([]call.Event, 0, size)} }

// Event implements [call.Observer].
func (r *recent) Event(e call.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ring) < cap(r.ring) {
		r.ring = append(r.ring, e)
		return
	}
	r.ring[r.next] = e
	r.next = (r.next + 1) % len(r.ring)
}

// list returns the events, the newest first.
func (r *recent) list() []call.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]call.Event, len(r.ring))
	for i := range r.ring {
		out[i] = r.ring[(r.next+len(r.ring)-1-i)%len(r.ring)]
	}
	return out
}
