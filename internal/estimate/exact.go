package estimate

import (
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Exact estimates as a [Room] does, but asks the upstream to count where much
// is at stake: calls that are large, or of some size and uncertain. Counting
// is free and has a limit of its own; where that is reached, the room's
// estimate stands. It is safe for concurrent use.
type Exact struct {
	// Static after NewExact.
	room  *Room
	above call.Tokens
	count Counter
	slots chan struct{} // counts under way

	mu    sync.Mutex
	quiet time.Time // Guarded by mu: nothing is counted before this instant.
}

// Counter asks the upstream how many input tokens a call has. Where that
// fails, pause is how long not to ask again.
type Counter func(c *call.Call) (tokens call.Tokens, pause time.Duration, err error)

const (
	maxCounts = 8    // at once; whoever finds them busy goes on with the estimate
	uncertain = 0.15 // spread from which smaller calls are counted too
	someSize  = 10   // times smaller they may be
	hurry     = 15 * time.Second
)

// NewExact returns an estimator that counts calls of more than above input
// tokens.
func NewExact(room *Room, above call.Tokens, count Counter) *Exact {
	return &Exact{room: room, above: above, count: count, slots: make(chan struct{}, maxCounts)}
}

// Estimate predicts the cost of c. It may take as long as the counter does.
func (x *Exact) Estimate(c *call.Call) call.Estimate {
	e := x.room.Estimate(c)
	now := time.Now()
	if !x.worth(e) || c.Deadline.Sub(now) < hurry || now.Before(x.pausedUntil()) {
		return e
	}
	select {
	case x.slots <- struct{}{}:
		defer func() { <-x.slots }()
	default:
		return e
	}
	n, pause, err := x.count(c)
	if err != nil {
		x.pause(time.Now().Add(pause))
		return e
	}
	if n <= 0 {
		return e
	}
	return x.room.estimate(c, float64(n))
}

// worth reports whether counting is worth the time that it takes.
func (x *Exact) worth(e call.Estimate) bool {
	total := e.Input + e.Cached
	return total >= x.above || total >= x.above/someSize && e.Spread >= uncertain
}

func (x *Exact) pausedUntil() time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.quiet
}

func (x *Exact) pause(until time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if until.After(x.quiet) {
		x.quiet = until
	}
}
