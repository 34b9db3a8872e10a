package weir

import (
	"context"
	"fmt"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/budget"
	"github.com/weir-gateway/weir/internal/warn"
)

// Budget is a sum of money for each period, which calls are held to. The most
// that a call can cost must be there before it is sent; what it did cost is
// booked when it has ended. Calls beyond the limit are refused.
type Budget struct {
	Name   string   // unique
	Limit  call.USD // for each period
	Period string   // day, week (from Monday) or month
	Zone   string   // IANA name of the time zone in which days begin; "": UTC

	// What the budget watches: calls of such a tenant, token ([Client]) and
	// model. Empty is any; * in a pattern stands for anything.
	Tenant, Token, Model string
	// Each gives every tenant, token or model an amount of its own; "": all
	// share one.
	Each string

	// Soft is the percentage of the limit from which on people are warned. 0: as
	// WithWarnings says.
	Soft int
	// Degrade moves calls to the next model of their chain ([WithFallback]) from
	// the soft level on.
	Degrade bool
}

// newBudgets reports the faults of all budgets at once.
func newBudgets(list []Budget) ([]budget.Budget, error) {
	out := make([]budget.Budget, len(list))
	for i, b := range list {
		zone, err := time.LoadLocation(b.Zone)
		if err != nil {
			return nil, fmt.Errorf("budget %q: %w", b.Name, err)
		}
		out[i] = budget.Budget{
			Name: b.Name, Limit: b.Limit, Period: budget.Period(b.Period), Zone: zone,
			Tenant: b.Tenant, Token: b.Token, Model: b.Model, Each: budget.Each(b.Each), Soft: b.Soft, Degrade: b.Degrade,
		}
	}
	return out, budget.Check(out)
}

// WithBudgets holds calls to budgets. Without any, money is only counted.
func WithBudgets(list ...Budget) Option {
	return func(s *settings) (err error) {
		s.budgets, err = newBudgets(list)
		return err
	}
}

// WithBudgetLeases keeps in l what is leased of the budgets, so that a gateway
// that starts anew, or another one beside it, knows what has been spent. The
// default keeps it as long as the gateway is.
func WithBudgetLeases(l call.Leases) Option {
	return func(s *settings) error {
		s.leases = l
		return nil
	}
}

// SetBudgets replaces the budgets while the gateway runs. What has been spent of
// one stays spent as long as its name and its period stay. It changes nothing
// if a budget is not valid.
func (g *Gateway) SetBudgets(list []Budget) error {
	budgets, err := newBudgets(list)
	if err != nil {
		return err
	}
	return g.money.Configure(budgets)
}

// Budgets tells how far the budgets are used.
func (g *Gateway) Budgets() []call.BudgetReport { return g.money.Report(time.Now()) }

// openBudgets makes the room that keeps the budgets, and reads what is leased.
func (g *Gateway) openBudgets(s *settings) (err error) {
	g.money, err = budget.New(context.Background(), budget.Config{Budgets: s.budgets, Prices: s.prices, Leases: s.leases, Log: s.log})
	return err
}

// giveBack is how long the store of the leases has when a gateway ends.
const giveBack = 10 * time.Second

func (g *Gateway) closeBudgets() {
	ctx, cancel := context.WithTimeout(context.Background(), giveBack)
	defer cancel()
	g.money.Close(ctx)
}

// reserveForBatch sets aside the most that a call can cost, at the price of an
// ordinary one, and waits as such a one does. It returns nil where no budget
// watches the call.
func (g *Gateway) reserveForBatch(ctx context.Context, c *call.Call) (*call.Permit, error) {
	for {
		if err := g.money.Check(time.Now(), c); err != nil {
			return nil, err
		}
		free := call.NewPermit(unlimited{})
		permit, err := g.money.Reserve(ctx, c, free)
		switch {
		case err != nil:
			return nil, err
		case permit == free:
			return nil, nil
		case permit != nil:
			return permit, nil
		}
	}
}

// unlimited is the account of a permit that draws on no quota.
type unlimited struct{}

func (unlimited) Observe(time.Time, call.Limits)                   {}
func (unlimited) Input(time.Time, call.Usage)                      {}
func (unlimited) Output(time.Time, call.Tokens)                    {}
func (unlimited) Reject(time.Time, call.Limits, call.Verdict) bool { return false }
func (unlimited) Settle(time.Time, call.Usage)                     {}
func (unlimited) Headroom(time.Time) call.Headroom                 { return call.Headroom{} }

// budgetReadings are the budgets as warnings look at them.
func (g *Gateway) budgetReadings() []warn.Budget {
	reports := g.Budgets()
	list := make([]warn.Budget, len(reports))
	for i, b := range reports {
		list[i] = warn.Budget{
			Name: b.Name, Subject: b.Subject, Soft: b.Soft,
			Spent: float64(b.Spent), Limit: float64(b.Limit),
		}
		if b.ResetAt != nil {
			list[i].Until = *b.ResetAt
		}
	}
	return list
}

// budgets puts down how far the budgets are used: names are the operator's, whose
// purse it is stays unsaid.
func (r *reports) budgets(s sheet) {
	used := map[string]float64{}
	for _, b := range r.g.Budgets() {
		if share, seen := used[b.Name]; seen && share >= b.Share {
			continue
		}
		used[b.Name] = b.Share
		s.set(descBudgetLimit, dollars(b.Limit), b.Name)
		s.set(descBudgetSpent, dollars(b.Spent), b.Name)
		s.set(descBudgetReserved, dollars(b.Reserved), b.Name)
		s.set(descBudgetUsed, b.Share, b.Name)
	}
	for name, n := range r.g.money.Refused() {
		s.set(descBudgetRefused, float64(n), name)
	}
}

func dollars(u call.USD) float64 { return float64(u) / float64(call.Dollar) }
