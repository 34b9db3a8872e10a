package weir

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/price"
)

// Prices are what calls cost. The zero value is the built-in list prices.
type Prices struct {
	Table []byte // in the form of internal/price/prices.json; nil: the built-in ones

	// What a model costs that the table does not know, for a million tokens; 0:
	// the most that any model of the table costs.
	CeilingInput, CeilingOutput call.USD
}

func (p Prices) table() (t *price.Table, err error) {
	t = price.Builtin()
	if p.Table != nil {
		if t, err = price.Parse(p.Table); err != nil {
			return nil, err
		}
	}
	if p.CeilingInput > 0 || p.CeilingOutput > 0 {
		t = t.WithCeiling(p.CeilingInput, p.CeilingOutput)
	}
	return t, nil
}

// WithPrices replaces the built-in list prices.
func WithPrices(p Prices) Option {
	return func(s *settings) (err error) {
		s.prices, err = p.table()
		return err
	}
}

// SetPrices replaces the prices while the gateway runs, for calls that end from
// now on. It changes nothing if they are not valid.
func (g *Gateway) SetPrices(p Prices) error {
	t, err := p.table()
	if err == nil {
		g.priced.table.Store(t)
		g.money.Price(t)
	}
	return err
}

// WithLedger has every event written down, and shows in the metrics how that
// fares.
func WithLedger(l call.Ledger) Option {
	return func(s *settings) error {
		s.ledger = l
		s.observers = append(s.observers, l)
		return nil
	}
}

// priced writes on every event what its call cost, before others see it.
type priced struct {
	table atomic.Pointer[price.Table]
	log   *slog.Logger
	next  call.Observer

	mu      sync.Mutex
	unknown map[string]bool // models that were told of; bounded; guarded by mu
}

// maxUnknown bounds what is remembered of models that the table does not know:
// clients name them.
const maxUnknown = 256

func newPriced(table *price.Table, log *slog.Logger, next call.Observer) *priced {
	p := &priced{log: log, next: next, unknown: map[string]bool{}}
	p.table.Store(table)
	return p
}

// Event implements [call.Observer].
func (p *priced) Event(e call.Event) {
	e.Cost, e.Priced = p.price(e, e.Model, e.Usage)
	if slices.ContainsFunc(e.Story, func(a call.Attempt) bool { return used(a.Usage) }) {
		e.Story = slices.Clone(e.Story) // others may hold it
		for i := range e.Story {
			a := &e.Story[i]
			a.Cost, a.Priced = p.price(e, cmp.Or(a.Model, e.Model), a.Usage)
		}
	}
	if e.Prompt.Marks > 0 && e.Priced {
		e.Prompt.Saved, e.Prompt.Premium = p.table.Load().Caching(cmp.Or(e.Usage.Model, e.Model), e.At.Add(-e.Took), e.Usage)
	}
	p.next.Event(e)
}

func used(u call.Usage) bool { return u.Input+u.CacheRead+u.CacheWrite+u.Output > 0 }

// price is what a usage of e's costs, by the model that answered.
func (p *priced) price(e call.Event, model string, u call.Usage) (cost call.USD, known bool) {
	if !used(u) {
		return 0, false
	}
	model = cmp.Or(u.Model, model)
	cost, known = p.table.Load().Cost(model, e.At.Add(-e.Took), u)
	if !known {
		p.tell(model)
	}
	return cost, known
}

// tell warns, once, of a model without a price.
func (p *priced) tell(model string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unknown[model] || len(p.unknown) >= maxUnknown {
		return
	}
	p.unknown[model] = true
	p.log.Warn("no price is known for a model: its calls cost the ceiling", "model", model)
}
