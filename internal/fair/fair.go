// Package fair decides who of the waiting goes next: classes by urgency with
// guaranteed shares for the lower ones, inside a class tenants by start-time
// fair queueing over what their calls cost, inside a tenant first come, first
// served.
//
// The cost of a call is its dominant share, the largest part that it takes of
// any limiter's minute (after DRF, Ghodsi 2011). A tenant's virtual time grows
// by cost over weight and is corrected when the real cost is known, as in VTC
// (arXiv 2401.00588); idling earns no credit. Whoever has been shown as the
// head of its class stays it, so that a large call collects its tokens and is
// not overtaken for ever (algorithms.md A6).
//
// The package is pure; a [Queue] is not safe for concurrent use.
package fair

import (
	"container/heap"

	"github.com/weir-gateway/weir/call"
)

// Config sets shares and bounds. The zero Config works.
type Config struct {
	// Shares are what the lower classes get of the quota even while a higher
	// one could use all of it; the rest goes to the most urgent class that has
	// anything waiting. That of the highest class means nothing. Zero shares
	// are the defaults.
	Shares [call.NumClasses]float64

	MaxPerTenant  int // calls of one tenant under way at once; 0: no bound
	MaxPerSession int // calls of one session under way at once; 0: no bound
}

// Default shares of the lower classes.
const (
	NormalShare = 0.15
	BatchShare  = 0.05
)

// Item is one waiting call. What the owner sets must not change from Push to
// the end of the call.
type Item struct {
	Seq     uint64 // order of arrival; a call that comes back keeps it
	Class   call.Class
	Tenant  string
	Session string  // "": not part of one
	Cost    float64 // expected dominant share of a minute's quota, above 0
	Weight  float64 // of the tenant; 0 counts as 1
	Resumed bool    // it was sent once and refused: it goes before the others
	Value   any     // the owner's own

	place      int // in its tenant's heap, plus one; 0 outside
	tenant     *tenant
	parked     bool  // waits for its session
	prev, next *Item // order of arrival in its class
}

// Queue orders items. Create it with [New].
type Queue struct {
	cfg      Config
	classes  [call.NumClasses]class
	tenants  map[tenantKey]*tenant
	sessions map[string]*session
	size     int
}

type tenantKey struct {
	class call.Class
	name  string
}

// session bounds the calls of one conversation.
type session struct {
	running int
	parked  []*Item
}

// New returns an empty queue.
func New(cfg Config) *Queue {
	if cfg.Shares == [call.NumClasses]float64{} {
		cfg.Shares[call.Normal], cfg.Shares[call.Batch] = NormalShare, BatchShare
	}
	return &Queue{cfg: cfg, tenants: map[tenantKey]*tenant{}, sessions: map[string]*session{}}
}

// Len is the number of waiting items.
func (q *Queue) Len() int { return q.size }

// Push adds it. O(log n).
func (q *Queue) Push(it *Item) {
	c := &q.classes[it.Class]
	t := q.tenant(it)
	it.tenant = t
	t.weight = max(it.Weight, 0)
	heap.Push(&t.items, it)
	c.append(it)
	c.waiting++
	q.size++
	q.activate(t)
	if it.Resumed && (c.pinned == nil || !c.pinned.Resumed || it.Seq < c.pinned.Seq) {
		c.pinned = it
	}
}

// Head returns who goes next, or nil if nobody may: all that wait are of
// tenants or sessions that have enough under way. It stays the head of its
// class until it is sent or leaves, but a more urgent class goes before it.
func (q *Queue) Head() *Item {
	var first *Item
	for c := range q.classes {
		head := q.head(&q.classes[c])
		if head == nil {
			continue
		}
		if first == nil {
			first = head
		} else if q.classes[c].credit >= head.Cost {
			return head // its guaranteed share is due
		}
	}
	return first
}

// head picks the head of one class and pins it.
func (q *Queue) head(c *class) *Item {
	for c.pinned == nil && len(c.active) > 0 {
		t := c.active[0]
		it := t.items[0]
		s := q.sessions[it.Session]
		if s == nil || s.running < q.cfg.MaxPerSession {
			c.pinned = it
			break
		}
		heap.Pop(&t.items)
		it.parked = true
		s.parked = append(s.parked, it)
		q.activate(t)
	}
	return c.pinned
}

// Send takes it out because it is sent now. Its end must be told by [Queue.Settle].
func (q *Queue) Send(it *Item) {
	if !q.take(it) {
		return
	}
	c, t := &q.classes[it.Class], it.tenant
	t.running++
	c.virtual = max(c.virtual, t.tag)
	t.tag += it.Cost / t.share()
	q.activate(t)
	q.account(it)
	if it.Session != "" && q.cfg.MaxPerSession > 0 {
		if q.sessions[it.Session] == nil {
			q.sessions[it.Session] = &session{}
		}
		q.sessions[it.Session].running++
	}
}

// account gives every waiting class its share of what was just sent as a
// credit, and takes from the sender's what it used.
func (q *Queue) account(it *Item) {
	for i := range q.classes {
		c := &q.classes[i]
		c.credit += q.cfg.Shares[i] * it.Cost
		if call.Class(i) == it.Class {
			c.credit -= it.Cost
		}
		c.credit = min(max(c.credit, 0), maxCredit)
		if c.waiting == 0 {
			c.credit = 0 // an idle class borrows nothing from the future
		}
	}
}

// maxCredit bounds how far a guaranteed share can pile up, in minutes of quota.
const maxCredit = 1.0

// Remove takes it out without sending it. It reports whether it was waiting.
func (q *Queue) Remove(it *Item) bool {
	if !q.take(it) {
		return false
	}
	q.forget(it.tenant)
	return true
}

// take takes it out. Its tenant is not forgotten: it may be about to run.
func (q *Queue) take(it *Item) bool {
	t := it.tenant
	switch {
	case it.place > 0:
		heap.Remove(&t.items, it.place-1)
		q.activate(t)
	case it.parked:
		s := q.sessions[it.Session]
		for i, other := range s.parked {
			if other == it {
				s.parked = append(s.parked[:i], s.parked[i+1:]...)
				break
			}
		}
		it.parked = false
	default:
		return false
	}
	c := &q.classes[it.Class]
	if c.pinned == it {
		c.pinned = nil
	}
	c.unlink(it)
	c.waiting--
	q.size--
	return true
}

// Settle ends a call that was sent, with its real cost.
func (q *Queue) Settle(it *Item, cost float64) {
	t := it.tenant
	t.running--
	t.tag += (cost - it.Cost) / t.share()
	q.activate(t)
	q.forget(t)
	if s := q.sessions[it.Session]; s != nil {
		s.running--
		q.unpark(it.Session, s)
	}
}

// unpark lets the waiting calls of a session stand for election again.
func (q *Queue) unpark(name string, s *session) {
	for _, it := range s.parked {
		it.parked = false
		heap.Push(&it.tenant.items, it)
		q.activate(it.tenant)
	}
	s.parked = nil
	if s.running == 0 {
		delete(q.sessions, name)
	}
}

// Newest returns the call to give up first when there is no place left: the
// latest of the least urgent class that has any.
func (q *Queue) Newest() *Item {
	for i := len(q.classes) - 1; i >= 0; i-- {
		if last := q.classes[i].last; last != nil {
			return last
		}
	}
	return nil
}

// All yields every waiting item: classes by urgency, each by arrival.
func (q *Queue) All(yield func(*Item) bool) {
	for i := range q.classes {
		for it := q.classes[i].first; it != nil; it = it.next {
			if !yield(it) {
				return
			}
		}
	}
}
