package budget

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/price"
)

// Config is what [New] needs.
type Config struct {
	Budgets []Budget
	Prices  *price.Table
	Leases  call.Leases // nil: they are kept as long as the room is
	Log     *slog.Logger
}

// Room sets money aside and books it. It is safe for concurrent use.
type Room struct {
	prices atomic.Pointer[price.Table]

	// Static after New.
	leases call.Leases
	log    *slog.Logger

	background sync.WaitGroup // what talks to the store beside calls
	idle       atomic.Bool    // there are no budgets

	mu       sync.Mutex // guards the rest; not held while the store is asked
	watches  []*watch
	purses   map[call.Purse]*purse
	promised map[uint64]*promise // by the Seq of the calls
	closed   bool
	refused  map[string]uint64 // by name of the budget
}

// watch is a budget in force.
type watch struct {
	Budget
	start, end time.Time         // of the period that was looked at last
	purses     int               // of that period
	known      map[string]*purse // by subject, of that period
}

// Bounds of the purses. Tenants may be invented by callers: those beyond share
// one purse.
const (
	maxPurses = 10_000
	theOthers = "(others)"
)

// New returns the room, which knows from the store what was leased before.
func New(ctx context.Context, cfg Config) (*Room, error) {
	r := &Room{
		leases: cfg.Leases, log: cmp.Or(cfg.Log, slog.New(slog.DiscardHandler)),
		purses: map[call.Purse]*purse{}, promised: map[uint64]*promise{}, refused: map[string]uint64{},
	}
	r.prices.Store(cfg.Prices)
	if r.leases == nil {
		r.leases = NewMemory()
	}
	if err := r.Configure(cfg.Budgets); err != nil {
		return nil, err
	}
	if len(cfg.Budgets) == 0 {
		return r, nil // what is leased is learned when there are some
	}
	known, err := r.leases.Purses(ctx, time.Now())
	if err != nil {
		return nil, fmt.Errorf("read what is leased of the budgets: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, total := range known {
		r.recall(key).total = total
	}
	return r, nil
}

// Configure replaces the budgets. What has been spent of one stays spent as long
// as its name and its period stay. It changes nothing if a budget is not valid.
func (r *Room) Configure(list []Budget) error {
	if err := Check(list); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watches = make([]*watch, len(list))
	for i, b := range list {
		b.Zone = cmp.Or(b.Zone, time.UTC)
		r.watches[i] = &watch{Budget: b}
	}
	r.idle.Store(len(list) == 0)
	for key, p := range r.purses {
		if w := r.watchOf(key); w != nil {
			p.limit = w.Limit
		}
		r.serve(p)
	}
	return nil
}

// Price replaces the prices, for attempts from now on.
func (r *Room) Price(t *price.Table) { r.prices.Store(t) }

func (r *Room) watchOf(key call.Purse) *watch {
	for _, w := range r.watches {
		if w.Name == key.Budget && string(w.Period) == key.Period {
			return w
		}
	}
	return nil
}

// recall finds a purse, or makes it. The caller holds r.mu.
func (r *Room) recall(key call.Purse) *purse {
	key.Start, key.End = key.Start.UTC(), key.End.UTC()
	p := r.purses[key]
	if p == nil {
		p = &purse{key: key}
		if w := r.watchOf(key); w != nil {
			p.limit = w.Limit
		}
		r.purses[key] = p
	}
	return p
}

// drawn lists the purses that c draws on now. The caller holds r.mu.
func (r *Room) drawn(now time.Time, c *call.Call) []*purse {
	var list []*purse
	for _, w := range r.watches {
		subject, ok := w.watches(c)
		if !ok {
			continue
		}
		r.turn(now, w)
		list = append(list, r.purseOf(w, subject))
	}
	return list
}

// turn looks whether another period of w has begun.
func (r *Room) turn(now time.Time, w *watch) {
	if now.Before(w.end) && !now.Before(w.start) {
		return
	}
	w.start, w.end = w.Period.span(now, w.Zone)
	w.start, w.end, w.purses, w.known = w.start.UTC(), w.end.UTC(), 0, map[string]*purse{}
	for key, p := range r.purses {
		if key.Budget == w.Name && key.Start.Equal(w.start) {
			w.purses++
		}
		if !now.Before(key.End) && p.held == 0 && len(p.queue) == 0 && !p.tidying && p.asking == nil {
			delete(r.purses, key)
		}
	}
}

// purseOf is the purse of a subject in the present period. The caller holds
// r.mu.
func (r *Room) purseOf(w *watch, subject string) *purse {
	if p := w.known[subject]; p != nil {
		return p
	}
	key := call.Purse{Budget: w.Name, Period: string(w.Period), Subject: subject, Start: w.start, End: w.end}
	if r.purses[key] == nil {
		if w.Each != All && w.purses >= maxPurses {
			key.Subject = theOthers
		}
		w.purses++
	}
	p := r.recall(key)
	if len(w.known) < 2*maxPurses {
		w.known[strings.Clone(subject)] = p
	}
	return p
}

// Check refuses a call whose money is spent, or that could cost more than what
// is left, so that it need not wait for that.
func (r *Room) Check(now time.Time, c *call.Call) error {
	if r.idle.Load() {
		return nil
	}
	amount := r.prices.Load().Most(c.Model, c.Received, boundOf(c))
	r.mu.Lock()
	defer r.mu.Unlock()
	if no := r.afford(now, c, amount, r.drawn(now, c)); no != nil {
		return no
	}
	return nil
}

// afford refuses what one of the purses can never pay for. The caller holds
// r.mu.
func (r *Room) afford(now time.Time, c *call.Call, amount call.USD, list []*purse) *call.Refusal {
	var worst *purse
	for _, p := range list {
		if p.never(amount) && (worst == nil || p.key.End.After(worst.key.End)) {
			worst = p // who comes back must get past all of them
		}
	}
	if worst == nil {
		return nil
	}
	if worst.others() > 0 && now.Sub(worst.asked) > askAgain {
		r.tidy(worst) // other gateways may have given something back
	}
	r.refused[worst.key.Budget]++
	return worst.refusal(now, c, amount)
}

// refusal says what is spent, and when that is over.
func (p *purse) refusal(now time.Time, c *call.Call, amount call.USD) *call.Refusal {
	no := &call.Refusal{
		Reason: call.BudgetSpent, RetryIn: max(p.key.End.Sub(now), 1), Waited: now.Sub(c.Received),
		Budget: &call.Shortage{
			Name: p.key.Budget, Subject: p.key.Subject, Limit: p.limit, Left: max(p.limit-p.spent(), 0), Need: amount, Until: p.key.End,
		},
	}
	if amount > p.limit {
		no.RetryIn = 0 // no period has enough for it
	}
	return no
}

// Tight reports whether a budget asks for a cheaper model.
func (r *Room) Tight(now time.Time, c *call.Call) bool {
	if r.idle.Load() {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.watches {
		if !w.Degrade {
			continue
		}
		if subject, ok := w.watches(c); ok {
			r.turn(now, w)
			if r.purseOf(w, subject).level(w.Soft) != "ok" {
				return true
			}
		}
	}
	return false
}

// Close gives back what was leased and not spent. Attempts that end later are
// booked as well as they can be.
func (r *Room) Close(ctx context.Context) {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.background.Wait()
	r.mu.Lock()
	back := map[*purse]call.USD{}
	for _, p := range r.purses {
		if free := p.free(); free > 0 {
			p.yield(free)
			back[p] = free
		}
	}
	r.mu.Unlock()
	for p, amount := range back {
		if _, err := r.leases.Return(ctx, p.key, amount); err != nil {
			r.log.Error("what is left of a budget cannot be given back: it counts as spent", "budget", p.key.Budget, "amount", amount.String(), "cause", err)
		}
	}
}
