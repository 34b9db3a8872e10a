package price

import (
	"time"

	"github.com/weir-gateway/weir/call"
)

// Caching is what the prompt cache did to the cost of a call of model at a
// time: what was read from it would have cost saved more, and what was written
// to it cost premium more than if there were no cache.
func (t *Table) Caching(model string, at time.Time, u call.Usage) (saved, premium call.USD) {
	cost, _ := t.Cost(model, at, u)
	unread := u
	unread.Input, unread.CacheRead = u.Input+u.CacheRead, 0
	dear, _ := t.Cost(model, at, unread)
	unwritten := u
	unwritten.Input, unwritten.CacheWrite, unwritten.HourWrite = u.Input+u.CacheWrite, 0, 0
	plain, _ := t.Cost(model, at, unwritten)
	return dear - cost, cost - plain
}
