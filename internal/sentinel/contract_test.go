package sentinel_test

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/weir-gateway/weir/internal/breaker"
	"github.com/weir-gateway/weir/internal/sentinel"
)

// cores are the cores that the contract holds for. Sentinel's resources belong
// to the whole process; Build names them apart, so tests need not.
var cores = map[string]breaker.Builder{"own": breaker.Window, "sentinel": sentinel.Build}

const scope = "api.example.com/claude-opus-4-5"

// rig is an engine in a bubble of time.
type rig struct {
	*testing.T
	e *breaker.Engine
}

// contract runs a test on both cores, with these rules.
func contract(t *testing.T, rules []breaker.Rule, test func(*rig)) {
	t.Helper()
	for name, build := range cores {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, err := breaker.New(rules, build)
				if err != nil {
					t.Fatal(err)
				}
				test(&rig{t, e})
			})
		})
	}
}

// begin starts a call that must pass.
func (r *rig) begin() *breaker.Permit {
	r.Helper()
	p, refused := r.e.Acquire(time.Now(), scope)
	if refused != nil {
		r.Fatalf("refused: %v, again in %v", refused, refused.RetryIn)
	}
	return p
}

// refused starts a call that must not pass.
func (r *rig) refused(state breaker.State, rule string, in time.Duration) {
	r.Helper()
	_, got := r.e.Acquire(time.Now(), scope)
	if got == nil {
		r.Fatal("passed")
	}
	if got.State != state || got.Rule.Name() != rule || got.RetryIn != in {
		r.Errorf("refused: %v, again in %v; want %v by %q, again in %v", got, got.RetryIn, state, rule, in)
	}
	if check := r.e.Check(time.Now(), scope); check == nil || *check != *got {
		r.Errorf("Check says %v, Acquire %v", check, got)
	}
}

// calls makes n calls with one outcome, at once.
func (r *rig) calls(n int, o breaker.Outcome) {
	r.Helper()
	for range n {
		r.begin().Done(time.Now(), o)
	}
}

// slow makes n calls whose first token takes so long.
func (r *rig) slow(n int, ttft time.Duration) {
	r.Helper()
	permits := make([]*breaker.Permit, n)
	for i := range permits {
		permits[i] = r.begin()
	}
	time.Sleep(ttft)
	for _, p := range permits {
		p.FirstToken(time.Now())
		p.Done(time.Now(), breaker.Succeeded)
	}
}

func (r *rig) want(s breaker.State) {
	r.Helper()
	got := breaker.Closed
	for _, status := range r.e.Report() {
		got = max(got, status.State)
	}
	if got != s {
		r.Errorf("the breaker is %v, want %v", got, s)
	}
}

var (
	ratio = breaker.Rule{
		ID: "ratio", Resource: "*", Strategy: breaker.ErrorRatio, Threshold: 0.5,
		MinRequestAmount: 10, StatIntervalMs: 10_000, RetryTimeoutMs: 5_000, ProbeTimeoutMs: 20_000,
	}
	count = breaker.Rule{
		ID: "count", Resource: "*", Strategy: breaker.ErrorCount, Threshold: 3,
		MinRequestAmount: 1, StatIntervalMs: 10_000, RetryTimeoutMs: 5_000,
	}
	slow = breaker.Rule{
		ID: "slow", Resource: "*", Strategy: breaker.SlowRatio, Threshold: 0.5, MaxAllowedRtMs: 2_000,
		MinRequestAmount: 4, StatIntervalMs: 60_000, RetryTimeoutMs: 5_000,
	}
)

func TestWhatTrips(t *testing.T) {
	for _, tt := range []struct {
		name string
		rule breaker.Rule
		do   func(*rig)
		want breaker.State
	}{
		{"too-few-calls", ratio, func(r *rig) { r.calls(9, breaker.Failed) }, breaker.Closed},
		{"half-fail", ratio, func(r *rig) { r.calls(5, breaker.Succeeded); r.calls(5, breaker.Failed) }, breaker.Open},
		{"fewer-fail", ratio, func(r *rig) { r.calls(6, breaker.Succeeded); r.calls(5, breaker.Failed) }, breaker.Closed},
		{"429-is-ignored", ratio, func(r *rig) { r.calls(100, breaker.Ignored) }, breaker.Closed},
		{"429-does-not-dilute", ratio, func(r *rig) {
			r.calls(100, breaker.Ignored)
			r.calls(5, breaker.Succeeded)
			r.calls(5, breaker.Failed)
		}, breaker.Open},
		{"window-slides", ratio, func(r *rig) {
			r.calls(9, breaker.Failed)
			time.Sleep(10 * time.Second)
			r.calls(9, breaker.Failed)
		}, breaker.Closed},
		{"count", count, func(r *rig) { r.calls(99, breaker.Succeeded); r.calls(3, breaker.Failed) }, breaker.Open},
		{"fewer-than-count", count, func(r *rig) { r.calls(2, breaker.Failed) }, breaker.Closed},
		{"slow-first-tokens", slow, func(r *rig) { r.slow(4, 3*time.Second) }, breaker.Open},
		{"first-tokens-in-time", slow, func(r *rig) { r.slow(4, 2*time.Second) }, breaker.Closed},
		{"long-streams-are-not-slow", slow, func(r *rig) {
			for range 10 {
				p := r.begin()
				p.FirstToken(time.Now())
				time.Sleep(5 * time.Minute)
				p.Done(time.Now(), breaker.Succeeded)
			}
		}, breaker.Closed},
		{"whole-answers-are-not-slow", slow, func(r *rig) {
			for range 10 {
				p := r.begin()
				time.Sleep(5 * time.Second)
				p.Done(time.Now(), breaker.Succeeded)
			}
		}, breaker.Closed},
		{"time-outs-are-slow", slow, func(r *rig) {
			for range 4 {
				p := r.begin()
				time.Sleep(3 * time.Second)
				p.Done(time.Now(), breaker.Failed)
			}
		}, breaker.Open},
		{"a-second-end-is-nothing", count, func(r *rig) {
			p := r.begin()
			for range 10 {
				p.Done(time.Now(), breaker.Failed)
			}
		}, breaker.Closed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			contract(t, []breaker.Rule{tt.rule}, func(r *rig) { tt.do(r); r.want(tt.want) })
		})
	}
}

func TestRecovery(t *testing.T) {
	contract(t, []breaker.Rule{ratio}, func(r *rig) {
		r.calls(10, breaker.Failed)
		r.refused(breaker.Open, "ratio", 5*time.Second)
		time.Sleep(4 * time.Second)
		r.refused(breaker.Open, "ratio", time.Second)
		time.Sleep(time.Second)
		probe := r.begin()
		r.refused(breaker.HalfOpen, "ratio", time.Second) // one at a time
		probe.Done(time.Now(), breaker.Failed)
		r.refused(breaker.Open, "ratio", 5*time.Second)
		time.Sleep(5 * time.Second)
		r.calls(1, breaker.Succeeded)
		r.want(breaker.Closed)
		r.calls(9, breaker.Failed) // the old failures are forgotten
		r.want(breaker.Closed)
		if got := r.e.Report()[0].Changes; got != [3]uint64{1, 2, 2} {
			r.Errorf("changes to closed, half-open, open: %v", got)
		}
	})
}

// TestStaleCompletions: streams that began before the breaker opened end while
// it is half-open, well or badly, and decide nothing.
func TestStaleCompletions(t *testing.T) {
	contract(t, []breaker.Rule{ratio}, func(r *rig) {
		good, bad := r.begin(), r.begin()
		r.calls(10, breaker.Failed)
		time.Sleep(5 * time.Second)
		probe := r.begin()
		good.Done(time.Now(), breaker.Succeeded)
		r.want(breaker.HalfOpen)
		bad.Done(time.Now(), breaker.Failed)
		r.want(breaker.HalfOpen)
		probe.Done(time.Now(), breaker.Succeeded)
		r.want(breaker.Closed)
	})
}

func TestProbes(t *testing.T) {
	three := ratio
	three.ProbeNum, three.ProbeCap = 3, 2
	contract(t, []breaker.Rule{three}, func(r *rig) {
		r.calls(10, breaker.Failed)
		time.Sleep(5 * time.Second)
		first, second := r.begin(), r.begin()
		for range 100 {
			r.refused(breaker.HalfOpen, "ratio", time.Second)
		}
		first.Done(time.Now(), breaker.Ignored) // tells nothing, and frees its place
		first = r.begin()
		first.Done(time.Now(), breaker.Succeeded)
		second.Done(time.Now(), breaker.Succeeded)
		r.want(breaker.HalfOpen)
		r.calls(1, breaker.Succeeded)
		r.want(breaker.Closed)
	})
}

// TestProbeTimeout: a probe that hangs does not keep everybody out for as long
// as it hangs; its late end is nothing.
func TestProbeTimeout(t *testing.T) {
	contract(t, []breaker.Rule{ratio}, func(r *rig) {
		r.calls(10, breaker.Failed)
		time.Sleep(5 * time.Second)
		hung := r.begin()
		time.Sleep(20 * time.Second)
		r.refused(breaker.Open, "ratio", 5*time.Second)
		time.Sleep(5 * time.Second)
		probe := r.begin()
		hung.Done(time.Now(), breaker.Succeeded)
		r.want(breaker.HalfOpen)
		probe.Done(time.Now(), breaker.Succeeded)
		r.want(breaker.Closed)
	})
}

func TestScopes(t *testing.T) {
	own := count
	own.ID, own.Resource = "own", scope
	contract(t, []breaker.Rule{ratio, own}, func(r *rig) {
		r.calls(3, breaker.Failed)
		r.refused(breaker.Open, "own", 5*time.Second)
		if _, refused := r.e.Acquire(time.Now(), "api.example.com/other"); refused != nil {
			r.Errorf("another model is refused: %v", refused)
		}
		for i := range 1000 { // invented names share a scope when there is no place
			p, refused := r.e.Acquire(time.Now(), "api.example.com/"+strconv.Itoa(i))
			if refused != nil {
				r.Fatal(refused)
			}
			p.Done(time.Now(), breaker.Succeeded)
		}
		r.refused(breaker.Open, "own", 5*time.Second)
	})
}

func TestLoad(t *testing.T) {
	contract(t, []breaker.Rule{count}, func(r *rig) {
		stream := r.begin()
		r.calls(3, breaker.Failed)
		if err := r.e.Load([]breaker.Rule{count}); err != nil {
			r.Fatal(err)
		}
		r.want(breaker.Open) // the same rules: the state stays
		if err := r.e.Load([]breaker.Rule{{Resource: "*"}}); err == nil {
			r.Error("a rule without a threshold is loaded")
		}
		r.want(breaker.Open)
		if err := r.e.Load([]breaker.Rule{ratio}); err != nil {
			r.Fatal(err)
		}
		r.calls(9, breaker.Failed)
		stream.Done(time.Now(), breaker.Failed) // of the rules before
		r.want(breaker.Closed)
		r.calls(1, breaker.Failed)
		r.want(breaker.Open)
		if err := r.e.Load(nil); err != nil {
			r.Fatal(err)
		}
		r.calls(100, breaker.Failed)
	})
}

// TestCoresAgree plays the same random calls to both cores and compares every
// answer.
func TestCoresAgree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { rapid.Check(bubble{t}, agree) })
}

// bubble hides the deadline of a test, which may not be asked for in a bubble.
type bubble struct{ testing.TB }

func agree(t *rapid.T) {
	rules := rapid.SliceOfN(rapid.Custom(drawRule), 1, 3).Draw(t, "rules")
	own, err := breaker.New(rules, breaker.Window)
	if err != nil {
		t.Fatal(err)
	}
	other, err := breaker.New(rules, sentinel.Build)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Load(nil) // gives the resource back
	var pairs [][2]*breaker.Permit
	pick := func() [2]*breaker.Permit {
		if len(pairs) == 0 {
			t.Skip("no call under way")
		}
		return pairs[rapid.IntRange(0, len(pairs)-1).Draw(t, "call")]
	}
	begin := func(t *rapid.T) {
		a, no := own.Acquire(time.Now(), scope)
		b, nay := other.Acquire(time.Now(), scope)
		if (no == nil) != (nay == nil) || no != nil && *no != *nay {
			t.Fatalf("own: %+v, Sentinel: %+v", no, nay)
		}
		if no == nil {
			pairs = append(pairs, [2]*breaker.Permit{a, b})
		}
	}
	t.Repeat(map[string]func(*rapid.T){
		"begin": begin, "begin too": begin,
		"wait": func(t *rapid.T) {
			time.Sleep(time.Duration(rapid.IntRange(1, 4000).Draw(t, "ms")) * time.Millisecond)
		},
		"first token": func(*rapid.T) {
			for _, p := range pick() {
				p.FirstToken(time.Now())
			}
		},
		"done": func(t *rapid.T) {
			o := breaker.Outcome(rapid.IntRange(0, 2).Draw(t, "outcome"))
			for _, p := range pick() {
				p.Done(time.Now(), o)
			}
		},
		"": func(t *rapid.T) {
			a, b := own.Report(), other.Report()
			if len(a) != len(b) || len(a) > 0 && a[0] != b[0] {
				t.Fatalf("own: %+v, Sentinel: %+v", a, b)
			}
		},
	})
}

func drawRule(t *rapid.T) breaker.Rule {
	r := breaker.Rule{
		Resource: "*", Strategy: breaker.Strategy(rapid.IntRange(0, 2).Draw(t, "strategy")),
		MinRequestAmount: rapid.Uint64Range(0, 5).Draw(t, "min"),
		StatIntervalMs:   1000 * rapid.Uint32Range(1, 20).Draw(t, "window"),
		RetryTimeoutMs:   rapid.Uint32Range(1, 8000).Draw(t, "retry"),
		MaxAllowedRtMs:   rapid.Uint64Range(1, 4000).Draw(t, "max"),
		ProbeNum:         rapid.Uint64Range(0, 3).Draw(t, "probes"),
		ProbeCap:         rapid.Uint64Range(0, 3).Draw(t, "cap"),
		ProbeTimeoutMs:   rapid.Uint32Range(0, 9000).Draw(t, "patience"),
		Threshold:        rapid.Float64Range(0.1, 1).Draw(t, "share"),

		StatSlidingWindowBucketCount: rapid.Uint32Range(0, 4).Draw(t, "buckets"),
	}
	if r.Strategy == breaker.ErrorCount {
		r.Threshold = float64(rapid.IntRange(1, 4).Draw(t, "count"))
	}
	return r
}
