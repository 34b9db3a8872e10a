package quota_test

import (
	"math"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/quota"
)

// TestRejectedInTheMiddle: what an answer used that ended with an error is
// gone, and its headers, which came before, count once.
func TestRejectedInTheMiddle(t *testing.T) {
	now := epoch.Add(10 * time.Second)
	begun := func() (*quota.Group, *quota.Flight) {
		g := known(0.5)
		f := reserve(g, epoch, quota.Demand{Input: 50_000, Stream: true})
		g.Input(epoch, f, call.Usage{Input: 60_000})
		g.Observe(epoch, f, header(epoch, 0.4))
		g.Output(now, f, 30_000)
		return g, f
	}
	g, f := begun()
	g.Settle(now, f, call.Usage{Input: 60_000, Output: 30_000, Exact: true})
	want := g.Headroom(now)
	g, f = begun()
	g.Reject(now, f, header(epoch, 0.4), call.Verdict{Kind: call.Overloaded})
	got := g.Headroom(now)
	for l := range call.Limiter(call.NumLimiters) {
		if math.Abs(got[l]-want[l]) > 0.001 {
			t.Errorf("%v: %.3f of the limit is left, want %.3f", l, got[l], want[l])
		}
	}
	g, f = begun()
	before := g.Headroom(now)
	g.Observe(now, f, header(epoch, 0.4))
	if got := g.Headroom(now); got != before {
		t.Errorf("the same headers, observed twice: %v, want %v", got, before)
	}
}
