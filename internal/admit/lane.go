package admit

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/fair"
	"github.com/weir-gateway/weir/internal/quota"
)

// waiter is one call in a queue.
type waiter struct {
	fair.Item
	print    string
	demand   quota.Demand
	size     int
	class    call.Class
	received time.Time
	deadline time.Time
	lane     atomic.Pointer[lane] // where it waits; changes when lanes join
	out      chan outcome         // capacity 1: the lane never blocks on it
}

type outcome struct {
	permit *call.Permit
	err    error
}

// QueueItem implements [fair.Waiter].
func (w *waiter) QueueItem() *fair.Item { return &w.Item }

func newWaiter(c *call.Call, print string) *waiter {
	return &waiter{
		Item: fair.Item{Seq: c.Seq}, print: print, size: len(c.Body), class: c.Class,
		demand:   quota.Demand{Input: c.Estimate.Input, Spread: c.Estimate.Spread, Stream: c.Stream},
		received: c.Received, deadline: c.Deadline,
		out: make(chan outcome, 1),
	}
}

// lane is the queue in front of one organization and model group.
type lane struct {
	room *Room

	mu     sync.Mutex // guards everything below
	key    laneKey
	moved  *lane // the lane that took over; this one is empty for good
	group  *quota.Group
	queue  fair.Queue[*waiter]
	timer  *time.Timer // wakes the lane when its head may go
	bound  string      // what holds the head
	headAt time.Time   // when the head may go
	input  call.Tokens // estimates of all waiters together
	last   time.Time   // of the latest entry
}

// errMoved says that the lane has joined another one in the meantime.
var errMoved = errors.New("lane moved")

func newLane(r *Room, key laneKey, g *quota.Group) *lane {
	ln := &lane{room: r, key: key, group: g}
	ln.timer = time.AfterFunc(time.Hour, ln.wake)
	ln.timer.Stop()
	return ln
}

// enter admits w at once if nobody waits and the quota allows it, else it
// queues w and returns neither permit nor error.
func (ln *lane) enter(now time.Time, w *waiter) (*call.Permit, error) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.moved != nil {
		return nil, errMoved
	}
	ln.last = now
	w.lane.Store(ln)
	d := ln.group.Check(now, w.demand)
	if d.Never {
		return nil, tooLarge(w, d.Limit)
	}
	if ln.queue.Len() == 0 && d.Wait == 0 {
		return ln.reserve(now, w), nil
	}
	if now.Before(w.deadline) && ln.room.admitted(w.size) {
		ln.queue.Push(w)
		ln.input += w.demand.Input
		ln.pump(now)
		return nil, nil
	}
	reason := call.QueueFull
	if !now.Before(w.deadline) {
		reason = call.TimedOut
	}
	refusal := &call.Refusal{Reason: reason, Waited: now.Sub(w.received)}
	ln.explain(now, w, refusal)
	return nil, refusal
}

// reserve debits w's demand and makes out its permit.
func (ln *lane) reserve(now time.Time, w *waiter) *call.Permit {
	t := &ticket{print: w.print, flight: ln.group.Reserve(now, w.demand)}
	t.lane.Store(ln)
	return call.NewPermit(t)
}

// wake is called by the timer when the head may go.
func (ln *lane) wake() {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.moved == nil {
		ln.pump(time.Now())
	}
}

// pump lets out everybody who may go, and sets the timer for the next.
func (ln *lane) pump(now time.Time) {
	for {
		head, ok := ln.queue.Head()
		if !ok {
			ln.timer.Stop()
			ln.bound = ""
			return
		}
		d := ln.group.Check(now, head.demand)
		if d.Wait > 0 {
			ln.bound, ln.headAt = d.Bound, now.Add(d.Wait)
			ln.timer.Reset(d.Wait)
			return
		}
		ln.take(head)
		if d.Never {
			head.out <- outcome{err: tooLarge(head, d.Limit)}
			continue
		}
		head.out <- outcome{permit: ln.reserve(now, head)}
	}
}

// take removes w from the queue and from all counts.
func (ln *lane) take(w *waiter) bool {
	if !ln.queue.Remove(w) {
		return false
	}
	ln.input -= w.demand.Input
	ln.room.left(w.size)
	return true
}

// leave takes w out because it no longer wants to wait. It reports done =
// false if w has moved to another lane, and left = false if w was answered.
func (ln *lane) leave(now time.Time, w *waiter, refusal *call.Refusal) (done, left bool) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if w.lane.Load() != ln {
		return false, false
	}
	if refusal.Reason == call.TimedOut {
		ln.explain(now, w, refusal)
	}
	if !ln.take(w) {
		return true, false
	}
	ln.pump(now)
	return true, true
}

// explain completes a refusal with what holds w, and when a call like it could
// go if it came back: after everybody who waits now.
func (ln *lane) explain(now time.Time, w *waiter, refusal *call.Refusal) {
	ahead := w.demand
	ahead.Input += ln.input
	wait, bound, limit := ln.group.Backlog(now, ahead, ln.queue.Len()+1)
	refusal.Limiter, refusal.Need, refusal.Limit = bound, w.demand.Input, limit
	refusal.RetryIn = max(wait, time.Second)
}

func tooLarge(w *waiter, limit call.Tokens) *call.Refusal {
	return &call.Refusal{
		Reason: call.TooLarge, Limiter: call.InputTokens,
		Need: w.demand.Input, Limit: limit,
	}
}

// rename gives the lane its organization's name.
func (ln *lane) rename(key laneKey) {
	ln.mu.Lock()
	ln.key = key
	ln.mu.Unlock()
}

// joinTo hands the waiters and the flights of ln over to target: two keys have
// turned out to share one organization. The room's lock is held, so that no
// two lanes can join each other at once.
func (ln *lane) joinTo(now time.Time, target *lane) {
	ln.mu.Lock()
	target.mu.Lock()
	defer ln.mu.Unlock()
	defer target.mu.Unlock()
	ln.timer.Stop()
	ln.moved = target
	target.group.Absorb(now, ln.group)
	for {
		w, ok := ln.queue.Head()
		if !ok {
			break
		}
		ln.queue.Remove(w)
		w.lane.Store(target)
		target.queue.Push(w)
		target.input += w.demand.Input
	}
	target.pump(now)
}

// idle reports whether nobody has used the lane for a while.
func (ln *lane) idle() bool {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	return ln.queue.Len() == 0 && ln.group.InFlight() == 0 && time.Since(ln.last) > 10*time.Minute
}
