package call

import (
	"context"
	"time"
)

// Purse names the money of a budget for one whom it watches and one period.
type Purse struct {
	Budget  string // its name
	Period  string // day, week or month
	Subject string // the tenant, token or model; "" where the budget has one purse for all
	Start   time.Time
	End     time.Time
}

// Leases is the durable record of how much of each purse has been handed out to
// gateways. A gateway leases a slice before it spends it, and gives back what
// is left when it ends; what a crash leaves behind counts as spent. Several
// gateways may share one. Implementations are safe for concurrent use, and
// have written down what they return.
type Leases interface {
	// Lease hands out want of a purse, or what is left of it below limit. It
	// returns how much that is, and how much everybody has then.
	Lease(ctx context.Context, p Purse, want, limit USD) (granted, total USD, err error)
	// Return takes back what was leased and not spent.
	Return(ctx context.Context, p Purse, amount USD) (total USD, err error)
	// Purses lists the purses whose period has not ended, with what is leased
	// of each.
	Purses(ctx context.Context, now time.Time) (map[Purse]USD, error)
}
