package sentinel_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/sentinel"
)

// gate is a protection in a bubble of time.
type gate struct {
	*testing.T
	p      *sentinel.Protection
	leaves []func()
}

// guarded runs a test on a protection by the rules of these files.
func guarded(t *testing.T, files map[string]string, test func(*gate)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, files)
		test(g)
		g.leave()
		g.p.Close()
	})
}

func newGate(t *testing.T, files map[string]string) *gate {
	t.Helper()
	return &gate{T: t, p: protection(t, files)}
}

func rules(t testing.TB, files map[string]string) sentinel.Rules {
	t.Helper()
	raw := map[string][]byte{}
	for name, text := range files {
		raw[name] = []byte(text)
	}
	r, err := sentinel.ParseRules(raw)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// batch is a call of the lowest class.
func batch(tenant, session string) *call.Call {
	return &call.Call{
		Class: call.Batch, Model: "claude-haiku-4-5", Tenant: tenant, Session: session,
		Credential: call.Key{Print: "key-1"},
	}
}

func interactive() *call.Call {
	c := batch("acme", "")
	c.Class = call.Interactive
	return c
}

// passed lets calls like c in, as many as can come at this instant and at most
// max, and returns their number and the refusal of the next one.
func (g *gate) passed(c *call.Call, max int) (n int, no *call.Refusal) {
	g.Helper()
	for ; n < max; n++ {
		one := *c
		leave, no := g.p.Enter(g.Context(), &one)
		if no != nil {
			return n, no
		}
		g.leaves = append(g.leaves, leave)
	}
	return n, nil
}

// want lets n calls in and no more, and wants the next one refused like this.
func (g *gate) want(c *call.Call, n int, rule string, in time.Duration) {
	g.Helper()
	got, no := g.passed(c, n+1)
	if got != n || no == nil {
		g.Fatalf("%d calls have passed, then: %v; want %d", got, no, n)
	}
	if no.Reason != call.RuleRefused || no.Rule != rule || no.RetryIn != in {
		g.Errorf("refused as %v by %q, again in %v; want by %q, in %v", no.Reason, no.Rule, no.RetryIn, rule, in)
	}
}

// free lets n calls in.
func (g *gate) free(c *call.Call, n int) {
	g.Helper()
	if got, no := g.passed(c, n); got != n {
		g.Fatalf("%d calls of %d have passed, then %q refused one", got, n, no.Rule)
	}
}

// leave ends all calls inside.
func (g *gate) leave() {
	for _, leave := range g.leaves {
		leave()
		leave() // once is enough
	}
	g.leaves = nil
}

func TestRules(t *testing.T) {
	session := batch("acme", "s1")
	for _, tt := range []struct {
		name, file, rules string
		test              func(*gate)
	}{
		{"flow", "flow.json", `[{"resource": "class/batch", "threshold": 5}]`, func(g *gate) {
			g.want(session, 5, "flow class/batch qps 5", time.Second)
			g.free(interactive(), 50)
			time.Sleep(time.Second + time.Millisecond)
			g.want(session, 5, "flow class/batch qps 5", time.Second)
		}},
		{"flow-none", "flow.json", `[{"id": "shut", "resource": "*", "threshold": 0}]`, func(g *gate) {
			g.want(interactive(), 0, "shut", time.Second)
		}},
		{"flow-long-window", "flow.json", `[{"resource": "*", "threshold": 5, "statIntervalInMs": 60000}]`, func(g *gate) {
			time.Sleep(10 * time.Second)
			g.want(session, 5, "flow * 5 per 60000 ms", 50*time.Second)
			time.Sleep(49 * time.Second)
			g.want(session, 0, "flow * 5 per 60000 ms", time.Second)
			time.Sleep(time.Second + time.Millisecond)
			g.want(session, 5, "flow * 5 per 60000 ms", 60*time.Second-time.Millisecond)
		}},
		{"flow-of-a-model", "flow.json", `[{"resource": "model/claude-haiku-4-5", "threshold": 2}]`, func(g *gate) {
			g.want(session, 2, "flow model/claude-haiku-4-5 qps 2", time.Second)
			other := *session
			other.Model = "claude-opus-4-5"
			g.free(&other, 50)
		}},
		{"flow-by-another", "flow.json", `[{"resource": "class/batch", "threshold": 3, "relationStrategy": 1, "refResource": "class/interactive"}]`, func(g *gate) {
			g.free(session, 50)
			g.free(interactive(), 3)
			g.want(session, 0, "flow class/batch qps 3", time.Second)
		}},
		{"flow-by-memory", "flow.json", `[{"id": "memory", "resource": "*", "tokenCalculateStrategy": 2, "lowMemUsageThreshold": 9,
			"highMemUsageThreshold": 2, "memLowWaterMarkBytes": 1, "memHighWaterMarkBytes": 2}]`, func(g *gate) {
			g.want(session, 2, "memory", time.Second)
		}},
		{"isolation", "isolation.json", `[{"resource": "*", "threshold": 3}]`, func(g *gate) {
			g.want(session, 3, "isolation * 3 at once", time.Second)
			time.Sleep(time.Hour)
			g.want(interactive(), 0, "isolation * 3 at once", time.Second)
			g.leave()
			g.want(session, 3, "isolation * 3 at once", time.Second)
		}},
		{"tenants-at-once", "hotspot.json", `[{"resource": "*", "paramKey": "tenant", "threshold": 2, "specificItems": {"globex": 4}}]`, func(g *gate) {
			g.want(session, 2, "hotspot * tenant 2 at once", time.Second)
			g.want(batch("globex", ""), 4, "hotspot * tenant 2 at once", time.Second)
			g.leave()
			g.want(session, 2, "hotspot * tenant 2 at once", time.Second)
		}},
		{"tenants-per-time", "hotspot.json", `[{"resource": "*", "paramIndex": 0, "metricType": 1, "threshold": 2, "burstCount": 1, "durationInSec": 10,
			"specificItems": [{"valKind": 1, "valStr": "globex", "threshold": 0}]}]`, func(g *gate) {
			g.want(session, 3, "hotspot * tenant 2 per 10 s", 10*time.Second)
			g.want(batch("globex", ""), 0, "hotspot * tenant 2 per 10 s", 10*time.Second)
			time.Sleep(10*time.Second + time.Millisecond)
			g.want(session, 2, "hotspot * tenant 2 per 10 s", 10*time.Second)
		}},
		{"keys", "hotspot.json", `[{"id": "keys", "resource": "*", "paramIndex": 1, "threshold": 2}]`, func(g *gate) {
			g.want(session, 2, "keys", time.Second)
			other := *session
			other.Credential.Print = "key-2"
			g.want(&other, 2, "keys", time.Second)
		}},
		{"sessions", "hotspot.json", `[{"id": "sessions", "resource": "*", "paramIndex": -1, "threshold": 2}]`, func(g *gate) {
			g.want(session, 2, "sessions", time.Second)
			g.free(batch("acme", ""), 50) // no session
		}},
		{"system-concurrency", "system.json", `[{"metricType": 2, "triggerCount": 4}]`, func(g *gate) {
			g.free(interactive(), 10)
			g.want(session, 0, "system concurrency 4", time.Second)
			g.leave()
			g.want(session, 4, "system concurrency 4", time.Second)
			g.free(interactive(), 10)
		}},
		{"system-qps", "system.json", `[{"id": "busy", "metricType": 3, "triggerCount": 4}]`, func(g *gate) {
			g.want(session, 4, "busy", time.Second)
			g.leave()
			g.want(session, 0, "busy", time.Second)
			time.Sleep(2 * time.Second)
			g.want(session, 4, "busy", time.Second)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) { guarded(t, map[string]string{tt.file: tt.rules}, tt.test) })
	}
}

// TestWarmUp: a cold gateway takes a third at first, and all after the period.
func TestWarmUp(t *testing.T) {
	guarded(t, map[string]string{
		"flow.json": `[{"resource": "*", "tokenCalculateStrategy": 1, "threshold": 30, "warmUpPeriodSec": 10}]`,
	}, func(g *gate) {
		perSecond := func() (n int) {
			for range 10 {
				passed, _ := g.passed(interactive(), 50)
				n += passed
				time.Sleep(100 * time.Millisecond)
			}
			return n
		}
		if n := perSecond(); n < 9 || n > 13 {
			t.Errorf("%d calls have passed in the first second, want a third of 30", n)
		}
		for range 20 {
			perSecond()
		}
		if n := perSecond(); n < 28 || n > 31 {
			t.Errorf("%d calls pass each second when it is warm, want 30", n)
		}
	})
}

// TestRefusalsCostNothing: a flood of a class that one rule refuses does not
// use up what another rule allows to all.
func TestRefusalsCostNothing(t *testing.T) {
	guarded(t, map[string]string{
		"flow.json":    `[{"resource": "*", "threshold": 100}, {"resource": "class/batch", "threshold": 5}]`,
		"hotspot.json": `[{"resource": "*", "paramKey": "tenant", "metricType": 1, "threshold": 100, "durationInSec": 60}]`,
	}, func(g *gate) {
		for range 1000 {
			g.passed(batch("acme", ""), 1)
		}
		g.want(interactive(), 95, "flow * qps 100", time.Second)
	})
}

// TestTurnsComeBeforeCounts: a call that would have to wait too long for its
// turn does not use up its tenant's share.
func TestTurnsComeBeforeCounts(t *testing.T) {
	guarded(t, map[string]string{
		"flow.json":    `[{"id": "pace", "resource": "*", "threshold": 1, "controlBehavior": 1}]`,
		"hotspot.json": `[{"id": "share", "resource": "*", "paramKey": "tenant", "metricType": 1, "threshold": 3, "durationInSec": 60}]`,
	}, func(g *gate) {
		for range 3 {
			g.want(interactive(), 1, "pace", time.Second)
			time.Sleep(time.Second)
		}
		g.want(interactive(), 0, "share", time.Minute)
	})
}

func TestReport(t *testing.T) {
	guarded(t, map[string]string{
		"flow.json":      `[{"id": "f", "resource": "class/batch", "threshold": 1}, {"id": "t", "resource": "*", "threshold": 9, "controlBehavior": 1}]`,
		"isolation.json": `[{"id": "i", "resource": "class/interactive", "threshold": 1}]`,
		"hotspot.json":   `[{"id": "h", "resource": "class/normal", "paramKey": "tenant", "threshold": 1}]`,
		"system.json":    `[{"id": "s", "metricType": 2, "triggerCount": 10}]`,
	}, func(g *gate) {
		g.free(batch("acme", ""), 1)
		time.Sleep(time.Second / 8)
		g.want(batch("acme", ""), 0, "f", time.Second)
		got := fmt.Sprint(g.p.Report())
		if want := "[{f flow class/batch 1} {t flow * 0} {i isolation class/interactive 0} {h hotspot class/normal 0} {s system class/batch 0}]"; got != want {
			t.Errorf("reports %v, want %v", got, want)
		}
	})
}

// TestUnguarded: without rules, and after Close, everybody may pass.
func TestUnguarded(t *testing.T) {
	guarded(t, nil, func(g *gate) {
		g.free(batch("acme", "s"), 50)
		if err := g.p.Load(rules(t, map[string]string{"flow.json": `[{"resource": "*", "threshold": 1}]`})); err != nil {
			t.Fatal(err)
		}
		g.want(batch("acme", "s"), 1, "flow * qps 1", time.Second)
		g.p.Close()
		g.free(batch("acme", "s"), 50)
		if g.p.Load(sentinel.Rules{}) == nil {
			t.Error("a closed protection takes rules")
		}
	})
}

// TestApart: two protections with the same rules do not meet, nor does one
// meet what another had counted before it was closed.
func TestApart(t *testing.T) {
	files := map[string]string{
		"flow.json":      `[{"resource": "*", "threshold": 5, "statIntervalInMs": 10000}]`,
		"isolation.json": `[{"resource": "*", "threshold": 5}]`,
		"system.json":    `[{"metricType": 2, "triggerCount": 5}]`,
	}
	guarded(t, files, func(g *gate) {
		g.free(interactive(), 5)
		for range 10 {
			guest := newGate(t, files)
			guest.free(batch("acme", ""), 5)
			guest.leave()
			guest.p.Close()
			time.Sleep(4 * time.Second)
			if err := g.p.Load(rules(t, files)); err != nil {
				t.Fatal(err)
			}
		}
		g.want(interactive(), 0, "isolation * 5 at once", time.Second)
	})
}

func TestThrottling(t *testing.T) {
	files := map[string]string{
		"flow.json": `[{"id": "pace", "resource": "class/batch", "threshold": 5, "controlBehavior": 1, "maxQueueingTimeMs": 1000}]`,
	}
	guarded(t, files, func(g *gate) {
		began := time.Now()
		var waited [10]time.Duration
		var callers sync.WaitGroup
		for i := range waited {
			callers.Go(func() {
				leave, no := g.p.Enter(g.Context(), batch("acme", ""))
				waited[i] = time.Since(began)
				if no == nil {
					leave()
				} else if i < 6 || no.Rule != "pace" || no.RetryIn != time.Second {
					t.Errorf("call %d is refused by %q, again in %v", i, no.Rule, no.RetryIn)
				}
			})
			synctest.Wait()
		}
		callers.Wait()
		if got, want := fmt.Sprint(waited), "[0s 200ms 400ms 600ms 800ms 1s 0s 0s 0s 0s]"; got != want || g.p.Report()[0].Refused != 4 {
			t.Errorf("they know after %v, want %v; %+v", got, want, g.p.Report())
		}
	})
}

// TestThrottledCallersMayLeave: a caller that leaves is let go at once, and
// its turn is the next one's. A call whose deadline is nearer than its turn is
// refused at once and takes none.
func TestThrottledCallersMayLeave(t *testing.T) {
	guarded(t, map[string]string{
		"hotspot.json": `[{"id": "pace", "resource": "*", "paramKey": "tenant", "metricType": 1, "controlBehavior": 1,
			"threshold": 1, "durationInSec": 10, "maxQueueingTimeMs": 60000}]`,
		"isolation.json": `[{"resource": "*", "threshold": 3}]`,
	}, func(g *gate) {
		g.free(batch("acme", ""), 1)
		began := time.Now()
		ctx, cancel := context.WithCancelCause(g.Context())
		gone := errors.New("gone")
		time.AfterFunc(time.Second, func() { cancel(gone) })
		_, no := g.p.Enter(ctx, batch("acme", ""))
		if no == nil || no.Reason != call.ClientGone || !errors.Is(no, gone) || time.Since(began) != time.Second {
			t.Errorf("after %v: %v", time.Since(began), no)
		}
		hurried := batch("acme", "")
		hurried.Deadline = time.Now().Add(4 * time.Second)
		if _, no := g.p.Enter(g.Context(), hurried); no == nil || no.Rule != "pace" || no.RetryIn != 5*time.Second {
			t.Errorf("refusal of a call in a hurry: %+v", no)
		}
		g.free(batch("globex", ""), 1)
		g.free(batch("acme", ""), 1)
		if time.Since(began) != 10*time.Second {
			t.Errorf("the next call went after %v, want 10 s", time.Since(began))
		}
		g.want(batch("", ""), 0, "isolation * 3 at once", time.Second)
	})
}

func TestFaults(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"files":  {map[string]string{"flows.json": `[]`, "flow.json": ``, "system.json": `[] []`, "circuitbreaker.json": `[],`}, []string{"flows.json: no file", "circuitbreaker.json: ", "flow.json: it is empty", "system.json: something follows"}},
		"fields": {map[string]string{"flow.json": `[{"resource": "*", "treshold": 5}, {"resource": "x"}]`}, []string{`flow.json: rule 0: json: unknown field "treshold"`, `rule 1 (flow x qps 0): no call has the resource "x"`}},
		"flow": {map[string]string{"flow.json": `[
			{"resource": "class/bacth", "threshold": -1}, {"id": "half", "resource": "*", "threshold": 0.5},
			{"resource": "*", "tokenCalculateStrategy": 3, "controlBehavior": 2, "threshold": 5},
			{"resource": "*", "threshold": 7, "controlBehavior": 1, "maxQueueingTimeMs": 700000},
			{"resource": "*", "threshold": 8}, {"id": "again", "resource": "*", "threshold": 8},
			{"id": "half", "resource": "*", "threshold": 9}]`}, []string{
			`rule 0 (flow class/bacth qps -1): no call has`, "negative Threshold", "rule 1 (half): a threshold below 1",
			"tokenCalculateStrategy must be", "controlBehavior must be", "maxQueueingTimeMs must be at most 600000",
			"rule 5 (again): it says the same as rule 4", "rule 6 (half): rule 1 has the same name",
		}},
		"warm-up": {map[string]string{"flow.json": `[
			{"resource": "*", "tokenCalculateStrategy": 1, "threshold": 2, "warmUpPeriodSec": 10},
			{"resource": "*", "tokenCalculateStrategy": 1, "threshold": 3, "warmUpPeriodSec": 1, "warmUpColdFactor": 3, "controlBehavior": 1},
			{"resource": "*", "tokenCalculateStrategy": 1, "threshold": 30, "statIntervalInMs": 5000}]`}, []string{
			"never warms up", "write a warm-up rule and a throttling rule", "WarmUpPeriodSec must be", "leave statIntervalInMs out",
		}},
		"isolation": {map[string]string{"isolation.json": `[{"resource": "*"}, {"resource": "*", "threshold": 1, "metricType": 1}, null]`}, []string{"zero threshold", "unsupported metric type", "rule 2 (isolation  0 at once)"}},
		"hotspot": {map[string]string{"hotspot.json": `[
			{"resource": "*", "paramKey": "user", "threshold": 1}, {"resource": "*", "paramIndex": 3, "threshold": 1},
			{"resource": "*", "metricType": 1, "threshold": 1}, {"resource": "class/batch"},
			{"resource": "class/normal", "threshold": 1, "specificItems": {"": 1}},
			{"resource": "class/normal", "threshold": 1, "specificItems": 7}]`}, []string{
			"rule 0 (hotspot * nothing 1 at once): paramKey must be", "rule 1", "invalid duration", "a concurrency of 0", "is no value", "rule 5: specificItems: write",
		}},
		"system": {map[string]string{"system.json": `[{"metricType": 1, "triggerCount": 5}, {"metricType": 4, "triggerCount": 5}, {"metricType": 9, "triggerCount": 1, "strategy": 7}, {"metricType": 2}]`}, []string{
			"rule 0 (system avgRT 5): avgRT is the length of streams", "rule 1 (system cpuUsage 5): invalid CPU usage", "invalid metric type", "strategy must be", "triggerCount must be",
		}},
		"breaker": {map[string]string{"circuitbreaker.json": `[{"resource": "*"}]`}, []string{"circuitbreaker.json: circuit-breaking rule 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			raw := map[string][]byte{}
			for file, text := range tt.files {
				raw[file] = []byte(text)
			}
			_, err := sentinel.ParseRules(raw)
			if err == nil {
				t.Fatal("no fault is told")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not told in:\n%v", want, err)
				}
			}
		})
	}
}
