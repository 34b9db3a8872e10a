package ledger

import (
	"context"

	"github.com/weir-gateway/weir/call"
)

// lender replaces the total of a purse by what to makes of it, so that gateways
// that lease at once come one after the other.
type lender func(ctx context.Context, p call.Purse, to func(before call.USD) call.USD) error

// Lease implements [call.Leases].
func (change lender) Lease(ctx context.Context, p call.Purse, want, limit call.USD) (granted, total call.USD, err error) {
	err = change(ctx, p, func(before call.USD) call.USD {
		granted = max(min(want, limit-before), 0)
		total = before + granted
		return total
	})
	return granted, total, err
}

// Return implements [call.Leases].
func (change lender) Return(ctx context.Context, p call.Purse, amount call.USD) (total call.USD, err error) {
	err = change(ctx, p, func(before call.USD) call.USD {
		total = max(before-amount, 0)
		return total
	})
	return total, err
}
