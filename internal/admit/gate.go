package admit

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/weir-gateway/weir/call"
)

// gate bounds how many calls are under way in all lanes together. It is safe
// for concurrent use.
type gate struct {
	most int // Static after New. 0: no bound

	mu     sync.Mutex // guards everything below; taken after any lane's lock
	inside int
	held   map[*lane]bool // whose heads wait for a place
}

// enter takes a place for the head of ln, or has ln woken when there is one.
func (g *gate) enter(ln *lane) bool {
	if g.most == 0 {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside >= g.most {
		g.held[ln] = true
		return false
	}
	g.inside++
	return true
}

// leave gives a place back. Of the heads that wait for one, the most urgent
// asks first. The caller holds no lane's lock.
func (g *gate) leave() {
	if g.most == 0 {
		return
	}
	g.mu.Lock()
	g.inside--
	held := slices.Collect(maps.Keys(g.held))
	clear(g.held) // who does not get it comes back
	g.mu.Unlock()
	if len(held) > 1 {
		slices.SortFunc(held, byUrgency(held))
	}
	for _, ln := range held {
		ln.wake()
	}
}

// byUrgency compares lanes by what their heads are now: class, then arrival.
func byUrgency(lanes []*lane) func(a, b *lane) int {
	type rank struct {
		class call.Class
		seq   uint64
	}
	ranks := make(map[*lane]rank, len(lanes))
	for _, ln := range lanes {
		ln.mu.Lock()
		if head := ln.queue.Head(); head != nil {
			ranks[ln] = rank{head.Class, head.Seq}
		}
		ln.mu.Unlock()
	}
	return func(a, b *lane) int {
		return cmp.Or(cmp.Compare(ranks[a].class, ranks[b].class), cmp.Compare(ranks[a].seq, ranks[b].seq))
	}
}
