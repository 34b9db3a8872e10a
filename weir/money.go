package weir

import (
	"log/slog"
	"sync"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/price"
)

// WithPrices replaces the built-in list prices by a table in the same form
// (internal/price/prices.json).
func WithPrices(table []byte) Option {
	return func(s *settings) (err error) {
		s.prices, err = price.Parse(table)
		return err
	}
}

// priced writes on every event what its call cost, before others see it.
type priced struct {
	table *price.Table
	log   *slog.Logger
	next  call.Observer

	mu      sync.Mutex
	unknown map[string]bool // models that were told of; bounded; guarded by mu
}

// maxUnknown bounds what is remembered of models that the table does not know:
// clients name them.
const maxUnknown = 256

func newPriced(table *price.Table, log *slog.Logger, next call.Observer) *priced {
	return &priced{table: table, log: log, next: next, unknown: map[string]bool{}}
}

// Event implements [call.Observer].
func (p *priced) Event(e call.Event) {
	model := e.Model
	if e.Usage.Model != "" {
		model = e.Usage.Model
	}
	if e.Usage.Input+e.Usage.CacheRead+e.Usage.CacheWrite+e.Usage.Output > 0 {
		e.Cost, e.Priced = p.table.Cost(model, e.At.Add(-e.Took), e.Usage)
		if !e.Priced {
			p.tell(model)
		}
	}
	if e.Prompt.Marks > 0 && e.Priced {
		e.Prompt.Saved, e.Prompt.Premium = p.table.Caching(model, e.At.Add(-e.Took), e.Usage)
	}
	p.next.Event(e)
}

// tell warns, once, of a model without a price.
func (p *priced) tell(model string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unknown[model] || len(p.unknown) >= maxUnknown {
		return
	}
	p.unknown[model] = true
	p.log.Warn("no price is known for a model: its calls count as the most expensive ones", "model", model)
}
