package sentinel_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alibaba/sentinel-golang/core/system"

	"github.com/weir-gateway/weir/internal/sentinel"
)

// load replaces the rules by those of one file.
func (g *gate) load(file, text string) {
	g.Helper()
	if err := g.p.Load(rules(g.T, map[string]string{file: text})); err != nil {
		g.Fatal(err)
	}
}

// TestReload: what a rule has counted stays when it stays, and where Sentinel
// keeps it also when its threshold changes.
func TestReload(t *testing.T) {
	for _, tt := range []struct {
		name, file, before, after string
		first, then               int // calls that pass before, and after at once
		freed                     int // calls that pass when all have left
	}{
		{"flow", "flow.json", `[{"resource": "*", "threshold": 5}]`, `[{"resource": "*", "threshold": 5}]`, 5, 0, 0},
		{"flow-renamed", "flow.json", `[{"id": "a", "resource": "*", "threshold": 5}]`, `[{"id": "b", "resource": "*", "threshold": 5}]`, 5, 0, 0},
		{"flow-raised", "flow.json", `[{"resource": "*", "threshold": 5}]`, `[{"resource": "*", "threshold": 7}]`, 5, 2, 0},
		{"flow-long-window", "flow.json", `[{"resource": "*", "threshold": 5, "statIntervalInMs": 60000}]`, `[{"resource": "*", "threshold": 7, "statIntervalInMs": 60000}]`, 5, 2, 0},
		{"isolation", "isolation.json", `[{"resource": "*", "threshold": 5}]`, `[{"resource": "*", "threshold": 5}]`, 5, 0, 5},
		{"isolation-raised", "isolation.json", `[{"resource": "*", "threshold": 5}]`, `[{"resource": "*", "threshold": 7}]`, 5, 2, 7},
		{"isolation-lowered", "isolation.json", `[{"resource": "*", "threshold": 5}]`, `[{"resource": "*", "threshold": 3}]`, 5, 0, 3},
		{"tenants", "hotspot.json", `[{"resource": "*", "paramIndex": 0, "threshold": 5}]`, `[{"resource": "*", "paramKey": "tenant", "threshold": 5}]`, 5, 0, 5},
		{"tenants-raised", "hotspot.json", `[{"resource": "*", "paramKey": "tenant", "threshold": 5}]`, `[{"resource": "*", "paramKey": "tenant", "threshold": 7}]`, 5, 2, 7},
		{"tenants-then-keys", "hotspot.json", `[{"resource": "*", "paramKey": "tenant", "threshold": 5}]`, `[{"resource": "*", "paramKey": "key", "threshold": 5}]`, 5, 5, 5},
		{"tenants-then-more", "hotspot.json", `[{"resource": "*", "paramKey": "tenant", "threshold": 5}]`, `[{"resource": "*", "paramKey": "tenant", "threshold": 9}, {"resource": "*", "paramKey": "tenant", "threshold": 5}]`, 5, 0, 5},
		{"one-of-two-tenants", "hotspot.json", `[{"resource": "*", "paramKey": "tenant", "threshold": 5}, {"resource": "*", "paramKey": "tenant", "threshold": 9}]`, `[{"resource": "*", "paramKey": "tenant", "threshold": 9}]`, 5, 4, 9},
		{"per-time", "hotspot.json", `[{"resource": "*", "paramKey": "tenant", "metricType": 1, "durationInSec": 60, "threshold": 5}]`, `[{"id": "x", "resource": "*", "paramKey": "tenant", "metricType": 1, "durationInSec": 60, "threshold": 5}]`, 5, 0, 0},
		{"throttling", "flow.json", `[{"resource": "*", "controlBehavior": 1, "threshold": 5}]`, `[{"id": "x", "resource": "*", "controlBehavior": 1, "threshold": 5}]`, 1, 0, 0},
		{"system", "system.json", `[{"metricType": 2, "triggerCount": 5}]`, `[{"metricType": 2, "triggerCount": 7}]`, 5, 2, 7},
		{"flow-then-isolation", "flow.json", `[{"resource": "*", "threshold": 5}]`, ``, 5, 5, 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			guarded(t, map[string]string{tt.file: tt.before}, func(g *gate) {
				passes := func(want int) {
					g.Helper()
					if n, no := g.passed(batch("acme", "s"), 20); n != want {
						g.Errorf("%d calls have passed, then %v; want %d", n, no, want)
					}
				}
				passes(tt.first)
				if tt.after == "" {
					g.load("isolation.json", `[{"resource": "*", "threshold": 10}]`)
				} else {
					g.load(tt.file, tt.after)
				}
				passes(tt.then)
				g.leave()
				if tt.after != "" {
					passes(tt.freed)
				}
			})
		})
	}
}

// TestInvalidRulesChangeNothing: neither rules nor counts.
func TestInvalidRulesChangeNothing(t *testing.T) {
	guarded(t, map[string]string{"flow.json": `[{"resource": "*", "threshold": 5}]`}, func(g *gate) {
		g.free(interactive(), 3)
		bad := rules(g.T, map[string]string{"flow.json": `[{"resource": "*", "threshold": 50}]`})
		bad.System = []system.Rule{{MetricType: system.AvgRT, TriggerCount: 1}}
		if g.p.Load(bad) == nil {
			t.Error("rules with a fault are taken")
		}
		g.want(interactive(), 2, "flow * qps 5", time.Second)
	})
}

// TestCrowd: many callers at once, under a change of rules every few of them.
// No more than the thresholds are ever inside, and every leave counts.
func TestCrowd(t *testing.T) {
	const bound = 8
	files := func(i int) map[string]string {
		return map[string]string{
			"isolation.json": fmt.Sprintf(`[{"resource": "*", "threshold": %d}, {"resource": "class/batch", "threshold": %d}]`, bound, 100+i%2),
			"hotspot.json": fmt.Sprintf(`[{"resource": "*", "paramKey": "tenant", "threshold": %d},
				{"resource": "*", "paramKey": "session", "threshold": %d}]`, bound-2, 100+i%3),
			"system.json": `[{"metricType": 2, "triggerCount": 1000}]`,
			"flow.json":   fmt.Sprintf(`[{"resource": "*", "threshold": %d}]`, 10_000_000+i%2),
		}
	}
	g := newGate(t, files(0))
	var inside, of, worst, worstOf atomic.Int64
	var crowd sync.WaitGroup
	for i := range 16 {
		crowd.Go(func() {
			tenant := []string{"acme", "globex"}[i%2]
			for range 500 {
				leave, no := g.p.Enter(t.Context(), batch(tenant, "s"))
				if no != nil {
					continue
				}
				raise(&worst, inside.Add(1))
				if tenant == "acme" {
					raise(&worstOf, of.Add(1))
					of.Add(-1)
				}
				inside.Add(-1)
				leave()
			}
		})
	}
	crowd.Go(func() {
		for i := range 50 {
			if err := g.p.Load(rules(t, files(i))); err != nil {
				t.Error(err)
			}
		}
	})
	crowd.Wait()
	if w, o := worst.Load(), worstOf.Load(); w > bound || o > bound-2 {
		t.Errorf("%d calls were inside at once, %d of one tenant; the bounds are %d and %d", w, o, bound, bound-2)
	}
	g.want(batch("acme", "s"), bound-2, "hotspot * tenant 6 at once", time.Second)
	g.want(batch("globex", "s"), 2, "isolation * 8 at once", time.Second)
	g.leave()
}

func raise(top *atomic.Int64, to int64) {
	for {
		was := top.Load()
		if to <= was || top.CompareAndSwap(was, to) {
			return
		}
	}
}

// FuzzParseRules: whatever can be parsed can be loaded, and asked.
func FuzzParseRules(f *testing.F) {
	names := []string{"flow.json", "isolation.json", "hotspot.json", "system.json", "circuitbreaker.json"}
	for i, text := range []string{
		`[{"resource": "*", "threshold": 5, "tokenCalculateStrategy": 1, "warmUpPeriodSec": 10}]`,
		`[{"resource": "class/batch", "threshold": 5}]`,
		`[{"resource": "*", "paramKey": "tenant", "metricType": 1, "threshold": 2, "durationInSec": 1, "specificItems": {"a": 1}}]`,
		`[{"metricType": 2, "triggerCount": 4, "strategy": 1}]`,
		`[{"resource": "*", "strategy": 2, "threshold": 5, "retryTimeoutMs": 1000, "statIntervalMs": 1000}]`,
	} {
		f.Add(uint8(i), []byte(text))
	}
	f.Add(uint8(2), []byte(`[{"resource": "*", "paramIndex": -1, "threshold": 2, "specificItems": [{"valKind": 1, "valStr": "a", "threshold": 3}]}]`))
	f.Add(uint8(0), []byte(`[{"resource": "*", "threshold": 0.01, "controlBehavior": 1, "maxQueueingTimeMs": 1}]`))
	f.Fuzz(func(t *testing.T, file uint8, data []byte) {
		r, err := sentinel.ParseRules(map[string][]byte{names[int(file)%len(names)]: data})
		if err != nil {
			return
		}
		p, err := sentinel.NewProtection(r)
		if err != nil {
			t.Fatalf("parsed, but not loaded: %v", err)
		}
		defer p.Close()
		for range 3 {
			c := batch("a", "s")
			c.Deadline = time.Now()
			leave, no := p.Enter(t.Context(), c)
			if no != nil && (no.Rule == "" || no.RetryIn < time.Second) {
				t.Errorf("refused as %+v", no)
			}
			if no == nil {
				leave()
			}
		}
		if n := len(r.Flow) + len(r.Isolation) + len(r.Hotspot) + len(r.System); len(p.Report()) != n {
			t.Errorf("%d of %d rules are reported", len(p.Report()), n)
		}
	})
}
