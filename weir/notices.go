package weir

import (
	"math"
	"strconv"
	"time"

	"github.com/weir-gateway/weir/call"
)

// notices are the active warnings, and what the header weir-warning says of
// them to whom they concern. They are immutable.
type notices struct {
	list    []call.Warning
	buckets map[place]string
	others  map[matter]string
	budgets bool // some are about budgets
}

// place is where a call draws its quota.
type place struct{ organization, group string }

// matter is what else may concern a call: its account or key, the breaker of
// its model, its purse of a budget.
type matter struct{ kind, name string }

// newNotices returns nil if there are no warnings, which spares every answer
// the search.
func newNotices(list []call.Warning) *notices {
	if len(list) == 0 {
		return nil
	}
	n := &notices{list: list, buckets: map[place]string{}, others: map[matter]string{}}
	for i := range list {
		w := &list[i]
		text := headerText(w)
		switch w.Kind {
		case call.QuotaLow, call.QuotaForecast:
			at := place{w.Organization, w.Group}
			n.buckets[at] = join(n.buckets[at], text)
		case call.AccountDown, call.KeyRefused:
			n.others[matter{"account", w.Whose()}] = text
		case call.BreakerOpen:
			n.others[matter{"breaker", w.Scope}] = text
		case call.BudgetLow:
			n.budgets = true
			n.others[matter{"budget/" + w.Scope, w.Tenant}] = text
		}
	}
	return n
}

// asked is what warnings need to know of a call.
type asked struct {
	pool, model, tenant, client string
	payer                       call.Key // the zero Key: not known
}

// concerns is the value of the header weir-warning, or empty.
func (g *Gateway) concerns(c asked) string {
	n := g.warner.active.Load()
	if n == nil {
		return ""
	}
	key := c.payer
	organization, group := g.admission.Place(key.Print, c.pool, c.model)
	text := join(n.others[matter{"account", organization}], n.buckets[place{organization, group}])
	if key.Name != organization {
		text = join(n.others[matter{"account", key.Name}], text)
	}
	if g.guard != nil {
		text = join(text, n.others[matter{"breaker", g.guard.scope(c.model, key)}])
	}
	if n.budgets {
		of := call.Call{Tenant: c.tenant, Client: c.client, Model: c.model}
		for _, purse := range g.money.Concerned(&of) {
			text = join(text, n.others[matter{"budget/" + purse[0], purse[1]}])
		}
	}
	return text
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + ", " + b
}

// headerText is a warning as a program reads it: ASCII, no names of others.
func headerText(w *call.Warning) string {
	switch w.Kind {
	case call.QuotaLow:
		return w.Limiter + " below " + strconv.Itoa(w.Threshold) + "%" + emptyIn(w)
	case call.QuotaForecast:
		return w.Limiter + " at " + percent(w.Left) + "%" + emptyIn(w)
	case call.AccountDown:
		return "account blocked: " + w.Cause + until(w)
	case call.KeyRefused:
		return "key refused"
	case call.BreakerOpen:
		return "breaker open: " + w.Cause + until(w)
	}
	return "budget at " + percent(w.Left) + "%" + until(w)
}

func emptyIn(w *call.Warning) string {
	if w.EmptyIn == nil {
		return ""
	}
	return "; empty_in=" + strconv.Itoa(int(math.Ceil(min(*w.EmptyIn, 1e6)))) + "s"
}

func until(w *call.Warning) string {
	if w.Until == nil {
		return ""
	}
	return "; until=" + w.Until.UTC().Truncate(time.Second).Format(time.RFC3339)
}

// percent is how much is left, in whole percents.
func percent(left *float64) string {
	if left == nil {
		return "0"
	}
	return strconv.Itoa(int(*left*100 + 1e-9))
}
