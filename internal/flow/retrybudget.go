package flow

import (
	"maps"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
)

// RetryBudget is the retry budget, kept for each upstream and model apart (after
// Finagle): every new call pays in a tenth of a retry, every second a whole
// one, and a retry takes one out. It bounds the extra load that failing calls
// put on what fails, and leaves the others alone. It is safe for concurrent
// use.
type RetryBudget struct {
	mu     sync.Mutex
	models map[debtor]*credit // bounded by maxModels; guarded by mu
	others credit             // of the models that found no place; guarded by mu
}

// debtor is what has a credit of its own.
type debtor struct{ upstream, model string }

const (
	budgetShare   = 0.1 // retries per call
	budgetRate    = 1.0 // retries per second on top
	budgetBound   = 10.0
	budgetUpfront = 5.0
	maxModels     = 256 // names come from clients, who may invent them
)

// NewRetryBudget returns a budget with a little credit for every model to begin
// with.
func NewRetryBudget() *RetryBudget {
	return &RetryBudget{models: map[debtor]*credit{}, others: credit{left: budgetUpfront}}
}

// Deposit counts one new call, which key pays for. One that its client repeats
// is no new traffic and pays nothing: retries would earn retries.
func (b *RetryBudget) Deposit(now time.Time, c *call.Call, key call.Key) {
	if c.ClientRetry > 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.of(now, debtor{key.Upstream, c.Model})
	m.left = min(m.left+budgetShare, budgetBound)
}

// Take draws one retry of c, which has failed last with the key that it shuns,
// and returns how long it must wait for its credit.
// A wait beyond the call's deadline draws nothing: such a call gives up, and
// leaves no debt for others to pay.
func (b *RetryBudget) Take(now time.Time, c *call.Call) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.of(now, debtor{c.Shunned.Upstream, c.Model})
	wait := time.Duration(max(0, 1-m.left) / budgetRate * float64(time.Second))
	if wait == 0 || now.Add(wait).Before(c.Deadline) {
		m.left--
	}
	return wait
}

// of returns a credit as it is now.
func (b *RetryBudget) of(now time.Time, who debtor) *credit {
	m, ok := b.models[who]
	if !ok {
		if len(b.models) >= maxModels {
			b.forget(now)
		}
		if m = &b.others; len(b.models) < maxModels {
			m = &credit{left: budgetUpfront}
			b.models[who] = m
		}
	}
	m.accrue(now)
	return m
}

// forget drops the models that have not been retried lately: they have more
// than they would begin with again. It costs one walk; with maxModels in use at
// once, newcomers share a credit.
func (b *RetryBudget) forget(now time.Time) {
	maps.DeleteFunc(b.models, func(_ debtor, m *credit) bool {
		m.accrue(now)
		return m.left >= budgetBound
	})
}

// credit is what one model has left. It is negative while retries wait.
type credit struct {
	left float64
	at   time.Time // of the last accrual
}

func (m *credit) accrue(now time.Time) {
	if dt := now.Sub(m.at).Seconds(); !m.at.IsZero() && dt > 0 {
		m.left = min(m.left+dt*budgetRate, budgetBound)
	}
	if now.After(m.at) {
		m.at = now
	}
}
