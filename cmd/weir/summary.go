package main

import (
	"fmt"
	"strings"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/config"
)

// summary says in one line where calls go, who pays for them, and what bounds
// them.
func summary(c config.Config) string {
	where := config.Redacted(c.Upstream)
	if c.Upstream == config.Simulator {
		where = "the simulator in this process, whose answers are made up and cost nothing"
	}
	return "upstream " + where + ", " + mode(c) + "; " + bounds(c)
}

// mode says who pays.
func mode(c config.Config) string {
	switch {
	case len(c.Keys) == 0 && c.Upstream == config.Simulator:
		return "pass-through mode: any key will do"
	case len(c.Keys) == 0:
		return "pass-through mode: each caller pays with its own key"
	}
	names := make([]string, len(c.Keys))
	for i, k := range c.Keys {
		names[i] = k.Name
	}
	return "pool mode: calls are paid with " + strings.Join(names, ", ")
}

// bounds says what the configuration keeps calls to, and which profile that
// comes from.
func bounds(c config.Config) string {
	list := []string{fmt.Sprintf("waits of at most %v", c.Queue.MaxWait)}
	if c.Queue.AtOnce > 0 {
		list = append(list, fmt.Sprintf("at most %d calls at once", c.Queue.AtOnce))
	}
	if c.Retry.Off {
		list = append(list, "no retries")
	}
	for i, b := range c.Budgets {
		if i == maxBudgetsTold {
			list = append(list, fmt.Sprintf("%d more budgets", len(c.Budgets)-i))
			break
		}
		list = append(list, fmt.Sprintf("budget %s of $%v a %s", b.Name, call.USD(b.Limit), b.Period))
	}
	if len(c.Budgets) > 0 && c.Data == "" && c.Ledger.Postgres == "" {
		list = append(list, "what is spent is kept in memory alone")
	}
	if c.Degrade.DryRun {
		list = append(list, "a dry run of the ladder")
	}
	text := strings.Join(list, ", ")
	if c.Profile != "" {
		text = "profile " + c.Profile + ": " + text
	}
	return text
}

// maxBudgetsTold keeps the summary on a line.
const maxBudgetsTold = 2
