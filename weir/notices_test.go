package weir

import (
	"fmt"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/warn"
)

func TestHeaderTexts(t *testing.T) {
	left, soon := 0.456, 41.2
	until := time.Date(2026, 12, 1, 0, 0, 0, 5, time.UTC)
	for want, w := range map[string]call.Warning{
		"input_tokens below 10%":                                 {Kind: call.QuotaLow, Limiter: "input_tokens", Threshold: 10, Left: &left},
		"input_tokens below 10%; empty_in=42s":                   {Kind: call.QuotaLow, Limiter: "input_tokens", Threshold: 10, Left: &left, EmptyIn: &soon},
		"output_tokens at 45%; empty_in=42s":                     {Kind: call.QuotaForecast, Limiter: "output_tokens", Left: &left, EmptyIn: &soon},
		"account blocked: spend_cap; until=2026-12-01T00:00:00Z": {Kind: call.AccountDown, Organization: "org", Key: "secret name", Cause: "spend_cap", Until: &until},
		"key refused":                               {Kind: call.KeyRefused, Key: "secret name", Cause: "bad_key"},
		"breaker open: overloaded":                  {Kind: call.BreakerOpen, Scope: "api/m", Cause: "overloaded"},
		"budget at 45%; until=2026-12-01T00:00:00Z": {Kind: call.BudgetLow, Left: &left, Until: &until},
	} {
		if got := headerText(&w); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestWhomWarningsConcern: the header tells callers of their own account, model
// and tenant, and of nobody else's.
func TestWhomWarningsConcern(t *testing.T) {
	budget := func(name, each, model string) Budget {
		return Budget{Name: name, Limit: call.Dollar, Period: "day", Each: each, Model: model}
	}
	g, err := New(WithUpstream("http://api"), WithAPIKey("main", "sk-ant-api03-x"),
		WithBudgets(budget("all", "", ""), budget("each", "tenant", ""), budget("opus", "", "claude-opus-*")))
	if err != nil {
		t.Fatal(err)
	}
	payer := call.Key{Name: "main", Print: "k_1"}
	ask := asked{model: "claude-haiku-4-5", tenant: "amber", payer: payer}
	organization, group := g.admission.Place(payer.Print, "", ask.model)
	left := 0.5
	low := func(organization, group, limiter string) call.Warning {
		return call.Warning{Kind: call.QuotaLow, Organization: organization, Group: group, Limiter: limiter, Threshold: 5, Left: &left}
	}
	for name, tc := range map[string]struct {
		list []call.Warning
		want string
	}{
		"none":              {nil, ""},
		"two-buckets":       {[]call.Warning{low(organization, group, "requests"), low(organization, group, "input_tokens")}, "requests below 5%, input_tokens below 5%"},
		"another-model":     {[]call.Warning{low(organization, "other", "requests")}, ""},
		"another-account":   {[]call.Warning{low("other", group, "requests")}, ""},
		"account":           {[]call.Warning{{Kind: call.AccountDown, Organization: organization, Key: "twin", Cause: "no_credit"}}, "account blocked: no_credit"},
		"fingerprint":       {[]call.Warning{{Kind: call.AccountDown, Key: "k_1", Cause: "no_credit"}}, "account blocked: no_credit"},
		"key":               {[]call.Warning{{Kind: call.KeyRefused, Organization: organization, Key: "main"}}, "key refused"},
		"another-key":       {[]call.Warning{{Kind: call.KeyRefused, Organization: organization, Key: "twin"}}, ""},
		"workspace":         {[]call.Warning{{Kind: call.AccountDown, Organization: organization, Key: "twin", Cause: "workspace_limit"}}, ""},
		"breaker":           {[]call.Warning{{Kind: call.BreakerOpen, Scope: "api/claude-haiku-4-5", Cause: "slow"}, {Kind: call.BreakerOpen, Scope: "api/other", Cause: "slow"}}, "breaker open: slow"},
		"budgets":           {[]call.Warning{{Kind: call.BudgetLow, Scope: "all", Left: &left}, {Kind: call.BudgetLow, Scope: "each", Tenant: "amber", Left: &left}, {Kind: call.BudgetLow, Scope: "each", Tenant: "other", Left: &left}, {Kind: call.BudgetLow, Scope: "opus", Left: &left}}, "budget at 50%, budget at 50%"},
		"worst-comes-first": {[]call.Warning{low(organization, group, "requests"), {Kind: call.AccountDown, Organization: organization, Cause: "no_credit"}}, "account blocked: no_credit, requests below 5%"},
	} {
		g.warner.active.Store(newNotices(tc.list))
		if got := g.concerns(ask); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

func TestNoWarningCostsNothing(t *testing.T) {
	g, err := New(WithUpstream("http://api"))
	if err != nil {
		t.Fatal(err)
	}
	ask := asked{model: "claude-haiku-4-5"}
	if n := testing.AllocsPerRun(100, func() { g.concerns(ask) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkLook is one look at 200 buckets, all of them low: what a second costs.
func BenchmarkLook(b *testing.B) {
	g, err := New(WithUpstream("http://api"))
	if err != nil {
		b.Fatal(err)
	}
	lowest := call.Reading{Known: true, Limit: 1000, Remaining: 30, Reset: time.Now().Add(time.Minute)}
	for i := range 67 {
		c := &call.Call{Model: fmt.Sprint("model-", i), Endpoint: call.Messages, Deadline: time.Now().Add(time.Minute)}
		permit, err := g.admission.Admit(b.Context(), c, "k_1")
		if err != nil {
			b.Fatal(err)
		}
		permit.Observe(time.Now(), call.Limits{Organization: "org", Bucket: [call.NumLimiters]call.Reading{lowest, lowest, lowest}})
		permit.Release(time.Now())
	}
	if n := len(g.Quota().Buckets); n != 201 {
		b.Fatalf("%d buckets", n)
	}
	for b.Loop() {
		g.look(b.Context(), warn.Reading{Quota: g.Quota(), Protection: g.Protection()})
	}
	if n := len(g.Warnings()); n != 201 {
		b.Fatalf("%d warnings", n)
	}
}

// BenchmarkHeader is what the header costs an answer while its bucket is
// low.
func BenchmarkHeader(b *testing.B) {
	g, err := New(WithUpstream("http://api"), WithAPIKey("main", "sk-ant-api03-x"))
	if err != nil {
		b.Fatal(err)
	}
	c := asked{model: "claude-haiku-4-5", tenant: "amber", payer: call.Key{Name: "main", Print: "k_1"}}
	organization, group := g.admission.Place(c.payer.Print, "", c.model)
	g.warner.active.Store(newNotices([]call.Warning{{Kind: call.QuotaLow, Organization: organization, Group: group, Limiter: "requests", Threshold: 5}}))
	b.ReportAllocs()
	for b.Loop() {
		if g.concerns(c) != "requests below 5%" {
			b.Fatal("no warning")
		}
	}
}
