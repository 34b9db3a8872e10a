package config_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/config"
)

func TestBudgets(t *testing.T) {
	c, err := config.Load(write(t, `
budgets:
  - {name: house, limit: 500, period: month, zone: Europe/Berlin, soft: 80, at_soft: degrade}
  - {name: tenants, limit: "0.10", period: day, each: tenant, model: claude-opus-*}
degrade: {fallback: {claude-opus-5: [claude-sonnet-5]}}
`), getenv())
	if err != nil || c.Check() != nil {
		t.Fatal(err, c.Check())
	}
	if b := c.Budgets; call.USD(b[0].Limit) != 500*call.Dollar || call.USD(b[1].Limit) != call.Dollar/10 {
		t.Errorf("got %+v", b)
	}
	view, err := c.View()
	if err != nil {
		t.Fatal(err)
	}
	if raw, _ := json.Marshal(view); !strings.Contains(string(raw), `"0.10"`) || !strings.Contains(string(raw), "claude-opus-*") {
		t.Errorf("the view lacks the budgets: %s", raw)
	}
}

// TestBudgetFaults: all of them at once, each with its place.
func TestBudgetFaults(t *testing.T) {
	_, err := config.Load(write(t, `
budgets:
  - {name: a, limit: 0, period: day}
  - {name: a, limit: 1, period: day, zone: Atlantis}
  - {name: b, limit: 1, period: day, at_soft: degrade}
  - {name: c, limit: 1, period: day, each: token}
`), getenv())
	if err == nil {
		t.Fatal("it is taken")
	}
	for _, want := range []string{"budgets[0].limit", "budgets[1].name", "budgets[1].zone", "budgets[2].soft", "budgets[2].at_soft", "budgets[3]: there are no tokens"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %s in\n%v", want, err)
		}
	}
	_, err = config.Load(write(t, `
budgets:
  - {name: a, limit: much, period: year}
  - {name: b, limit: -1, period: day, colour: red}
`), getenv())
	if err == nil {
		t.Fatal("it is taken")
	}
	for _, want := range []string{"budgets[0].limit", "budgets[0].period", "budgets[1].limit", "colour"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %s in\n%v", want, err)
		}
	}
}
