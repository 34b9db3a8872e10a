package flow

import (
	"sync"
	"time"
)

// Budget is the retry budget of one upstream (after Finagle): every call pays
// in a tenth of a retry, every second a whole one, and a retry takes one out.
// It bounds the extra load that failing calls put on a failing upstream. It is
// safe for concurrent use; the zero Budget starts empty.
type Budget struct {
	mu     sync.Mutex
	credit float64
	at     time.Time
}

const (
	budgetShare   = 0.1 // retries per call
	budgetRate    = 1.0 // retries per second on top
	budgetBound   = 10.0
	budgetUpfront = 5.0
)

// NewBudget returns a budget with a little credit to begin with.
func NewBudget() *Budget { return &Budget{credit: budgetUpfront} }

// Deposit counts one new call.
func (b *Budget) Deposit(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.accrue(now)
	b.credit = min(b.credit+budgetShare, budgetBound)
}

// Take draws one retry and returns how long it must wait for its credit.
func (b *Budget) Take(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.accrue(now)
	b.credit--
	if b.credit >= 0 {
		return 0
	}
	return time.Duration(-b.credit / budgetRate * float64(time.Second))
}

func (b *Budget) accrue(now time.Time) {
	if dt := now.Sub(b.at).Seconds(); !b.at.IsZero() && dt > 0 {
		b.credit = min(b.credit+dt*budgetRate, budgetBound)
	}
	if now.After(b.at) {
		b.at = now
	}
}
