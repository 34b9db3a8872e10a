package budget

import (
	"cmp"
	"context"
	stdslices "slices"
	"time"

	"github.com/weir-gateway/weir/call"
)

// waiter is a call that waits for the settlement of others. It stands in the
// queue of the first purse that is in its way.
type waiter struct {
	call   *call.Call
	amount call.USD
	purses []*purse
	at     *purse
	woken  chan *call.Refusal // capacity 1; nil: it may go
}

// queued reports whether somebody waits who came before seq.
func (p *purse) queued(seq uint64) bool { return len(p.queue) > 0 && p.queue[0].call.Seq < seq }

func (p *purse) place(w *waiter) int {
	i, _ := stdslices.BinarySearchFunc(p.queue, w, func(a, b *waiter) int { return cmp.Compare(a.call.Seq, b.call.Seq) })
	return i
}

// enqueue puts w into the queue of the purse that is in its way, by its age. The
// caller holds r.mu.
func (r *Room) enqueue(w *waiter) {
	w.at.queue = stdslices.Insert(w.at.queue, w.at.place(w), w)
}

// leave takes w out of its queue, and reports false if it had been woken.
func (r *Room) leave(w *waiter) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := stdslices.Index(w.at.queue, w)
	if i < 0 {
		return false
	}
	w.at.queue = stdslices.Delete(w.at.queue, i, i+1)
	r.serve(w.at) // it may have stood before others
	return true
}

// serve wakes those for whom there is money now, the oldest first, and refuses
// those for whom there will be none. The caller holds r.mu.
func (r *Room) serve(p *purse) {
	now := time.Now()
	for len(p.queue) > 0 {
		w := p.queue[0]
		no := r.afford(now, w.call, w.amount, w.purses)
		var at *purse
		for _, q := range w.purses {
			if no == nil && q.blocked(w.amount) {
				at = q
				break
			}
		}
		if at == p {
			return
		}
		p.queue = stdslices.Delete(p.queue, 0, 1)
		switch {
		case at != nil:
			w.at = at
			r.enqueue(w)
		case no != nil:
			w.woken <- no
		default:
			r.promise(w)
			w.woken <- nil
		}
	}
}

// promise is money that is kept for a call which has been woken, until it has
// gone through admission again.
type promise struct {
	amount call.USD
	purses []*purse
	timer  *time.Timer
}

// promiseFor is how long money is kept for a call that is on its way through
// admission. Where that takes longer, it stands in nobody's way.
const promiseFor = time.Second

func (r *Room) promise(w *waiter) {
	pr := &promise{amount: w.amount, purses: w.purses}
	for _, p := range pr.purses {
		p.hold(pr.amount)
	}
	seq := w.call.Seq
	r.promised[seq] = pr
	pr.timer = time.AfterFunc(promiseFor, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.promised[seq] == pr {
			r.redeem(seq)
			for _, p := range pr.purses {
				r.serve(p)
			}
		}
	})
}

// redeem ends the promise to a call, and reports whether there was one. The
// caller holds r.mu.
func (r *Room) redeem(seq uint64) bool {
	pr := r.promised[seq]
	if pr == nil {
		return false
	}
	pr.timer.Stop()
	delete(r.promised, seq)
	for _, p := range pr.purses {
		p.drop(pr.amount)
	}
	return true
}

// soon is when a call may come back that could not wait any longer: calls end
// all the time.
const soon = 5 * time.Second

// await waits until w is woken, or its call is late or left. A new period wakes
// it as well.
func (r *Room) await(ctx context.Context, c *call.Call, w *waiter) error {
	until, turn := c.Deadline, false
	for _, p := range w.purses {
		if p.key.End.Before(until) {
			until, turn = p.key.End, true
		}
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	var no *call.Refusal
	select {
	case no = <-w.woken:
		return refusal(no)
	case <-timer.C:
		if !turn {
			now := time.Now()
			r.mu.Lock()
			no = w.at.refusal(now, c, w.amount)
			r.mu.Unlock()
			no.RetryIn = min(no.RetryIn, soon)
		}
	case <-ctx.Done():
		no = &call.Refusal{Reason: call.ClientGone, Cause: context.Cause(ctx)}
	}
	if !r.leave(w) {
		<-w.woken
		r.mu.Lock()
		defer r.mu.Unlock()
		if no != nil {
			if r.redeem(c.Seq) {
				for _, p := range w.purses {
					r.serve(p)
				}
			}
		}
	}
	return refusal(no)
}

// refusal is no as an error: nil stays nil.
func refusal(no *call.Refusal) error {
	if no == nil {
		return nil
	}
	return no
}
