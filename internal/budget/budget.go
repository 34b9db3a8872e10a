// Package budget keeps sums of money from being overspent. A [Budget] grants an
// amount for each period to everybody, or to each tenant, token or model; a
// [Room] sets the most that an attempt can cost aside before it is sent, and
// books what it did cost when it has ended.
//
// Money is leased in slices from a durable store before it is set aside (ADR
// 19): whatever is killed, the store never hands out more than the limit.
package budget

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Each says who has a purse of its own.
type Each string

// Whom a budget can tell apart.
const (
	All       Each = "" // one purse for all
	PerTenant Each = "tenant"
	PerToken  Each = "token"
	PerModel  Each = "model"
)

// Budget is a sum of money for each period. A call draws on every budget that
// watches it.
type Budget struct {
	Name   string
	Limit  call.USD
	Period Period
	Zone   *time.Location // in which days begin; nil: UTC

	// What it watches. Each one that is not empty must match; * stands for
	// anything.
	Tenant, Token, Model string
	Each                 Each

	Soft    int  // percent of the limit from which on people are warned; 0: as all budgets
	Degrade bool // from there on calls move to another model, where one is configured
}

// Check reports what is wrong with a list of budgets, all at once.
func Check(list []Budget) error {
	var errs []error
	names := map[string]bool{}
	for _, b := range list {
		fault := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("budget %q: "+format, append([]any{b.Name}, args...)...))
		}
		if b.Name == "" {
			fault("it needs a name")
		}
		if names[b.Name] {
			fault("the name is taken")
		}
		names[b.Name] = true
		if b.Limit <= 0 {
			fault("a limit of %s dollars lets nothing pass", b.Limit)
		}
		if !b.Period.known() {
			fault("%q is no period: day, week or month", b.Period)
		}
		switch b.Each {
		case All, PerTenant, PerToken, PerModel:
		default:
			fault("it cannot tell every %q apart: tenant, token or model", b.Each)
		}
		if b.Soft < 0 || b.Soft > 100 {
			fault("the soft level is a percentage from 1 to 100, not %d", b.Soft)
		}
		if b.Degrade && b.Soft == 0 {
			fault("from which percentage on are calls to move to another model?")
		}
	}
	return errors.Join(errs...)
}

// watches reports whether c draws on the budget, and whose purse it is.
func (b *Budget) watches(c *call.Call) (subject string, ok bool) {
	if !like(b.Tenant, c.Tenant) || !like(b.Token, c.Client) || !like(b.Model, c.Model) {
		return "", false
	}
	switch b.Each {
	case PerTenant:
		return c.Tenant, true
	case PerToken:
		return c.Client, true
	case PerModel:
		return c.Model, true
	}
	return "", true
}

// like reports whether name matches a pattern. The empty one matches all.
func like(pattern, name string) bool {
	if pattern == "" {
		return true
	}
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == name
	}
	if !strings.HasPrefix(name, head) {
		return false
	}
	name = name[len(head):]
	for {
		part, more, star := strings.Cut(rest, "*")
		if !star {
			return strings.HasSuffix(name, part)
		}
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name, rest = name[i+len(part):], more
	}
}
