package shape

import (
	"cmp"
	"strconv"
	"sync/atomic"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/message"
)

// Bound is what a request's max_tokens is. Zero fields say nothing.
type Bound struct {
	Default call.Tokens // where the request names none
	Cap     call.Tokens // at most
}

// Bounds is the policy of max_tokens. Of the caps that concern a call the
// lowest holds; of the defaults that of its client, else of its tenant, else of
// its class, else that of all.
type Bounds struct {
	All     Bound
	Classes [call.NumClasses]Bound
	Tenants map[string]Bound
	Clients map[string]Bound // by the name of the gateway token
}

// of is what holds for c.
func (b *Bounds) of(c *call.Call) Bound {
	client, tenant, class := b.Clients[c.Client], b.Tenants[c.Tenant], b.Classes[c.Class]
	if c.Client == "" {
		client = Bound{}
	}
	out := Bound{Default: cmp.Or(client.Default, tenant.Default, class.Default, b.All.Default)}
	for _, each := range []Bound{client, tenant, class, b.All} {
		if each.Cap > 0 && (out.Cap == 0 || each.Cap < out.Cap) {
			out.Cap = each.Cap
		}
	}
	return out
}

// MaxTokens is the step that gives a call its max_tokens. The zero MaxTokens
// changes none. It is safe for concurrent use.
type MaxTokens struct{ bounds atomic.Pointer[Bounds] }

// Configure replaces the policy, from the next call on.
func (m *MaxTokens) Configure(b Bounds) { m.bounds.Store(&b) }

// Cap is what the max_tokens of c will be lowered to, or 0.
func (m *MaxTokens) Cap(c *call.Call) call.Tokens {
	b := m.bounds.Load()
	if b == nil {
		return 0
	}
	limit := b.of(c).Cap
	if limit == 0 || c.MaxTokens <= limit {
		return 0
	}
	if limit = capped(limit, budgetOf(c)); c.MaxTokens <= limit {
		return 0
	}
	return limit
}

// The API wants a thinking budget of at least leastBudget tokens, and
// max_tokens above it; thinkingCap leaves as much for the answer.
const (
	leastBudget = 1024
	thinkingCap = 2 * leastBudget
)

// Prepare implements [Step]. A valid request stays one: where a cap is not above
// the thinking budget, the budget is lowered too, and with thinking no cap is
// below 2,048.
func (m *MaxTokens) Prepare(c *call.Call) bool {
	b := m.bounds.Load()
	if b == nil {
		return false
	}
	bound := b.of(c)
	switch {
	case bound.Cap > 0 && c.MaxTokens > bound.Cap:
		return lower(c, bound.Cap)
	case bound.Default > 0 && c.MaxTokens == 0:
		return begin(c, bound)
	}
	return false
}

// lower brings max_tokens down to limit, and the thinking budget below it.
func lower(c *call.Call, limit call.Tokens) bool {
	body, budget := c.Body, budgetOf(c)
	if limit = capped(limit, budget); limit >= c.MaxTokens {
		return false
	}
	if budget >= limit {
		thinking, err := message.Get(body, "thinking")
		if err != nil {
			return false // classify has read the body: it does not happen
		}
		thinking, err = message.Set(thinking, "budget_tokens", number(limit/2))
		if err != nil {
			return false
		}
		if body, err = message.Set(body, "thinking", thinking); err != nil {
			return false
		}
	}
	body, err := message.Set(body, "max_tokens", number(limit))
	if err != nil {
		return false
	}
	c.Body, c.MaxTokensAsked, c.MaxTokens = body, cmp.Or(c.MaxTokensAsked, c.MaxTokens), limit
	return true
}

// capped is what a cap of limit leaves a call with that thinking budget.
func capped(limit, budget call.Tokens) call.Tokens {
	if budget > 0 {
		return max(limit, thinkingCap)
	}
	return limit
}

// begin gives a request that names none its max_tokens, with room for the
// thinking that it asks for. One that says 0 wants no answer, only its prompt
// in the upstream's cache: it stays.
func begin(c *call.Call, bound Bound) bool {
	if said, err := message.Get(c.Body, "max_tokens"); err != nil || said != nil && string(said) != "null" {
		return false
	}
	tokens, budget := bound.Default, budgetOf(c)
	if budget >= tokens {
		tokens += budget
	}
	body, err := message.Set(c.Body, "max_tokens", number(tokens))
	if err != nil {
		return false
	}
	c.Body, c.MaxTokens = body, tokens
	if bound.Cap > 0 && tokens > bound.Cap {
		lower(c, bound.Cap)
		c.MaxTokensAsked = 0 // nobody asked for more
	}
	return true
}

// budgetOf is the thinking budget that a call asks for, or 0.
func budgetOf(c *call.Call) call.Tokens {
	if !c.Content.Thinking {
		return 0
	}
	thinking, err := message.Get(c.Body, "thinking")
	if err != nil || len(thinking) == 0 || thinking[0] != '{' {
		return 0
	}
	said, err := message.Get(thinking, "budget_tokens")
	if err != nil {
		return 0
	}
	n, err := strconv.ParseFloat(string(said), 64)
	if err != nil {
		return 0 // none, or none that the API would take
	}
	return call.Tokens(min(max(n, 0), 1e12))
}

func number(n call.Tokens) []byte { return strconv.AppendInt(nil, int64(n), 10) }
