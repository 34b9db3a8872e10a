package admit

import (
	"fmt"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/quota"
)

// BenchmarkAdmitSettle is the cost of one call at the queue while 100,000
// others wait: it enters, another one is let out and settled.
func BenchmarkAdmitSettle(b *testing.B) {
	room := New(Config{MaxWaiting: 200_000}, quota.BuiltinGroups())
	now := time.Now().Add(time.Hour) // ahead of the lane's own timer, which then does nothing
	newCall := func(i int) *call.Call {
		return &call.Call{
			Seq: uint64(i), Model: "m", Class: call.Class(i % 3), Tenant: fmt.Sprint(i % 100), Received: now,
			Deadline: now.Add(time.Hour), Estimate: call.Estimate{Input: 1000, Output: 10, Spread: 0.1}, Stream: true,
		}
	}
	ln := room.lane("key", "", "m")
	probe := newWaiter(now, newCall(0), "key", 1)
	if _, err := ln.enter(now, probe); err != nil {
		b.Fatal(err)
	}
	const limit = 6e6 // one request per 10 µs
	full := call.Reading{Known: true, Limit: limit, Remaining: 0.12 * limit}
	probe.Observe(now, call.Limits{Bucket: [call.NumLimiters]call.Reading{call.Requests: full}})
	probe.Settle(now, call.Usage{Exact: true})
	for i := 1; ln.queue.Len() < 100_000; i++ {
		if p, _ := ln.enter(now, newWaiter(now, newCall(i), "key", 1)); p != nil {
			p.Release(now)
		}
	}
	template := newCall(1 << 30)
	b.ReportAllocs()
	for b.Loop() {
		template.Seq++
		if _, err := ln.enter(now, newWaiter(now, template, "key", 1)); err != nil {
			b.Fatal(err)
		}
		head := ln.queue.Head().Value.(*waiter)
		for head.sentFrom == nil {
			now = now.Add(10 * time.Microsecond)
			ln.mu.Lock()
			ln.pump(now)
			ln.mu.Unlock()
		}
		head.permit.Settle(now, call.Usage{Input: 1000, Output: 10, Exact: true})
	}
	b.ReportMetric(float64(ln.queue.Len()), "waiting")
}
