package fair_test

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/fair"
)

// line feeds a queue and serves it, one call at a time.
type line struct {
	*fair.Queue
	seq uint64
}

func newLine(cfg fair.Config) *line { return &line{Queue: fair.New(cfg)} }

func (l *line) push(class call.Class, tenant string, cost float64) *fair.Item {
	l.seq++
	it := &fair.Item{Seq: l.seq, Class: class, Tenant: tenant, Cost: cost}
	l.Push(it)
	return it
}

// serve sends the head and ends it at its expected cost.
func (l *line) serve() *fair.Item {
	it := l.Head()
	if it != nil {
		l.Send(it)
		l.Settle(it, it.Cost)
	}
	return it
}

func TestOneTenantIsServedInOrder(t *testing.T) {
	l := newLine(fair.Config{})
	for range 100 {
		l.push(call.Normal, "a", 1)
	}
	for want := uint64(1); want <= 100; want++ {
		if it := l.serve(); it == nil || it.Seq != want {
			t.Fatalf("got %+v, want number %d", it, want)
		}
	}
	if l.Head() != nil || l.Len() != 0 {
		t.Error("the queue must be empty")
	}
}

// TestTenantUnderWayIsNotForgotten: a tenant whose only call has just been sent
// must be the same tenant when it asks again, or its calls overtake each other
// and its bound on concurrency does not hold.
func TestTenantUnderWayIsNotForgotten(t *testing.T) {
	l := newLine(fair.Config{MaxPerTenant: 2})
	first := l.push(call.Normal, "a", 1)
	l.Send(l.Head())
	l.push(call.Normal, "a", 1)
	l.Send(l.Head())
	third := l.push(call.Normal, "a", 1)
	if it := l.Head(); it != nil {
		t.Errorf("call %d may go beside two others of its tenant", it.Seq)
	}
	l.Settle(first, 50) // much more than was expected
	l.push(call.Normal, "a", 1)
	if it := l.Head(); it != third {
		t.Errorf("got %+v, want the tenant's third call", it)
	}
}

// TestEqualTenants: one asks for ten times as much, and gets no more.
func TestEqualTenants(t *testing.T) {
	l := newLine(fair.Config{})
	served := map[string]float64{}
	waiting := map[string]int{}
	for range 4000 {
		for i, name := range []string{"a", "b", "c", "greedy"} {
			for waiting[name] < 5+95*(i/3) {
				l.push(call.Normal, name, 0.001*float64(1+(i*7+len(served))%5))
				waiting[name]++
			}
		}
		it := l.serve()
		served[it.Tenant] += it.Cost
		waiting[it.Tenant]--
	}
	sum, squares := 0.0, 0.0
	for _, v := range served {
		sum += v
		squares += v * v
	}
	if jain := sum * sum / (4 * squares); jain < 0.999 {
		t.Errorf("Jain index %.4f: %v", jain, served)
	}
}

func TestWeights(t *testing.T) {
	l := newLine(fair.Config{})
	served := map[string]float64{}
	for range 7000 {
		for _, w := range []float64{1, 2, 4} {
			l.seq++
			l.Push(&fair.Item{Seq: l.seq, Class: call.Normal, Tenant: fmt.Sprint(w), Cost: 0.01, Weight: w})
		}
	}
	for range 7000 {
		it := l.serve()
		served[it.Tenant] += it.Cost
	}
	for _, w := range []string{"1", "2", "4"} {
		if got := served[w] / served["1"]; math.Abs(got/map[string]float64{"1": 1, "2": 2, "4": 4}[w]-1) > 0.01 {
			t.Errorf("weight %s got %.3f times the share of weight 1", w, got)
		}
	}
}

// TestRealCostCounts: two tenants, one of which always costs twice what was
// expected, get equal shares of what is really used.
func TestRealCostCounts(t *testing.T) {
	l := newLine(fair.Config{})
	real := map[string]float64{}
	for range 3000 {
		l.push(call.Normal, "honest", 0.01)
		l.push(call.Normal, "underrated", 0.01)
	}
	for range 3000 {
		it := l.Head()
		cost := it.Cost
		if it.Tenant == "underrated" {
			cost *= 2
		}
		l.Send(it)
		l.Settle(it, cost)
		real[it.Tenant] += cost
	}
	if ratio := real["underrated"] / real["honest"]; math.Abs(ratio-1) > 0.01 {
		t.Errorf("ratio %.3f: %v", ratio, real)
	}
}

func TestIdlingEarnsNoCredit(t *testing.T) {
	l := newLine(fair.Config{})
	for range 1000 {
		l.push(call.Normal, "busy", 0.01)
		l.serve()
	}
	for range 20 {
		l.push(call.Normal, "busy", 0.01)
		l.push(call.Normal, "late", 0.01)
	}
	late := 0
	for range 20 {
		if l.serve().Tenant == "late" {
			late++
		}
	}
	if late < 9 || late > 11 {
		t.Errorf("the newcomer got %d of 20 turns", late)
	}
}

func TestClasses(t *testing.T) {
	l := newLine(fair.Config{})
	served := map[call.Class]float64{}
	for range 4000 {
		for class := range call.Class(call.NumClasses) {
			l.push(class, "t", 0.01)
		}
	}
	for range 2000 {
		it := l.serve()
		served[it.Class] += it.Cost / 20
	}
	want := map[call.Class]float64{call.Interactive: 0.8, call.Normal: 0.15, call.Batch: 0.05}
	for class, share := range want {
		if math.Abs(served[class]-share) > 0.02 {
			t.Errorf("%s got %.3f of the quota, want %.2f", class, served[class], share)
		}
	}
}

func TestSharesAreBorrowed(t *testing.T) {
	l := newLine(fair.Config{})
	for range 100 {
		l.push(call.Batch, "t", 0.5)
	}
	for range 100 {
		if it := l.serve(); it == nil || it.Class != call.Batch {
			t.Fatal("with nobody else there, batch gets everything")
		}
	}
	l.push(call.Batch, "t", 0.5)
	l.push(call.Interactive, "t", 0.5)
	if it := l.serve(); it.Class != call.Interactive {
		t.Error("an urgent call goes first")
	}
}

func TestHeadIsNotOvertakenForEver(t *testing.T) {
	l := newLine(fair.Config{})
	for range 10 {
		l.push(call.Normal, "old", 0.1)
		l.serve()
	}
	big := l.push(call.Normal, "old", 0.9)
	if l.Head() != big {
		t.Fatal("the only call is the head")
	}
	for i := range 10 {
		l.push(call.Normal, fmt.Sprint("new", i), 0.01)
		if l.Head() != big {
			t.Fatal("a newcomer overtook the head of its class while that was collecting tokens")
		}
	}
	urgent := l.push(call.Interactive, "x", 0.01)
	if l.Head() != urgent {
		t.Error("a more urgent class goes first")
	}
	l.Remove(urgent)
	if l.Head() != big {
		t.Error("and then the head is the head again")
	}
}

func TestResumedGoesFirst(t *testing.T) {
	l := newLine(fair.Config{})
	first := l.push(call.Normal, "a", 0.1)
	l.push(call.Normal, "b", 0.1)
	l.Send(l.Head())
	l.Head()
	l.Settle(first, 0)
	first.Resumed = true
	l.Push(first)
	if l.Head() != first {
		t.Error("a call that comes back goes before all others")
	}
}

func TestBoundsOnTenantsAndSessions(t *testing.T) {
	l := newLine(fair.Config{MaxPerTenant: 2, MaxPerSession: 1})
	chat := func(tenant, session string) *fair.Item {
		l.seq++
		it := &fair.Item{Seq: l.seq, Tenant: tenant, Session: session, Cost: 0.1}
		l.Push(it)
		return it
	}
	a1, a2, b := chat("t", "a"), chat("t", "a"), chat("t", "b")
	l.Send(l.Head())
	if l.Head() != b {
		t.Fatal("session a has one under way: b is next")
	}
	l.Send(l.Head())
	if got := l.Head(); got != nil {
		t.Fatalf("the tenant has two under way, and yet %+v", got)
	}
	other := chat("u", "c")
	if l.Head() != other {
		t.Error("another tenant is not held up")
	}
	l.Send(other)
	l.Settle(b, 0.1)
	if got := l.Head(); got != nil {
		t.Errorf("session a is still busy, and yet %+v", got)
	}
	l.Settle(a1, 0.1)
	if l.Head() != a2 {
		t.Error("session a is free again")
	}
	if !l.Remove(a2) || l.Len() != 0 {
		t.Error("left behind")
	}
}

// TestOrder: what is foretold is what happens.
func TestOrder(t *testing.T) {
	l := newLine(fair.Config{Shares: [call.NumClasses]float64{call.Batch: 1e-9}})
	for i := range 200 {
		l.push(call.Class(i%3), fmt.Sprint(i%7), 0.01*float64(1+i%5))
	}
	for _, want := range l.Order() {
		if got := l.serve(); got != want {
			t.Fatalf("number %d went, number %d was foretold", got.Seq, want.Seq)
		}
	}
}

func TestNewest(t *testing.T) {
	l := newLine(fair.Config{})
	l.push(call.Interactive, "a", 1)
	last := l.push(call.Normal, "a", 1)
	if l.Newest() != last {
		t.Error("the least urgent class gives way first")
	}
	batch := l.push(call.Batch, "a", 1)
	l.push(call.Interactive, "a", 1)
	if l.Newest() != batch {
		t.Error("the least urgent class gives way first, whoever came last")
	}
}

// TestNobodyIsLostOrDoubled drives a queue through random histories.
func TestNobodyIsLostOrDoubled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLine(fair.Config{MaxPerTenant: rapid.IntRange(0, 3).Draw(t, "per tenant"), MaxPerSession: rapid.IntRange(0, 2).Draw(t, "per session")})
		waiting, running := map[*fair.Item]bool{}, []*fair.Item{}
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				l.seq++
				it := &fair.Item{
					Seq: l.seq, Class: call.Class(rapid.IntRange(0, 2).Draw(t, "class")),
					Tenant: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "tenant"), Session: rapid.SampledFrom([]string{"", "s", "t"}).Draw(t, "session"),
					Cost: rapid.Float64Range(0.001, 0.5).Draw(t, "cost"), Weight: rapid.Float64Range(0, 4).Draw(t, "weight"),
				}
				l.Push(it)
				waiting[it] = true
			},
			"send": func(t *rapid.T) {
				it := l.Head()
				if it == nil {
					t.Skip()
				}
				if !waiting[it] {
					t.Fatal("the head is not waiting")
				}
				l.Send(it)
				delete(waiting, it)
				running = append(running, it)
			},
			"leave": func(t *rapid.T) {
				for it := range waiting {
					if !l.Remove(it) || l.Remove(it) {
						t.Fatal("leaves exactly once")
					}
					delete(waiting, it)
					break
				}
			},
			"settle": func(t *rapid.T) {
				if len(running) == 0 {
					t.Skip()
				}
				l.Settle(running[0], rapid.Float64Range(0, 1).Draw(t, "real"))
				running = running[1:]
			},
			"": func(t *rapid.T) {
				if l.Len() != len(waiting) {
					t.Fatalf("%d wait, want %d", l.Len(), len(waiting))
				}
				if len(running) == 0 && len(waiting) > 0 && l.Head() == nil {
					t.Fatal("somebody waits, nothing runs, and nobody may go")
				}
			},
		})
		for _, it := range running {
			l.Settle(it, it.Cost)
		}
		for range len(waiting) {
			if l.serve() == nil {
				t.Fatal("somebody waits for ever")
			}
		}
		if l.Len() != 0 {
			t.Fatal("left behind")
		}
	})
}

func BenchmarkPushSendSettle(b *testing.B) {
	l := newLine(fair.Config{})
	items := make([]fair.Item, 100_001)
	for i := range items {
		items[i] = fair.Item{Seq: uint64(i), Class: call.Class(i % 3), Tenant: fmt.Sprint(i % 1000), Cost: 0.001}
		l.Push(&items[i])
	}
	b.ReportAllocs()
	for b.Loop() {
		it := l.Head()
		l.Send(it)
		l.Settle(it, 0.002)
		it.Seq += 100_001
		l.Push(it)
	}
}
