package main

import (
	"fmt"
	"math"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/dash"
)

const version = "v0.0.0-stage"

var (
	limiters = []string{"requests", "input_tokens", "output_tokens"}
	limits   = []int64{1_000, 450_000, 90_000}
	tenants  = []string{"support-desk", "search", "batch-import", "code-review", "研发部", "demo"}
)

// place is one lane with its three buckets.
type place struct {
	organization, group string
	waiting             int
}

var smallPlaces = []place{
	{"7c4a0e1e-3b1f-4a52-9d56-5f0f6c1b2a10", "claude-opus-5", 6},
	{"7c4a0e1e-3b1f-4a52-9d56-5f0f6c1b2a10", "claude-sonnet-5", 23},
	{"c1d9a2f4-8e0b-4c77-a3a9-0b7d1e6f5c22", "claude-haiku-5", 0},
}

// small is a gateway with plenty to do.
func small(began time.Time) dash.Source {
	s := source(began, smallPlaces)
	s.Money = func() call.MoneyReport { return money(time.Now()) }
	s.Degradation = func() call.LadderReport { return ladder(began) }
	s.Warnings = func() []call.Warning { return warnings(began) }
	s.Cache = func() call.CacheReport {
		return call.CacheReport{At: time.Now(), Entries: 1_204, Bytes: 9 << 20, Hits: 312, Misses: 2_011, Joins: 44, Saved: 1_830_000, SavedUSD: 7_410_000_000_000}
	}
	s.Prompt = func() call.PromptCacheReport {
		return call.PromptCacheReport{At: time.Now(), Calls: 512, Freed: 9_400_000, Written: 610_000, Saved: 24_630_000_000_000}
	}
	return s
}

func source(began time.Time, places []place) dash.Source {
	return dash.Source{
		Quota:    func() call.QuotaReport { return quota(began, time.Now(), places) },
		Queue:    func() call.QueueReport { return queue(time.Now(), places) },
		Recent:   func() []call.Event { return recent(time.Now()) },
		Messages: model{},
		Waiting:  waiting,
		Request:  func(id string) (call.Event, bool) { return finished(id) },
		Metrics:  metrics{},
		Version:  version,
	}
}

// quota lets every level swing, each at its own pace.
func quota(began, now time.Time, places []place) call.QuotaReport {
	r := call.QuotaReport{At: now, State: "tight", Keys: []call.KeyReport{
		{Name: "main", Organization: places[0].organization, State: "ok", SameQuota: []string{"spare"}},
		{Name: "spare", Organization: places[0].organization, State: "ok", SameQuota: []string{"main"}},
	}}
	for i, p := range places {
		for j, limiter := range limiters {
			phase := now.Sub(began).Seconds()/(20+float64(i%7)) + float64(i*3+j)
			level := int64(float64(limits[j]) * (0.42 + 0.38*math.Sin(phase)))
			b := call.BucketReport{
				Organization: p.organization, Group: p.group, Limiter: limiter, Limit: limits[j],
				Remaining: level, Low: level - limits[j]/25, High: level + limits[j]/14, Reserved: limits[j] / 30,
				Source: "header", ObservedAt: now,
				FullAt: now.Add(time.Duration(float64(limits[j]-level) / float64(limits[j]) * float64(time.Minute))),
			}
			if math.Cos(phase) < 0 {
				b.EmptyIn = new(float64(level) / float64(limits[j]) * 60)
			}
			r.Buckets = append(r.Buckets, b)
		}
	}
	return r
}

func queue(now time.Time, places []place) call.QueueReport {
	r := call.QueueReport{At: now}
	for i, p := range places {
		r.Waiting += p.waiting
		r.Lanes = append(r.Lanes, lane(now, i, p))
	}
	r.Bytes = int64(r.Waiting) * 4_000
	return r
}

func lane(now time.Time, i int, p place) call.LaneReport {
	l := call.LaneReport{
		Organization: p.organization, Group: p.group, Waiting: p.waiting, InFlight: 4 + i%5, ByClass: map[string]int{},
		Next: []call.WaiterReport{}, Tenants: []call.TenantReport{},
	}
	if p.waiting == 0 {
		return l
	}
	// A call goes every 700 ms: the first is replaced by the next.
	tick := now.UnixMilli() / 700
	head := 0.7 - float64(now.UnixMilli()%700)/1000
	l.BoundBy, l.HeadIn, l.OldestWait = "input_tokens", &head, float64(p.waiting)*0.7
	l.ByClass = map[string]int{"interactive": p.waiting / 5, "normal": p.waiting / 2}
	l.ByClass["batch"] = p.waiting - l.ByClass["interactive"] - l.ByClass["normal"]
	for n := range min(20, p.waiting) {
		eta := head + 0.7*float64(n)
		l.Next = append(l.Next, call.WaiterReport{
			ID: fmt.Sprintf("weir_%d_%d", i, tick+int64(n)), Tenant: tenants[(int(tick)+n)%len(tenants)], Class: []string{"interactive", "normal", "batch"}[min(2, n/4)],
			Position: n + 1, ETA: &eta, Waited: float64(p.waiting-n) * 0.7, Input: call.Tokens(900 + 137*n), Attempt: 1,
		})
	}
	for n, name := range tenants[:min(len(tenants), p.waiting)] {
		first, last := head+float64(n)*0.7, head+float64(p.waiting-n)*0.7
		l.Tenants = append(l.Tenants, call.TenantReport{Tenant: name, Waiting: p.waiting / len(tenants), Position: n + 1, ETA: &first, LastETA: &last})
	}
	return l
}

// recent are the calls of the last minute, one every three seconds.
func recent(now time.Time) []call.Event {
	var out []call.Event
	for n := range 20 {
		at := now.Truncate(3 * time.Second).Add(-time.Duration(3*n) * time.Second)
		e, _ := finished(fmt.Sprintf("weir_done_%d", at.Unix()))
		e.At = at
		out = append(out, e)
	}
	return out
}

func finished(id string) (call.Event, bool) {
	var n int64
	if _, err := fmt.Sscanf(id, "weir_done_%d", &n); err != nil {
		return call.Event{}, false
	}
	e := call.Event{
		ID: id, Endpoint: call.Messages, Model: smallPlaces[n/3%3].group, Tenant: tenants[n/3%6], Class: call.Class(n / 3 % 3), Stream: true,
		Status: 200, Outcome: "ok", Waited: time.Duration(n/3%9) * 310 * time.Millisecond, Took: 3 * time.Second, FirstIn: time.Second, Attempts: 1,
		Estimate: call.Estimate{Input: 1_800, Output: 400, Spread: 0.08},
		Usage:    call.Usage{Input: 900, CacheRead: 1_200, CacheWrite: call.Tokens(n%4) * 100, Output: 420, Exact: true},
		At:       time.Unix(n, 0),
	}
	e.Cost, e.Priced = 15*call.Dollar/1e6*call.USD(e.Usage.Output), true
	e.Story = []call.Attempt{{At: e.At.Add(-e.Took), Wait: call.Wait{Took: e.Waited, BoundBy: "input_tokens", Ahead: 4, Behind: "search"}, Key: "main", Status: 200, Kind: "ok", Took: time.Second}}
	switch {
	case n%51 == 0:
		e.Status, e.Outcome, e.Reason = 429, "refused", "wait_deadline"
	case n%15 == 0:
		e.Model, e.Degraded = "claude-sonnet-5", call.Degradation{Rung: "max_tokens+fallback", From: "claude-opus-5"}
	}
	return e, true
}

func money(now time.Time) call.MoneyReport {
	day := now.UTC().Truncate(24 * time.Hour)
	reset := day.Add(24 * time.Hour)
	r := call.MoneyReport{
		At: now, Since: day.AddDate(0, 0, -2),
		Total: call.MoneyRow{Requests: 48_210, Input: 81_400_000, Output: 9_310_000, Cost: cents(39127)},
		Budgets: []call.BudgetReport{
			{Name: "all", Limit: cents(50000), Spent: cents(39127), Share: 0.78, ResetAt: &reset},
			{Name: "batch-import", Soft: 90, Limit: cents(12000), Spent: cents(11390), Share: 0.95, ResetAt: &reset},
		},
	}
	for i, name := range tenants[:4] {
		r.Tenants = append(r.Tenants, call.MoneyRow{Name: name, Requests: int64(20_000 - 4_000*i), Input: 31_000_000, Output: 3_100_000, Cost: cents(18050 - 4210*i)})
	}
	for i, p := range smallPlaces {
		r.Models = append(r.Models, call.MoneyRow{Name: p.group, Requests: int64(24_000 - 7_000*i), Input: 40_000_000, Output: 4_000_000, Cost: cents(25010 - 9640*i)})
	}
	for i := range 3 {
		r.Days = append(r.Days, call.MoneyRow{Name: day.AddDate(0, 0, -i).Format(time.DateOnly), Requests: 16_000, Input: 27_000_000, Output: 3_000_000, Cost: cents(13040 + 310*i)})
	}
	return r
}

func cents(n int) call.USD { return call.USD(n) * (call.Dollar / 100) }
