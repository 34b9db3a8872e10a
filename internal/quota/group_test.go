package quota_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/quota"
)

// header is what one answer says: the same share left of every limiter.
func header(now time.Time, share float64) (l call.Limits) {
	for i, limit := range limits(600, 600e3, 120e3) {
		l.Bucket[i] = call.Reading{
			Known: true, Limit: limit, Remaining: math.Round(share * limit),
			Reset: now.Add(time.Duration((1 - share) * float64(time.Minute))).Truncate(time.Second),
		}
	}
	l.Date = now.Truncate(time.Second)
	return l
}

// known returns a group whose limits an answer has shown.
func known(share float64) *quota.Group {
	g := quota.NewGroup(epoch, false)
	f := reserve(g, epoch, quota.Demand{Input: 1})
	g.Observe(epoch, f, header(epoch, share))
	g.Settle(epoch, f, call.Usage{Input: 1, Output: 1, Exact: true})
	return g
}

func reserve(g *quota.Group, now time.Time, d quota.Demand) *quota.Flight {
	f := new(quota.Flight)
	g.Reserve(now, d, f)
	return f
}

func TestUnknownOrganizationIsProbed(t *testing.T) {
	g := quota.NewGroup(epoch, false)
	d := quota.Demand{Input: 1000, Spread: 0.25}
	if dec := g.Check(epoch, d); dec.Wait != 0 {
		t.Fatalf("the first call must go at once: %+v", dec)
	}
	f := reserve(g, epoch, d)
	if dec := g.Check(epoch, d); dec.Wait == 0 || dec.Bound != "window" {
		t.Fatalf("the second must wait for the first's answer: %+v", dec)
	}
	g.Observe(epoch, f, header(epoch, 0.9))
	for range 20 {
		if dec := g.Check(epoch, d); dec.Wait != 0 {
			t.Fatalf("known and full, and yet %+v", dec)
		}
		reserve(g, epoch, d)
	}
}

func TestWithoutHeadersTheWindowOpensSlowly(t *testing.T) {
	g := quota.NewGroup(epoch, false)
	most := 0
	for range 4 { // four round trips
		var flights []*quota.Flight
		for g.Check(epoch, quota.Demand{Input: 10}).Wait == 0 {
			flights = append(flights, reserve(g, epoch, quota.Demand{Input: 10}))
		}
		most = len(flights)
		for _, f := range flights {
			g.Observe(epoch, f, call.Limits{})
			g.Settle(epoch, f, call.Usage{Exact: true})
		}
	}
	if most != 8 {
		t.Errorf("%d calls at once in the fourth round trip, want 8", most)
	}
}

func TestWaitIsTheTimeThatTheRefillNeeds(t *testing.T) {
	g := known(0.10)
	dec := g.Check(epoch, quota.Demand{Input: 60_000})
	// 60k and a stock of 60k are needed, 60k are there, 10k come per second.
	if dec.Bound != "input_tokens" || dec.Wait < 6*time.Second || dec.Wait > 8*time.Second {
		t.Errorf("got %+v", dec)
	}
	if again := g.Check(epoch.Add(dec.Wait), quota.Demand{Input: 60_000}); again.Wait > 200*time.Millisecond {
		t.Errorf("after that wait: %+v", again)
	}
}

func TestLargerThanTheBucket(t *testing.T) {
	g := known(1)
	for _, tc := range []struct {
		input  call.Tokens
		spread float64
		never  bool
	}{{500_000, 0.05, false}, {650_000, 0.1, false}, {700_000, 0.05, true}, {5_000_000, 0.4, true}} {
		dec := g.Check(epoch, quota.Demand{Input: tc.input, Spread: tc.spread})
		if dec.Never != tc.never {
			t.Errorf("%d ± %.2f: %+v", tc.input, tc.spread, dec)
		}
		if !tc.never && dec.Wait > time.Minute {
			t.Errorf("%d must go into the full bucket: %+v", tc.input, dec)
		}
	}
}

func TestCacheReadsAreFree(t *testing.T) {
	for _, counted := range []bool{false, true} {
		g := quota.NewGroup(epoch, counted)
		f := reserve(g, epoch, quota.Demand{Input: 100})
		g.Observe(epoch, f, header(epoch, 0.5))
		before := g.Headroom(epoch)[call.InputTokens]
		g.Settle(epoch, f, call.Usage{Input: 100, CacheRead: 60_000, Exact: true})
		drop := before - g.Headroom(epoch)[call.InputTokens]
		if want := map[bool]float64{false: 0, true: 0.1}[counted]; math.Abs(drop-want) > 0.001 {
			t.Errorf("counted %v: the level fell by %.4f of the limit, want %.2f", counted, drop, want)
		}
	}
}

func TestRejectionHoldsAndTeaches(t *testing.T) {
	g := known(0.5)
	f := reserve(g, epoch, quota.Demand{Input: 10_000})
	g.Reject(epoch, f, call.Limits{}, call.Verdict{Kind: call.RateLimited, Named: true, Limiter: call.InputTokens, RetryAfter: 7 * time.Second})
	// The level can be no higher than what would let 10k in after 7 s.
	if left := g.Headroom(epoch)[call.InputTokens]; left > (10_000-70_000)/600e3+0.001 {
		t.Errorf("believes in %.3f of the limit", left)
	}
	if dec := g.Check(epoch.Add(6*time.Second), quota.Demand{Input: 1}); dec.Bound != "retry_after" {
		t.Errorf("before the upstream's time: %+v", dec)
	}
	if g.Surprises() != 1 || g.InFlight() != 0 {
		t.Errorf("%d surprises, %d in flight", g.Surprises(), g.InFlight())
	}
}

func TestShorterTimeIsLearned(t *testing.T) {
	g := known(0.9)
	f := reserve(g, epoch, quota.Demand{Input: 40_000})
	g.Reject(epoch, f, header(epoch, 0.9), call.Verdict{Kind: call.RateLimited, Named: true, Limiter: call.InputTokens, RetryAfter: 3 * time.Second})
	if left := g.Headroom(epoch)[call.InputTokens]; left < 0.85 {
		t.Errorf("the minute's bucket has plenty, and yet the belief fell to %.2f", left)
	}
	later := epoch.Add(3 * time.Second)
	if dec := g.Check(later, quota.Demand{Input: 30_000}); dec.Wait != 0 {
		t.Errorf("after the upstream's time: %+v", dec)
	}
	reserve(g, later, quota.Demand{Input: 30_000})
	dec := g.Check(later, quota.Demand{Input: 60_000})
	// A sixth of the limit is taken for the shorter time's capacity: 100k, of
	// which 10k are left from before, and 10k come per second.
	if dec.Bound != "input_tokens" || dec.Wait < 5*time.Second || dec.Wait > 7*time.Second {
		t.Errorf("a second burst: %+v", dec)
	}
}

func TestRamp(t *testing.T) {
	start := epoch.Add(10 * time.Second) // ten seconds into a minute
	g := known(1)
	f := reserve(g, start, quota.Demand{Input: 60_000})
	g.Reject(start, f, call.Limits{}, call.Verdict{Kind: call.Ramp, RampNow: 50_000, RampNext: 60_000, RetryAfter: 50 * time.Second})
	last := call.Tokens(50_000)
	for minute := range 3 {
		allowed := last + 10_000
		now := epoch.Add(time.Duration(minute+1)*time.Minute + time.Second)
		used := call.Tokens(0)
		for g.Check(now, quota.Demand{Input: 1000}).Wait == 0 && used < 1e6 {
			g.Settle(now, reserve(g, now, quota.Demand{Input: 1000}), call.Usage{Input: 1000, Output: 1, Exact: true})
			used += 1000
		}
		if used > allowed || used < allowed*95/100 {
			t.Errorf("minute %d used %d of %d", minute+1, used, allowed)
		}
		last = used
		if dec := g.Check(now, quota.Demand{Input: 1000}); dec.Bound != "ramp" || dec.Wait < 58*time.Second || dec.Wait > 60*time.Second {
			t.Errorf("minute %d then waits %+v", minute+1, dec)
		}
	}
	quiet := epoch.Add(30 * time.Minute)
	if dec := g.Check(quiet, quota.Demand{Input: 49_000}); dec.Wait != 0 {
		t.Errorf("after idleness the floor holds: %+v", dec)
	}
}

func TestWorkspaceHasLimitsOfItsOwn(t *testing.T) {
	g := known(1)
	research := quota.Demand{Input: 10_000, Workspace: "research"}
	f := reserve(g, epoch, research)
	g.Reject(epoch, f, header(epoch, 1), call.Verdict{
		Kind: call.RateLimited, Named: true, Limiter: call.InputTokens, Workspace: true, Limit: 60_000, RetryAfter: 5 * time.Second,
	})
	// 10k fit after 5 s at 1k per second; the stock of a fifth comes on top.
	dec := g.Check(epoch, research)
	if dec.Bound != "workspace input_tokens" || dec.Wait < 15*time.Second || dec.Wait > 22*time.Second {
		t.Errorf("the workspace: %+v", dec)
	}
	if dec := g.Check(epoch, quota.Demand{Input: 10_000, Workspace: "other"}); dec.Wait != 0 {
		t.Errorf("another workspace: %+v", dec)
	}
}

func TestRejectedFromFullBucketNeverFits(t *testing.T) {
	g := known(1)
	f := reserve(g, epoch, quota.Demand{Input: 550_000})
	v := call.Verdict{Kind: call.RateLimited, Named: true, Limiter: call.InputTokens, RetryAfter: time.Second}
	if !g.Reject(epoch, f, call.Limits{}, v) {
		t.Error("refused although the bucket was full: it can never fit")
	}
	g = known(0.5)
	f = reserve(g, epoch, quota.Demand{Input: 50_000})
	if g.Reject(epoch, f, call.Limits{}, v) {
		t.Error("a small request may fit later")
	}
}

func TestConcurrencyComplaintsShrinkTheWindow(t *testing.T) {
	g := known(1)
	var flights []*quota.Flight
	for range 10 {
		flights = append(flights, reserve(g, epoch, quota.Demand{Input: 10}))
	}
	g.Reject(epoch, flights[0], call.Limits{}, call.Verdict{Kind: call.Concurrency})
	if dec := g.Check(epoch, quota.Demand{Input: 10}); dec.Bound != "window" {
		t.Errorf("nine are under way, the tenth was too many: %+v", dec)
	}
	for _, f := range flights[1:6] {
		g.Observe(epoch, f, header(epoch, 0.9))
		g.Settle(epoch, f, call.Usage{Exact: true})
	}
	if dec := g.Check(epoch, quota.Demand{Input: 10}); dec.Wait != 0 {
		t.Errorf("four are under way: %+v", dec)
	}
}

func TestOverloadShrinksTheWindowOnceInFifteenSeconds(t *testing.T) {
	g := known(1)
	var flights []*quota.Flight
	for range 20 {
		flights = append(flights, reserve(g, epoch, quota.Demand{Input: 10}))
	}
	// fill sends as many calls as may be under way at now.
	fill := func(now time.Time) {
		for g.Check(now, quota.Demand{Input: 10}).Wait == 0 {
			flights = append(flights, reserve(g, now, quota.Demand{Input: 10}))
		}
	}
	overload := func(now time.Time, n int) {
		for range n {
			g.Reject(now, flights[0], call.Limits{}, call.Verdict{Kind: call.Overloaded})
			flights = flights[1:]
		}
	}
	for _, step := range []struct {
		after time.Duration
		swarm int
		want  int // calls under way, at most
	}{
		{0, 10, 16},               // 0.8 × 20, however many complain
		{14 * time.Second, 3, 16}, // not again so soon
		{15 * time.Second, 5, 13}, // 0.8 × 16
		{29 * time.Second, 1, 13},
		{31 * time.Second, 2, 11}, // 0.8 × 12.8
	} {
		now := epoch.Add(step.after)
		overload(now, step.swarm)
		if fill(now); len(flights) != step.want {
			t.Fatalf("after %v: %d calls may be under way, want %d", step.after, len(flights), step.want)
		}
	}
	for range 100 { // it recovers
		g.Observe(epoch.Add(40*time.Second), flights[0], header(epoch.Add(40*time.Second), 0.9))
		g.Settle(epoch.Add(40*time.Second), flights[0], call.Usage{Exact: true})
		flights = flights[1:]
		fill(epoch.Add(40 * time.Second))
	}
	if len(flights) < 16 {
		t.Errorf("after a hundred answers %d calls may be under way, want 16 and more", len(flights))
	}
}

func TestOldAnswerDoesNotBringBackAnOldLimit(t *testing.T) {
	g := known(1)
	old := reserve(g, epoch.Add(time.Second), quota.Demand{Input: 10})
	young := reserve(g, epoch.Add(2*time.Second), quota.Demand{Input: 10})
	half := header(epoch.Add(2*time.Second), 1)
	for i := range half.Bucket {
		half.Bucket[i].Limit /= 2
		half.Bucket[i].Remaining /= 2
	}
	g.Observe(epoch.Add(3*time.Second), young, half)
	g.Observe(epoch.Add(4*time.Second), old, header(epoch.Add(time.Second), 1))
	if got := g.Report(epoch.Add(4 * time.Second))[0].Limit; got != 300 {
		t.Errorf("limit %d, want the newer one", got)
	}
}

func TestAbsorbTakesOverWhatIsUnderWay(t *testing.T) {
	a, b := known(0.5), known(0.5)
	f := reserve(b, epoch, quota.Demand{Input: 60_000})
	a.Absorb(epoch, b)
	if a.InFlight() != 1 || math.Abs(a.Headroom(epoch)[call.InputTokens]-0.4) > 0.001 {
		t.Errorf("%d in flight, %v", a.InFlight(), a.Headroom(epoch))
	}
	a.Settle(epoch, f, call.Usage{Exact: true})
	if a.InFlight() != 0 || math.Abs(a.Headroom(epoch)[call.InputTokens]-0.5) > 0.001 {
		t.Errorf("%d in flight, %v", a.InFlight(), a.Headroom(epoch))
	}
}

// TestInvariants drives a group through random histories: nothing that was
// reserved stays behind when everything has ended, and the level never exceeds
// the limit nor a wait goes on for ever.
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, now := known(1), epoch
		var flights []*quota.Flight
		end := func(act func(f *quota.Flight)) func(*rapid.T) {
			return func(t *rapid.T) {
				if len(flights) == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, len(flights)-1).Draw(t, "which")
				act(flights[i])
				flights = append(flights[:i], flights[i+1:]...)
			}
		}
		tokens := rapid.Int64Range(0, 50_000)
		t.Repeat(map[string]func(*rapid.T){
			"time": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.Int64Range(0, 5000).Draw(t, "ms")) * time.Millisecond)
			},
			"reserve": func(t *rapid.T) {
				d := quota.Demand{Input: call.Tokens(tokens.Draw(t, "input")), Stream: rapid.Bool().Draw(t, "stream")}
				flights = append(flights, reserve(g, now, d))
			},
			"observe": func(t *rapid.T) {
				if len(flights) > 0 {
					g.Observe(now, flights[0], header(now, rapid.Float64Range(0, 1).Draw(t, "share")))
				}
			},
			"settle": end(func(f *quota.Flight) {
				g.Settle(now, f, call.Usage{Input: call.Tokens(tokens.Draw(t, "real")), Output: 10, Exact: true})
			}),
			"cancel": end(func(f *quota.Flight) { g.Cancel(now, f) }),
			"reject": end(func(f *quota.Flight) {
				g.Reject(now, f, call.Limits{}, call.Verdict{Kind: call.RateLimited, Named: true, RetryAfter: time.Second})
			}),
			"": func(t *rapid.T) {
				if g.InFlight() != len(flights) {
					t.Fatalf("%d in flight, want %d", g.InFlight(), len(flights))
				}
				for _, share := range g.Headroom(now) {
					if share > 1.000001 || math.IsNaN(share) {
						t.Fatalf("headroom %v", share)
					}
				}
				if dec := g.Check(now, quota.Demand{Input: 1}); dec.Wait > 24*time.Hour {
					t.Fatalf("waits %v", dec.Wait)
				}
			},
		})
		for _, f := range flights {
			g.Settle(now, f, call.Usage{Exact: true})
		}
		if got := g.Report(now)[1].Reserved; got != 0 {
			t.Fatalf("%d tokens stay reserved for nobody", got)
		}
	})
}

func TestBuiltinGroups(t *testing.T) {
	groups := quota.BuiltinGroups()
	for model, want := range map[string]string{
		"claude-opus-4-7": "claude-opus-4.x", "claude-opus-4-5-20251101": "claude-opus-4.x",
		"claude-opus-5": "claude-opus-5", "claude-opus-5-5": "claude-opus-5-5",
		"claude-sonnet-4-5-20250929": "claude-sonnet-4.x", "claude-fable-5": "claude-fable-5.x",
		"claude-fable-5-1": "claude-fable-5.x", "claude-fable-5-2": "claude-fable-5-2",
		"claude-haiku-4-5-20251001": "claude-haiku-4-5", "my-model": "my-model",
	} {
		if got, _ := groups.Of(model); got != want {
			t.Errorf("%s: group %q, want %q", model, got, want)
		}
	}
	if _, counted := groups.Of("claude-3-5-haiku-latest"); !counted {
		t.Error("Haiku 3.5 counts cache reads")
	}
}

func BenchmarkReserveSettle(b *testing.B) {
	g := known(1)
	now := epoch
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Millisecond)
		f := reserve(g, now, quota.Demand{Input: 1, Spread: 0.1, Stream: true})
		g.Settle(now, f, call.Usage{Input: 1, Output: 1, Exact: true})
	}
}
