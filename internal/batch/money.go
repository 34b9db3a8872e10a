package batch

import (
	"context"
	"slices"
	"time"

	"github.com/weir-gateway/weir/call"
)

// moneys is what is set aside for requests that have not been booked. What was
// set aside in an earlier life is lost with it, and counts as spent. The
// collector's lock guards it.
type moneys struct {
	holds   map[string]*call.Permit // by the ids of the requests
	cutting bool                    // whether a batch is being put together
	gone    []string                // requests whose callers have left meanwhile
}

// reservation is money for a call that may turn out to be the same as an
// earlier one, or to have no place.
type reservation struct {
	permit *call.Permit // nil: none is needed
}

// reserve sets aside what c can cost.
func (k *Collector) reserve(ctx context.Context, c *call.Call) (*reservation, error) {
	if k.cfg.Reserve == nil {
		return &reservation{}, nil
	}
	permit, err := k.cfg.Reserve(ctx, c)
	return &reservation{permit}, err
}

// unused gives back what nobody has taken.
func (r *reservation) unused() {
	if r.permit != nil {
		r.permit.Release(time.Now())
	}
}

// take makes r the money of a request that has none.
func (m *moneys) take(id string, r *reservation) {
	if r.permit != nil && m.holds[id] == nil {
		m.holds[id], r.permit = r.permit, nil
	}
}

// forgo gives back the money of a request that nobody wants any more, unless it
// is on its way into a batch.
func (m *moneys) forgo(id string) {
	if m.cutting {
		m.gone = append(m.gone, id)
		return
	}
	m.end(id, call.Usage{Exact: true})
}

// taken notes that these requests are in a batch, or may be.
func (k *Collector) taken(ids []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, id := range k.money.gone {
		if !slices.Contains(ids, id) {
			k.money.end(id, call.Usage{Exact: true})
		}
	}
	k.money.cutting, k.money.gone = false, nil
}

func (m *moneys) end(id string, u call.Usage) {
	if hold := m.holds[id]; hold != nil {
		delete(m.holds, id)
		hold.Settle(time.Now(), u)
	}
}

// spend settles the money of a request with what it has used.
func (k *Collector) spend(id string, u call.Usage) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.money.end(id, u)
}
