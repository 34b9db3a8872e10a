package admit

import (
	"errors"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/fair"
	"github.com/weir-gateway/weir/internal/quota"
)

// lane is the queue in front of one organization and model group.
type lane struct {
	room *Room

	mu     sync.Mutex // guards everything below
	key    laneKey
	moved  *lane // the lane that took over; this one is empty for good
	group  *quota.Group
	queue  *fair.Queue
	timer  *time.Timer // wakes the lane when its head may go
	bound  string      // what holds the head
	headAt time.Time   // when the head may go
	input  call.Tokens // estimates of all waiters together
	last   time.Time   // of the latest entry

	order    []call.WaiterReport // who goes when, as foretold at foretold
	tenants  []call.TenantReport // the same by tenant, the most numerous alone
	foretold time.Time
}

// errMoved says that the lane has joined another one in the meantime.
var errMoved = errors.New("lane moved")

func newLane(r *Room, key laneKey, g *quota.Group) *lane {
	ln := &lane{room: r, key: key, group: g, queue: fair.New(r.cfg.Fair)}
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
	if ln.group.CountsCached() {
		w.demand.Input, w.cached = w.demand.Input+w.cached, 0
	}
	w.Cost = ln.group.Cost(w.demand.Input, w.output)
	d := ln.group.Check(now, w.demand)
	if d.Never {
		return nil, w.tooLarge(d.Limit)
	}
	if !now.Before(w.deadline) && d.Wait > 0 {
		return nil, ln.refusal(now, w, call.TimedOut)
	}
	if !ln.room.admitted(w.size) && !ln.makeRoom(now, w) {
		return nil, ln.refusal(now, w, call.QueueFull)
	}
	w.answered = make(chan struct{})
	w.noteQueue(ln)
	ln.queue.Push(&w.Item)
	ln.input += w.demand.Input
	ln.pump(now)
	select {
	case <-w.answered:
		return w.result()
	default:
		return nil, nil
	}
}

// makeRoom gives up the newest of the less urgent calls in favour of w.
func (ln *lane) makeRoom(now time.Time, w *waiter) bool {
	newest := ln.queue.Newest()
	if newest == nil || newest.Class <= w.Class {
		return false
	}
	victim := newest.Value.(*waiter)
	ln.take(victim)
	victim.refuse(ln.refusal(now, victim, call.QueueFull))
	return ln.room.admitted(w.size)
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
		head := ln.queue.Head()
		if head == nil {
			ln.timer.Stop()
			ln.bound = ""
			return
		}
		w := head.Value.(*waiter)
		d := ln.group.Check(now, w.demand)
		if d.Wait > 0 {
			w.permit.Wait.BoundBy = d.Bound
			ln.bound, ln.headAt = d.Bound, now.Add(d.Wait)
			ln.timer.Reset(d.Wait)
			return
		}
		if d.Never {
			ln.take(w)
			w.refuse(w.tooLarge(d.Limit))
			continue
		}
		if !ln.room.gate.enter(ln) {
			w.permit.Wait.BoundBy, ln.bound = call.RuleAtOnce, call.RuleAtOnce
			ln.timer.Stop()
			return
		}
		ln.let(now, w)
	}
}

// let sends the head on its way with a permit.
func (ln *lane) let(now time.Time, w *waiter) {
	ln.queue.Send(&w.Item)
	w.sentFrom = ln.queue
	ln.uncount(w)
	ln.group.Reserve(now, w.demand, &w.flight)
	w.permit.Draw(w)
	w.permit.Wait.Took = now.Sub(w.entered)
	close(w.answered)
}

// take removes w from the queue without sending it. It reports whether w was
// there.
func (ln *lane) take(w *waiter) bool {
	if !ln.queue.Remove(&w.Item) {
		return false
	}
	ln.uncount(w)
	return true
}

func (ln *lane) uncount(w *waiter) {
	ln.input -= w.demand.Input
	ln.room.left(w.size)
}

// leave takes w out because it no longer wants to wait. It reports done =
// false if w has moved to another lane, and left = false if w was answered.
func (ln *lane) leave(now time.Time, w *waiter, refusal *call.Refusal) (done, left bool) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if w.lane.Load() != ln {
		return false, false
	}
	if !ln.take(w) {
		return true, false
	}
	if refusal.Reason == call.TimedOut {
		*refusal = *ln.refusal(now, w, call.TimedOut)
	}
	ln.pump(now)
	return true, true
}

// refusal says what holds w, and when a call like it could go if it came back:
// after everybody who waits now.
func (ln *lane) refusal(now time.Time, w *waiter, reason call.Reason) *call.Refusal {
	if reason == call.TimedOut && ln.bound == call.RuleAtOnce {
		return &call.Refusal{Reason: call.RuleRefused, Rule: call.RuleAtOnce, RetryIn: time.Second, Waited: now.Sub(w.received)}
	}
	ahead := w.demand
	ahead.Input += ln.input
	wait, bound, limit := ln.group.Backlog(now, ahead, ln.queue.Len()+1)
	return &call.Refusal{
		Reason: reason, Limiter: bound, Need: w.demand.Input, Limit: limit,
		RetryIn: max(wait, time.Second), Waited: now.Sub(w.received),
	}
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
	if !target.group.Known() {
		target.group, ln.group = ln.group, target.group // keep what is known
	}
	target.group.Absorb(now, ln.group)
	var moving []*waiter
	for it := range ln.queue.All {
		moving = append(moving, it.Value.(*waiter))
	}
	for _, w := range moving {
		ln.queue.Remove(&w.Item)
		w.lane.Store(target)
		target.queue.Push(&w.Item)
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
