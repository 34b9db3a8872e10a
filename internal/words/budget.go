package words

import (
	"fmt"

	"github.com/weir-gateway/weir/call"
)

// shortageID tells a spent budget from one that has something left, and from
// one that never has enough.
func shortageID(r *call.Refusal) string {
	b := r.Budget
	switch {
	case b == nil || b.Left <= 0:
		return call.BudgetSpent.String()
	case b.Need > b.Limit:
		return "budget_never"
	case b.Need > b.Left:
		return "budget_short"
	}
	return "budget_busy"
}

// shortage fills in what a refusal says of a budget.
func (s speaker) shortage(b *call.Shortage, blanks map[string]string) {
	blanks["Budget"] = b.Name
	if b.Subject != "" {
		blanks["Budget"] = s.say("warning_part.budget_of", map[string]string{"Name": b.Name, "Tenant": b.Subject})
	}
	blanks["BudgetLimit"], blanks["BudgetNeed"], blanks["BudgetLeft"] = dollars(b.Limit, true), dollars(b.Need, true), dollars(b.Left, false)
	blanks["Renewed"] = b.Until.UTC().Format(s.say("part.date_layout", nil))
}

// dollars writes an amount for people: in cents, or finer where it is less than
// ten of them.
func dollars(u call.USD, up bool) string {
	unit, digits := call.Dollar/100, 2
	if u < call.Dollar/10 {
		unit, digits = call.Dollar/10_000, 4
	}
	if up {
		u += unit - 1
	}
	u -= u % unit
	return fmt.Sprintf("$%d.%0*d", u/call.Dollar, digits, u%call.Dollar/unit)
}
