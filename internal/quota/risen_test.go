package quota_test

import (
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/quota"
)

// TestRisenLimitStopsNobody: the safety stock grows with the limit, but the
// level is what it was. Small calls go on while the stock is collected, and
// then it is there again.
func TestRisenLimitStopsNobody(t *testing.T) {
	g := known(0.15)
	now := epoch.Add(time.Second)
	d := quota.Demand{Input: 500}
	f := reserve(g, now, d)
	risen := header(now, 0.16)
	for i := range risen.Bucket {
		r := &risen.Bucket[i]
		r.Limit *= 5
		r.Reset = now.Add(time.Duration((1 - r.Remaining/r.Limit) * float64(time.Minute))).Truncate(time.Second)
	}
	now = now.Add(500 * time.Millisecond)
	g.Observe(now, f, risen)
	g.Settle(now, f, call.Usage{Input: 500, Output: 1, Exact: true})
	if got := g.Report(now)[1].Limit; got != 3_000_000 {
		t.Fatalf("limit %d", got)
	}
	if dec := g.Check(now, d); dec.Wait > 100*time.Millisecond {
		t.Errorf("a small call waits %v for %s", dec.Wait, dec.Bound)
	}
	// 40 % of the refill is taken for ten seconds: the rest fills the stock.
	for range 100 {
		now = now.Add(100 * time.Millisecond)
		if dec := g.Check(now, d); dec.Wait > 0 {
			t.Fatalf("a small call waits %v for %s at %v", dec.Wait, dec.Bound, now.Sub(epoch))
		}
		f := reserve(g, now, quota.Demand{Input: 2000})
		g.Settle(now, f, call.Usage{Input: 2000, Output: 1, Exact: true})
	}
	now = now.Add(10 * time.Second)
	level := g.Report(now)[1].Remaining
	all := quota.Demand{Input: call.Tokens(level) - 250_000}
	if dec := g.Check(now, all); dec.Wait == 0 {
		t.Errorf("a call may take %d of %d tokens: there is no safety stock any more", all.Input, level)
	}
}
