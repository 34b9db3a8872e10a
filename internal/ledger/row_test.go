package ledger_test

import (
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/ledger"
)

// TestRows: each attempt that reached the upstream is a row, with what it used
// or may have used; a wait that led to nothing is none; what came out of the
// cache is one of its own kind, and no request. What was answered in parts has
// the rows of its parts, and of what was sent of it as a whole.
func TestRows(t *testing.T) {
	guess := call.Usage{Input: 50}
	answered := event(1, "a")
	answered.Story = []call.Attempt{
		{At: noon, Key: "one", Kind: "wait_deadline"},
		{At: noon, Key: "one", Status: 529, Kind: "overloaded", Model: "claude-fable-5"},
		{At: noon, Key: "one", Kind: call.Unreachable.String(), Usage: guess, Cost: 3, Priced: true},
		{At: noon, Key: "one", Kind: call.Abandoned, Usage: guess, Cost: 3, Priced: true},
		{At: noon, Key: "two", Status: 200, Kind: "ok"},
	}
	left := event(2, "b")
	left.Outcome, left.Usage, left.Cost, left.Priced = "client_gone", call.Usage{}, 0, false
	left.Story = []call.Attempt{{At: noon, Key: "one", Kind: call.Unreachable.String(), Usage: guess, Cost: 3, Priced: true}}
	refused := event(3, "c")
	refused.Story, refused.Usage = answered.Story[:1], call.Usage{}
	hit := event(4, "d")
	hit.Story, hit.Usage, hit.Cost, hit.Cached, hit.At, hit.Took = nil, call.Usage{}, 0, call.CacheHit, noon.Add(time.Second), time.Second
	whole := event(5, "e")
	whole.Parts, whole.Cached, whole.Story, whole.Usage, whole.Cost = 3, call.CacheHit, nil, call.Usage{}, 0
	tried := event(6, "f")
	tried.Parts, tried.Usage, tried.Cost = 3, call.Usage{}, 0
	tried.Story = []call.Attempt{{At: noon, Key: "one", Status: 429, Kind: "rate_limited"}}
	hit.Degraded = call.Degradation{Rung: "cached", From: hit.Model}
	answered.Degraded = call.Degradation{Rung: "effort", From: answered.Model}
	dir := t.TempDir()
	l := open(t, dir)
	for _, e := range []call.Event{answered, left, refused, hit, whole, tried} {
		l.Event(e)
	}
	run(t, l)()
	type brief struct {
		attempt int
		kind    string
		final   bool
		input   call.Tokens
		exact   bool
	}
	got := map[string][]brief{}
	if err := l.Reader().Each(t.Context(), ledger.Span{}, func(r ledger.Row) error {
		got[r.Tenant] = append(got[r.Tenant], brief{r.Attempt, r.Kind, r.Final, r.Input, r.Exact})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for tenant, want := range map[string][]brief{
		"a": {{1, "overloaded", false, 0, false}, {2, "unreachable", false, 50, false}, {3, "abandoned", false, 50, false}, {4, "ok", true, 100, true}},
		"b": {{1, "unreachable", true, 50, false}},
		"c": nil,
		"d": {{0, "hit", true, 0, true}},
		"e": nil,
		"f": {{1, "rate_limited", true, 0, false}},
	} {
		if len(got[tenant]) != len(want) {
			t.Errorf("%s: %+v, want %+v", tenant, got[tenant], want)
			continue
		}
		for i := range want {
			if got[tenant][i] != want[i] {
				t.Errorf("%s: %+v, want %+v", tenant, got[tenant][i], want[i])
			}
		}
	}
	sum := usage(t, l.Reader(), ledger.Span{}).Total
	if sum.Requests != 3 || sum.Attempts != 6 || sum.Cached != 1 || sum.Degraded != 2 || sum.Input != 250 || sum.Cost != answered.Cost+9 {
		t.Errorf("got %+v", sum)
	}
}
