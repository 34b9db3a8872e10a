package flow_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/flow"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func of(model string) *call.Call {
	return &call.Call{Model: model, Deadline: noon.Add(10 * time.Minute)}
}

// drain takes the credit that a fresh model begins with.
func drain(t *testing.T, b *flow.RetryBudget, c *call.Call) {
	t.Helper()
	for i := range 5 {
		if wait := b.Take(noon, c); wait != 0 {
			t.Fatalf("%s: retry %d of a fresh budget waits %v", c.Model, i, wait)
		}
	}
}

func TestBudget(t *testing.T) {
	b, c := flow.NewRetryBudget(), of("a")
	drain(t, b, c)
	if wait := b.Take(noon, c); wait != time.Second {
		t.Errorf("the sixth waits %v, want a second", wait)
	}
	for range 10 {
		b.Deposit(noon, c, call.Key{})
	}
	if wait := b.Take(noon, c); wait < 990*time.Millisecond || wait > 1010*time.Millisecond {
		t.Errorf("ten calls pay for one retry: waits %v", wait)
	}
	if wait := b.Take(noon.Add(time.Hour), c); wait != 0 {
		t.Errorf("an hour later: waits %v", wait)
	}
}

func TestBudgetKeepsModelsApart(t *testing.T) {
	b := flow.NewRetryBudget()
	for range 50 {
		b.Take(noon, of("failing"))
	}
	drain(t, b, of("healthy"))
}

func TestBudgetOfClientRetries(t *testing.T) {
	b, c := flow.NewRetryBudget(), of("a")
	drain(t, b, c)
	c.ClientRetry = 1
	for range 100 {
		b.Deposit(noon, c, call.Key{})
	}
	if wait := b.Take(noon, c); wait != time.Second {
		t.Errorf("after a hundred retries of clients: waits %v, want a second", wait)
	}
}

func TestBudgetLeavesNoDebt(t *testing.T) {
	b, c := flow.NewRetryBudget(), of("a")
	c.Deadline = noon.Add(10 * time.Second)
	for range 1000 {
		b.Take(noon, c)
	}
	if wait := b.Take(noon.Add(12*time.Second), of("a")); wait != 0 {
		t.Errorf("calls that gave up left a wait of %v", wait)
	}
}

func TestBudgetIsBounded(t *testing.T) {
	b := flow.NewRetryBudget()
	for i := range 256 {
		drain(t, b, of(fmt.Sprint("model-", i)))
	}
	drain(t, b, of("one-more"))
	if wait := b.Take(noon, of("and-another")); wait != time.Second {
		t.Errorf("models without a place share a credit: waits %v, want a second", wait)
	}
	// The others have recovered and are forgotten; there is place again.
	now := noon.Add(time.Minute)
	for i := range 5 {
		if wait := b.Take(now, of("newcomer")); wait != 0 {
			t.Errorf("retry %d of a newcomer waits %v", i, wait)
		}
	}
	if wait := b.Take(now, of("newcomer")); wait != time.Second {
		t.Errorf("the sixth waits %v: it got the shared credit, not its own", wait)
	}
}

func TestBudgetKeepsUpstreamsApart(t *testing.T) {
	b := flow.NewRetryBudget()
	for range 50 {
		c := of("m")
		c.Shunned = call.Key{Print: "k", Upstream: "http://relay"}
		b.Take(noon, c)
	}
	drain(t, b, of("m"))
}
