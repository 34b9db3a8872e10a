package condition_test

import (
	"strings"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/condition"
)

func TestCondition(t *testing.T) {
	s := call.Signals{
		Headroom: 0.12, Input: 0.12, Output: 0.9, Requests: 1, QueueWait: 7 * time.Second, Waiting: 3, Budget: 0.85,
		Breaker: "open", Class: call.Batch, Tenant: "acme", Model: "claude-opus-5",
		Now: time.Date(2026, 11, 25, 1, 30, 0, 0, time.UTC),
	}
	for text, want := range map[string]bool{
		"headroom < 0.2":                                     true,
		"headroom < 0.1":                                     false,
		"headroom < 1":                                       true,
		`queue_wait > duration("5s")`:                        true,
		`class == "batch" && waiting > 2`:                    true,
		`budget >= 0.9 || breaker == "open"`:                 true,
		`now.getHours("Asia/Shanghai") == 9`:                 true,
		`tenant in ["acme", "b"] && output < 0.5`:            false,
		`model.startsWith("claude-opus") && requests == 1.0`: true,
	} {
		c, err := condition.Compile(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := c.Holds(s); got != want || err != nil {
			t.Errorf("%s: %v %v, want %v", text, got, err, want)
		}
	}
	c, err := condition.Compile(`headroom < 0.2 && class != "interactive"`)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.Show(s), ", "); got != `headroom = 0.12, class = "batch"` || c.PerTenant() {
		t.Errorf("it shows %s, and per tenant is %v", got, c.PerTenant())
	}
	if c, err := condition.Compile("budget > 0.5"); err != nil || !c.PerTenant() {
		t.Errorf("a budget may be a tenant's: %v", err)
	}
	if c, err := condition.Compile("1 / waiting > 0"); err != nil {
		t.Error(err)
	} else if _, err := c.Holds(call.Signals{}); err == nil {
		t.Error("a division by zero has an answer")
	}
}

func TestFaultsOfConditions(t *testing.T) {
	for text, want := range map[string]string{
		"headroom <":               "at character 11: Syntax error",
		"headrom < outpt":          "at character 1: undeclared reference to 'headrom'; at character 11: undeclared reference to 'outpt'",
		"headroom < 1 &&\n  nw":    "line 2, character 3",
		"headrom < 0.2":            "undeclared reference to 'headrom'",
		"queue_wait > 5":           "no matching overload",
		`headroom < "0.2"`:         "no matching overload",
		"headroom":                 "of type double, not bool",
		"":                         "at character",
		"waiting + 1":              "of type int, not bool",
		"[1].map(x, x * headroom)": "at character",
	} {
		if _, err := condition.Compile(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
