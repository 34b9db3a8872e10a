package weir_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// onBatches runs a test in a bubble, with a gateway that collects what a lever
// tells it to, after making it simpler by some more rungs.
func onBatches(t *testing.T, c sim.Config, test func(k *collecting, pull *lever), before ...call.Rung) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var pull lever
		ladder := weir.Ladder{Tenants: []string{"core*"}}
		for _, do := range append(before, call.Rung{Kind: call.RungBatches}) {
			r := pull.rung(do.Kind)
			r.Do = do
			ladder.Rungs = append(ladder.Rungs, r)
		}
		k := &collecting{twoRooms: newTwoRooms(t, c)}
		k.more = []weir.Option{weir.WithLadder(ladder)}
		k.start()
		defer func() { k.stop() }()
		test(k, &pull)
	})
}

// ordinary sends a call of class normal that can wait for two hours.
func (k *collecting) ordinary(body string, headers ...string) (*http.Response, string) {
	k.Helper()
	return send(k.T, k.client, newPost(k.T, "http://weir/v1/messages", body,
		append([]string{"Anthropic-Version", "2023-06-01", "Weir-Class", "normal", "Weir-Max-Wait", "2h"}, headers...)...))
}

const byBatches = "batches; from=claude-haiku-4-5"

// TestLadderCollects: calls that can wait are answered by a batch while the rung
// is in force, at half the price, and say so; others go on as usual.
func TestLadderCollects(t *testing.T) {
	onBatches(t, sim.Config{Timing: sim.Timing{Batch: 20 * time.Minute}}, func(k *collecting, pull *lever) {
		for i, c := range []struct {
			name    string
			down    bool // the lever
			stream  bool
			headers []string
			batch   bool
			mark    string
		}{
			{name: "not-in-force"},
			{name: "in-force", down: true, batch: true, mark: byBatches},
			{name: "interactive", down: true, headers: []string{"Weir-Class", "interactive"}, batch: true, mark: byBatches},
			{name: "stream", down: true, stream: true, batch: true, mark: byBatches},
			{name: "class-batch", down: true, headers: []string{"Weir-Class", "batch"}, batch: true},
			{name: "short-wait", down: true, headers: []string{"Weir-Max-Wait", "59m"}},
			{name: "no-wait", down: true, headers: []string{"Weir-Max-Wait", ""}},
			{name: "client-leaves-sooner", down: true, headers: []string{"X-Stainless-Timeout", "600"}},
			{name: "opted-out", down: true, headers: []string{"Weir-Degrade", "off"}},
			{name: "protected", down: true, headers: []string{"Weir-Tenant", "core-1"}},
		} {
			pull.move(c.down)
			body := numbered(i)
			if c.stream {
				body = strings.Replace(body, "{", `{"stream":true,`, 1)
			}
			before, began := len(k.paid()), time.Now()
			resp, text := k.ordinary(body, c.headers...)
			tier := map[bool]string{true: "batch", false: "standard"}[c.batch]
			if took := time.Since(began); resp.StatusCode != 200 || !strings.Contains(text, `"service_tier":"`+tier+`"`) || took > time.Minute != c.batch {
				t.Errorf("%s: %s after %v: %s", c.name, resp.Status, took, text)
			}
			mark := resp.Header.Get("Weir-Degraded")
			if c.stream { // its header went out with the first ping
				_, mark, _ = strings.Cut(text, "\n: weir-degraded: ")
				mark, _, _ = strings.Cut(mark, "\n\n")
			}
			if mark != c.mark {
				t.Errorf("%s: marked %q, want %q", c.name, mark, c.mark)
			}
			if paid := k.paid()[before:]; len(paid) != 1 || paid[0].Usage.Batch != c.batch {
				t.Errorf("%s: booked %+v", c.name, paid)
			}
		}
		if page := scrape(t, k.gateway); !strings.Contains(page, `weir_degraded_total{rung="batches"} 3`) {
			t.Error("the metric does not count three")
		}
	})
}

// TestCollectedCallerComesAgain: the rung has been left meanwhile. What is in a
// batch is answered by it, and not paid for twice; what is in none is not put
// into one any more.
func TestCollectedCallerComesAgain(t *testing.T) {
	onBatches(t, sim.Config{Timing: sim.Timing{Batch: 20 * time.Minute}}, func(k *collecting, pull *lever) {
		leave := func(body string, after time.Duration) {
			ctx, cancel := context.WithTimeout(k.Context(), after)
			defer cancel()
			if r := k.wait(ctx, body, "Weir-Class", "normal"); !errors.Is(r.err, context.DeadlineExceeded) {
				t.Errorf("%+v", r)
			}
		}
		pull.move(true)
		leave(numbered(1), 2*time.Minute)
		leave(numbered(2), time.Second)
		pull.move(false)
		if resp, text := k.ordinary(numbered(1), "Weir-Degrade", "off"); resp.Header.Get("Weir-Degraded") != "" || !strings.Contains(text, `"service_tier":"standard"`) {
			t.Errorf("opted out: %s %q %s", resp.Status, resp.Header.Get("Weir-Degraded"), text)
		}
		if resp, text := k.ordinary(numbered(1)); resp.Header.Get("Weir-Degraded") != byBatches || !strings.Contains(text, `"service_tier":"batch"`) {
			t.Errorf("%s %q %s", resp.Status, resp.Header.Get("Weir-Degraded"), text)
		}
		if resp, text := k.ordinary(numbered(2)); resp.Header.Get("Weir-Degraded") != "" || !strings.Contains(text, `"service_tier":"standard"`) {
			t.Errorf("%s %q %s", resp.Status, resp.Header.Get("Weir-Degraded"), text)
		}
		if st := k.api.Stats().Batches; st.Requests != 1 || len(k.paid()) != 3 {
			t.Errorf("%+v, %d paid for", st, len(k.paid()))
		}
	})
}

// TestLadderCollectsAcrossRestarts: what was taken from a call of another class
// is there after a restart, as that of class batch is.
func TestLadderCollectsAcrossRestarts(t *testing.T) {
	onBatches(t, sim.Config{Timing: sim.Timing{Batch: 20 * time.Minute}}, func(k *collecting, pull *lever) {
		pull.move(true)
		drained := make(chan reply)
		go func() { drained <- k.wait(k.Context(), request, "Weir-Class", "normal") }()
		time.Sleep(2 * time.Minute)
		k.gateway.Drain()
		if r := <-drained; r.status != 503 {
			t.Errorf("while it drains: %+v", r)
		}
		k.stop()
		k.start()
		if resp, text := k.ordinary(request); resp.Header.Get("Weir-Degraded") != byBatches || resp.StatusCode != 200 {
			t.Errorf("%s %s", resp.Status, text)
		}
		if st := k.api.Stats().Batches; st.Requests != 1 || len(k.paid()) != 1 {
			t.Errorf("%+v, %d paid for", st, len(k.paid()))
		}
	})
}

// TestNotCollectedAfterAll: a batch expires, and its calls are answered in the
// ordinary way and unmarked.
func TestNotCollectedAfterAll(t *testing.T) {
	onBatches(t, sim.Config{Speed: 60, Timing: sim.Timing{Batch: 100 * time.Hour}}, func(k *collecting, pull *lever) {
		pull.move(true)
		resp, text := k.ordinary(request, "Weir-Max-Wait", "30h")
		if resp.StatusCode != 200 || resp.Header.Get("Weir-Degraded") != "" || !strings.Contains(text, `"service_tier":"standard"`) {
			t.Errorf("%s %q %s", resp.Status, resp.Header.Get("Weir-Degraded"), text)
		}
	})
}

// TestCollectedAsItWasMade: a call that was made simpler before it was collected
// is another one than the same call as it came.
func TestCollectedAsItWasMade(t *testing.T) {
	onBatches(t, sim.Config{Timing: sim.Timing{Batch: 20 * time.Minute}}, func(k *collecting, pull *lever) {
		pull.move(true)
		ctx, leave := context.WithTimeout(k.Context(), 2*time.Minute)
		defer leave()
		k.wait(ctx, request, "Weir-Class", "normal")
		if r := k.wait(k.Context(), request, "Weir-Degrade", "off"); r.status != 200 {
			t.Errorf("%+v", r)
		}
		resp, _ := k.ordinary(request)
		if got := resp.Header.Get("Weir-Degraded"); got != "max_tokens+"+byBatches {
			t.Errorf("marked %q", got)
		}
		if n := k.api.Stats().Batches.Requests; n != 2 {
			t.Errorf("%d requests were put into batches, want 2", n)
		}
	}, call.Rung{Kind: call.RungMaxTokens, MaxTokens: 5})
}

// TestLadderCollectsWithinBudgets: money is set aside for what the ladder
// collects, too.
func TestLadderCollectsWithinBudgets(t *testing.T) {
	onBatches(t, sim.Config{Timing: sim.Timing{Batch: 20 * time.Minute}}, func(k *collecting, pull *lever) {
		month := weir.Budget{Name: "month", Limit: call.Dollar, Period: "month"}
		if err := k.gateway.SetBudgets([]weir.Budget{month}); err != nil {
			t.Fatal(err)
		}
		pull.move(true)
		answered := make(chan reply)
		go func() { answered <- k.wait(k.Context(), request, "Weir-Class", "normal") }()
		time.Sleep(5 * time.Minute)
		if b := k.gateway.Budgets()[0]; b.Reserved == 0 || b.Spent != 0 {
			t.Errorf("while it waits: %+v", b)
		}
		if r := <-answered; r.status != 200 {
			t.Errorf("%+v", r)
		}
		b := k.gateway.Budgets()[0]
		if paid := k.paid(); len(paid) != 1 || b.Spent != paid[0].Cost || b.Reserved != 0 {
			t.Errorf("%+v is paid: %+v", paid, b)
		}
		month.Limit = b.Spent + 1
		if err := k.gateway.SetBudgets([]weir.Budget{month}); err != nil {
			t.Fatal(err)
		}
		if resp, text := k.ordinary(numbered(1)); resp.StatusCode != 429 || !strings.Contains(text, "budget_spent") {
			t.Errorf("the budget is spent: %s %s", resp.Status, text)
		}
	})
}
