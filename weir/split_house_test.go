package weir_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// TestSplitKeepsShares has one tenant's book beside another tenant's steady
// calls: the book gets its half of the quota, and no more.
func TestSplitKeepsShares(t *testing.T) {
	atFullSize(t)
	synctest.Test(t, func(t *testing.T) {
		events := &journal{}
		b := newLodge(t, newAPI(t, sim.Limits{Requests: 1000, InputTokens: 400_000, OutputTokens: 80_000}), weir.WithObserver(events))
		ctx, done := context.WithTimeout(t.Context(), 10*time.Minute)
		defer done()
		from := func(tenant, body, wish string) bool {
			req, _ := http.NewRequestWithContext(ctx, "POST", "http://weir/v1/messages", strings.NewReader(body))
			for name, value := range map[string]string{
				"X-Api-Key": "any", "Anthropic-Version": "2023-06-01", "Weir-Tenant": tenant, "Weir-Split": wish, "Weir-Max-Wait": "1h",
			} {
				req.Header.Set(name, value)
			}
			resp, err := b.door.RoundTrip(req)
			if err != nil {
				return false // the ten minutes are over
			}
			defer resp.Body.Close()
			_, _ = io.Copy(io.Discard, resp.Body)
			return resp.StatusCode == 200
		}
		var all sync.WaitGroup
		all.Go(func() { from("reader", summary(book(2_350_000), ""), "auto") })
		long := summary(book(20_000), "")
		for range 20 {
			all.Go(func() {
				for from("other", long, "off") {
				}
			})
		}
		all.Wait()
		synctest.Wait() // parts that were under way are booked
		tokens := map[string]call.Tokens{}
		for _, e := range events.list {
			tokens[e.Tenant] += e.Usage.Input
		}
		share := float64(tokens["reader"]) / float64(tokens["reader"]+tokens["other"])
		t.Logf("of %v tokens in ten minutes the book got %.1f %%", tokens, 100*share)
		if share > 0.55 || share < 0.40 {
			t.Errorf("the book got %.1f %%", 100*share)
		}
	})
}

// TestSplitIsBookedOnce looks for each part in the events, in the budget and in
// the cache: the same book again costs nothing.
func TestSplitIsBookedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, events := newAPI(t, sim.Limits{Requests: 1000, InputTokens: 2_000_000, OutputTokens: 400_000}), &journal{}
		b := newLodge(t, api, weir.WithObserver(events), weir.WithCache(weir.Cache{Default: call.CacheOn}),
			weir.WithBudgets(weir.Budget{Name: "all", Limit: 100 * call.Dollar, Period: "day"}))
		request := summary(book(300_000), "")
		resp, body := b.split(t.Context(), t, request, "auto")
		r, parts := parseReply(t, body), resp.Header.Get("Weir-Split")
		var used call.Usage
		var cost call.USD
		whole := 0
		for _, e := range events.list {
			used, cost = used.Plus(e.Usage), cost+e.Cost
			if e.Parts > 0 {
				whole++
				if e.Usage != (call.Usage{}) || fmt.Sprint(e.Parts) != parts || e.Outcome != "ok" {
					t.Errorf("the whole is booked as %+v", e)
				}
			}
		}
		if whole != 1 || used.Input != call.Tokens(r.Usage.InputTokens) || used.Output != call.Tokens(r.Usage.OutputTokens) {
			t.Errorf("%d wholes; booked %+v, answered %+v", whole, used, r.Usage)
		}
		if spent := b.gateway.Budgets()[0].Spent; spent != cost || cost == 0 {
			t.Errorf("of the budget %d is spent, the parts cost %d", spent, cost)
		}
		asked := api.Stats().Requests
		page := scrape(t, b.gateway)
		for _, name := range []string{`weir_upstream_attempts_total{kind="ok"}`, `weir_requests_total{class="normal",outcome="ok",reason=""}`, `weir_wait_seconds_count{class="normal"}`} {
			if want := fmt.Sprintf("\n%s %d\n", name, asked); !strings.Contains(page, want) {
				t.Errorf("no %q for %d requests: %s", want, asked, page)
			}
		}
		if strings.Contains(page, `weir_upstream_attempts_total{kind="unknown"}`) || !strings.Contains(page, "\nweir_retries_total 0\n") {
			t.Errorf("the whole counts as attempts: %s", page)
		}
		resp, again := b.split(t.Context(), t, request, "auto")
		if api.Stats().Requests != asked || resp.Header.Get("Weir-Cache") != "hit" || again != body {
			t.Errorf("the same book again: %d requests more, cache %s", api.Stats().Requests-asked, resp.Header.Get("Weir-Cache"))
		}
		if spent := b.gateway.Budgets()[0].Spent; spent != cost {
			t.Errorf("the same book again cost %d", spent-cost)
		}
	})
}

// TestSplitStreamFails lets a part fail when the stream's header has long gone
// out: it says that it was split, and why it ends.
func TestSplitStreamFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scenario, err := sim.ParseScenario("t.yaml", []byte(`faults: [{kind: "400", requests: [3]}]`))
		if err != nil {
			t.Fatal(err)
		}
		api, err := sim.New(sim.Config{Scenario: scenario, Limits: sim.Limits{Requests: 1000, InputTokens: 400_000, OutputTokens: 80_000},
			Timing: sim.Timing{TTFT: 7 * time.Second, TokensPerSecond: 80}})
		if err != nil {
			t.Fatal(err)
		}
		b := newLodge(t, api)
		resp, body := b.split(t.Context(), t, summary(book(600_000), `"stream":true,`), "auto")
		if resp.Header.Get("Weir-Split") != "6" || !strings.Contains(body, ": weir-split: 6\n\nevent: error\n") {
			t.Errorf("%s: %s", resp.Header.Get("Weir-Split"), body)
		}
	})
}

func TestSetSplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newLodge(t, newAPI(t, sim.Limits{Requests: 1000, InputTokens: 400_000, OutputTokens: 80_000}))
		if err := b.gateway.SetSplit(weir.Split{Above: -1}); err == nil {
			t.Error("bounds may be negative")
		}
		for _, want := range []string{"", "3"} {
			resp, body := b.split(t.Context(), t, summary(book(2_000), ""), "auto; merge=concat")
			if got := resp.Header.Get("Weir-Split"); got != want || resp.StatusCode != 200 {
				t.Errorf("split in %q: %.300s", got, body)
			}
			if err := b.gateway.SetSplit(weir.Split{Above: 2_000, Part: 1_000}); err != nil {
				t.Fatal(err)
			}
		}
	})
}
