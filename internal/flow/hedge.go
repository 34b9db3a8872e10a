package flow

import (
	"context"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Hedge sends a stream a second time, paid by another account, if its first
// content is long in coming, and takes the answer that comes first (Dean and
// Barroso, The Tail at Scale, 2013). The other one is broken off, but its input
// is paid for: so no more than one call in a hundred is hedged. It is safe for
// concurrent use.
type Hedge struct {
	after time.Duration

	mu   sync.Mutex
	left float64 // hedges that may be made; guarded by mu
}

const (
	hedgeShare = 0.01 // hedges per call
	hedgeBound = 5.0
)

// NewHedge returns a hedge of streams that have no content after so long.
func NewHedge(after time.Duration) *Hedge { return &Hedge{after: after, left: 1} }

// deposit counts a new call.
func (h *Hedge) deposit(c *call.Call) {
	if h == nil || c.ClientRetry > 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.left = min(h.left+hedgeShare, hedgeBound)
}

// take draws one hedge.
func (h *Hedge) take() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.left < 1 {
		return false
	}
	h.left--
	return true
}

// runner is an attempt under way.
type runner struct {
	at     attempt
	began  time.Time
	no     *call.Refusal
	cancel context.CancelFunc
}

// race makes an attempt, and a second one beside it where that is switched on
// and called for.
func (f *Corridor) race(ctx context.Context, c *call.Call, at attempt) (attempt, *call.Refusal) {
	if f.Hedge == nil || !c.Streamed() || c.Endpoint != call.Messages {
		return f.send(ctx, c, at)
	}
	done := make(chan *runner, 2)
	first := f.start(ctx, c, at, done)
	timer := time.NewTimer(f.Hedge.after)
	defer timer.Stop()
	select {
	case r := <-done:
		return r.at, r.no
	case <-timer.C:
	}
	other, ok := f.second(ctx, c, at.key)
	if !ok {
		r := <-done
		return r.at, r.no
	}
	second := f.start(ctx, c, other, done)
	winner := <-done
	if winner.no != nil || winner.at.answer.Verdict.Kind != call.OK {
		f.lose(c, winner) // the other one may still do better
		winner = <-done
		return winner.at, winner.no
	}
	loser, lost := first, at
	if winner == first {
		loser, lost = second, other
	}
	loser.cancel()
	c.Tell(call.Attempt{
		At: loser.began, Wait: lost.permit.Wait, Key: lost.key.Name, Kind: call.Abandoned,
		Took: time.Since(loser.began), Model: c.Model, Usage: expected(c),
	})
	twin := c.Clone()
	go func() { <-done; f.lose(twin, loser) }()
	return winner.at, winner.no
}

// start sends in the background. The attempt's own context lives on with its
// answer.
func (f *Corridor) start(ctx context.Context, c *call.Call, at attempt, done chan<- *runner) *runner {
	ctx, cancel := context.WithCancel(ctx)
	r := &runner{cancel: cancel, began: time.Now()}
	sent := c.Clone()
	go func() {
		r.at, r.no = f.send(ctx, sent, at)
		if r.no != nil {
			cancel()
		}
		done <- r
	}()
	return r
}

// second lets out a second attempt, if there is credit and another account that
// has room for it now.
func (f *Corridor) second(ctx context.Context, c *call.Call, busy call.Key) (attempt, bool) {
	twin := c.Clone()
	twin.Deadline = time.Now() // it does not wait
	twin.Shunned = busy
	key, err := f.Keys.Pick(time.Now(), twin, call.Outlook{Shut: f.Outlook.Shut, Wait: func(now time.Time, c *call.Call, key call.Key) time.Duration {
		if key.Print == busy.Print {
			return time.Hour // any other one is sooner
		}
		return f.Outlook.Wait(now, c, key)
	}})
	if err != nil || key.Print == busy.Print || !f.Hedge.take() {
		return attempt{}, false
	}
	permit, err := f.Admit.Admit(ctx, twin, key.Print)
	if err == nil {
		permit = f.spare(c, permit)
	}
	if err != nil || permit == nil {
		return attempt{}, false
	}
	c.Attempts++
	c.Hedges++
	return attempt{key: key, permit: permit}, true
}

// lose ends an attempt whose answer nobody wants.
func (f *Corridor) lose(c *call.Call, r *runner) {
	r.cancel()
	if r.no != nil {
		c.Attempts-- // it was none
		c.Hedges--
		return
	}
	f.note(c, r.at)
	r.at.answer.Discard()
	if r.at.answer.Verdict.Paced() {
		r.at.permit.Reject(time.Now(), r.at.answer.Limits, r.at.answer.Verdict)
		return
	}
	r.at.permit.Settle(time.Now(), call.Usage{}) // it may have cost its estimate
}
