package budget

import (
	"context"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Memory keeps leases as long as the process runs. It is safe for concurrent
// use.
type Memory struct {
	mu     sync.Mutex
	totals map[call.Purse]call.USD // guarded by mu
}

// NewMemory returns an empty one.
func NewMemory() *Memory { return &Memory{totals: map[call.Purse]call.USD{}} }

// Lease implements [call.Leases].
func (m *Memory) Lease(_ context.Context, p call.Purse, want, limit call.USD) (granted, total call.USD, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	granted = max(min(want, limit-m.totals[p]), 0)
	m.totals[p] += granted
	return granted, m.totals[p], nil
}

// Return implements [call.Leases].
func (m *Memory) Return(_ context.Context, p call.Purse, amount call.USD) (call.USD, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.totals[p] = max(m.totals[p]-amount, 0)
	return m.totals[p], nil
}

// Purses implements [call.Leases]. It forgets those whose period is over.
func (m *Memory) Purses(_ context.Context, now time.Time) (map[call.Purse]call.USD, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[call.Purse]call.USD{}
	for p, total := range m.totals {
		if now.Before(p.End) {
			out[p] = total
		} else {
			delete(m.totals, p)
		}
	}
	return out, nil
}
