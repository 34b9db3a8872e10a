package budget_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/budget"
	"github.com/weir-gateway/weir/internal/price"
)

// quota is a permit's far end that counts its ends.
type quota struct{ ended int }

func (*quota) Observe(time.Time, call.Limits)                     {}
func (*quota) Input(time.Time, call.Usage)                        {}
func (*quota) Output(time.Time, call.Tokens)                      {}
func (q *quota) Reject(time.Time, call.Limits, call.Verdict) bool { q.ended++; return false }
func (q *quota) Settle(time.Time, call.Usage)                     { q.ended++ }
func (*quota) Headroom(time.Time) call.Headroom                   { return call.Headroom{} }

var prices = price.Builtin()

const model = "claude-opus-5" // $5 in, $10 written for an hour, $25 out; a tenth more in the US

var seq uint64

// request is a call that may cost 11 dollars for a million bytes of its text,
// and 27.50 for a million tokens of max_tokens.
func request(tenant string, maxTokens call.Tokens) *call.Call {
	seq++
	return &call.Call{
		Seq: seq, Received: time.Now(), Deadline: time.Now(), Endpoint: call.Messages, Model: model, Tenant: tenant, MaxTokens: maxTokens,
	}
}

// frame is what an empty request may cost.
const frame = 64 * 11_000_000

func most(maxTokens call.Tokens) call.USD { return frame + call.USD(maxTokens)*27_500_000 }

func used(output call.Tokens) call.Usage {
	return call.Usage{Exact: true, Input: 64, Output: output}
}

func costs(output call.Tokens) call.USD { return 64*5_000_000 + call.USD(output)*25_000_000 }

func open(t testing.TB, leases call.Leases, list ...budget.Budget) *budget.Room {
	t.Helper()
	r, err := budget.New(t.Context(), budget.Config{Budgets: list, Prices: prices, Leases: leases})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func reserve(r *budget.Room, c *call.Call) (*call.Permit, *call.Refusal) {
	permit, err := r.Reserve(context.Background(), c, call.NewPermit(&quota{}))
	no, _ := errors.AsType[*call.Refusal](err)
	return permit, no
}

// TestNothingOverspends plays reservations, settlements, crashes and ends in
// any order, on one or several gateways. Whatever the API may have billed, crashed
// attempts at their worst, is within the limit, and the store counts at least
// that much.
func TestNothingOverspends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ rapid.TB }{t}, func(rt *rapid.T) { // a bubble knows no deadline
			limit := call.USD(rapid.Int64Range(1, 50).Draw(rt, "limit")) * call.Dollar / 100
			store := budget.NewMemory()
			list := []budget.Budget{{Name: "all", Limit: limit, Period: budget.Month}, {Name: "each", Limit: limit / 2, Period: budget.Day, Each: budget.PerTenant}}
			type gateway struct {
				room *budget.Room
				held []*call.Permit
				most []call.USD
			}
			gateways := []*gateway{{room: open(t, store, list...)}, {room: open(t, store, list...)}}
			billed := call.USD(0)
			check := func() {
				total := call.USD(0)
				purses, _ := store.Purses(t.Context(), time.Now())
				for p, sum := range purses {
					if p.Budget == "all" {
						total = sum
					}
					if sum > limit || p.Budget == "each" && sum > limit/2 {
						rt.Fatalf("%v: %s are leased of %s", p, sum, limit)
					}
				}
				open := call.USD(0)
				for _, g := range gateways {
					for _, m := range g.most {
						open += m
					}
				}
				if billed+open > total {
					rt.Fatalf("billed %s, under way %s, the store counts %s", billed, open, total)
				}
			}
			rt.Repeat(map[string]func(*rapid.T){
				"": func(*rapid.T) { check() },
				"reserve": func(rt *rapid.T) {
					g := rapid.SampledFrom(gateways).Draw(rt, "gateway")
					n := call.Tokens(rapid.IntRange(0, 3000).Draw(rt, "max_tokens"))
					c := request(rapid.SampledFrom([]string{"amber", "birch"}).Draw(rt, "tenant"), n)
					if permit, _ := reserve(g.room, c); permit != nil {
						g.held, g.most = append(g.held, permit), append(g.most, most(n))
					}
				},
				"settle": func(rt *rapid.T) {
					g := rapid.SampledFrom(gateways).Draw(rt, "gateway")
					if len(g.held) == 0 {
						rt.Skip()
					}
					permit, worst := g.held[0], g.most[0]
					g.held, g.most = g.held[1:], g.most[1:]
					switch rapid.IntRange(0, 3).Draw(rt, "end") {
					case 0:
						permit.Release(time.Now())
					case 1:
						permit.Reject(time.Now(), call.Limits{}, call.Verdict{})
					case 2: // it may have cost all that it may
						permit.Settle(time.Now(), call.Usage{})
						billed += worst
					default:
						output := call.Tokens(rapid.Int64Range(0, int64(worst-frame)/27_500_000).Draw(rt, "output"))
						permit.Settle(time.Now(), used(output))
						billed += costs(output)
					}
				},
				"rest": func(*rapid.T) { time.Sleep(time.Second) },
				"crash": func(rt *rapid.T) {
					g := rapid.SampledFrom(gateways).Draw(rt, "gateway")
					for _, m := range g.most {
						billed += m
					}
					g.room, g.held, g.most = open(t, store, list...), nil, nil
				},
				"end": func(rt *rapid.T) {
					g := rapid.SampledFrom(gateways).Draw(rt, "gateway")
					for _, m := range g.most {
						billed += m // it ends with calls under way
					}
					g.room.Close(t.Context())
					g.room, g.held, g.most = open(t, store, list...), nil, nil
				},
			})
			for _, g := range gateways {
				g.room.Close(t.Context())
			}
			time.Sleep(time.Second) // the crashed ones come to rest
		})
	})
}

// TestCrashStrandsOneSlice: what a crash leaves behind is what was spent, what
// was set aside, and a hundredth of the limit.
func TestCrashStrandsOneSlice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := budget.NewMemory()
		all := budget.Budget{Name: "all", Limit: call.Dollar, Period: budget.Month}
		r := open(t, store, all)
		var held []*call.Permit
		for range 20 {
			permit, no := reserve(r, request("amber", 400))
			if no != nil {
				t.Fatal(no)
			}
			held = append(held, permit)
		}
		for _, permit := range held[:15] {
			permit.Settle(time.Now(), used(10))
		}
		time.Sleep(time.Second)
		again := open(t, store, all) // the first one is dead
		got := again.Report(time.Now())[0].Spent
		sure := 15*costs(10) + 5*most(400)
		if got < sure || got > sure+call.Dollar/100 {
			t.Errorf("after the crash %s count as spent, want %s and at most a slice more", got, sure)
		}
		r.Close(t.Context())
		again.Close(t.Context())
	})
}

// TestEndGivesBack: after an orderly end only what was spent is gone.
func TestEndGivesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := budget.NewMemory()
		all := budget.Budget{Name: "all", Limit: call.Dollar, Period: budget.Month}
		r := open(t, store, all)
		permit, _ := reserve(r, request("amber", 400))
		permit.Settle(time.Now(), used(100))
		r.Close(t.Context())
		if got := open(t, store, all).Report(time.Now())[0].Spent; got != costs(100) {
			t.Errorf("%s are spent, want %s", got, costs(100))
		}
	})
}

// TestWaitersGoInTurn: who is blocked by others' attempts alone waits, gives the
// permit back meanwhile, and goes before those who came later.
func TestWaitersGoInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, nil, budget.Budget{Name: "all", Limit: most(1000), Period: budget.Month})
		first, _ := reserve(r, request("amber", 900))
		order := make(chan string, 2)
		ask := func(name string, n call.Tokens) {
			c := request("amber", n)
			c.Deadline = time.Now().Add(time.Hour)
			go func() {
				for {
					q := &quota{}
					permit, err := r.Reserve(t.Context(), c, call.NewPermit(q))
					if err != nil {
						t.Error(err)
						return
					}
					if permit != nil {
						order <- name
						permit.Settle(time.Now(), used(1))
						return
					}
					if q.ended != 1 {
						t.Errorf("%s waited with %d permits given back", name, q.ended)
					}
					time.Sleep(10 * time.Millisecond) // admission
				}
			}()
			synctest.Wait()
		}
		ask("large", 900)
		ask("small", 60) // there is room, but it came later
		if len(order) != 0 {
			t.Fatal("somebody went before their turn:", <-order)
		}
		first.Settle(time.Now(), used(10))
		time.Sleep(time.Second)
		if got := <-order + ", " + <-order; got != "large, small" {
			t.Error(got)
		}
		r.Close(t.Context())
	})
}

// TestLeavingAndLateness: whoever waits leaves at once with the client, and is
// refused at the deadline with a word when to come back.
func TestLeavingAndLateness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, nil, budget.Budget{Name: "all", Limit: most(1000), Period: budget.Month})
		held, _ := reserve(r, request("amber", 1000))
		c := request("amber", 900)
		c.Deadline = c.Deadline.Add(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := r.Reserve(ctx, c, call.NewPermit(&quota{})); err.(*call.Refusal).Reason != call.ClientGone || time.Since(c.Received) != 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(c.Received))
		}
		c = request("amber", 900)
		c.Deadline = c.Deadline.Add(time.Minute)
		_, no := reserve(r, c)
		if no == nil || no.Reason != call.BudgetSpent || no.RetryIn != 5*time.Second || no.Waited != time.Minute {
			t.Errorf("%+v", no)
		}
		held.Release(time.Now())
		r.Close(t.Context())
	})
}

// TestRefusedBeforeWaiting: a spent budget, and a call that cannot fit, are told
// at once; the call that fits passes.
func TestRefusedBeforeWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it is 2000-01-01 00:00 UTC, a Saturday
		r := open(t, nil, budget.Budget{Name: "week", Limit: most(1000), Period: budget.Week})
		no := func(n call.Tokens) *call.Refusal {
			err := r.Check(time.Now(), request("amber", n))
			refusal, _ := errors.AsType[*call.Refusal](err)
			return refusal
		}
		if got := no(1001); got == nil || got.RetryIn != 0 || got.Budget.Need != most(1001) || got.Budget.Limit != most(1000) {
			t.Errorf("larger than the budget: %+v", got)
		}
		held, _ := reserve(r, request("amber", 1000))
		if got := no(1000); got != nil {
			t.Errorf("others' reservations alone refuse nobody: %+v", got)
		}
		held.Settle(time.Now(), used(10))
		if got := no(1000); got == nil || got.RetryIn != 48*time.Hour || got.Budget.Left != most(1000)-costs(10) {
			t.Errorf("the rest is too small: %+v", got)
		}
		if got := no(900); got != nil {
			t.Errorf("it fits: %+v", got)
		}
		time.Sleep(48 * time.Hour)
		if got := no(1000); got != nil {
			t.Errorf("in the new week: %+v", got)
		}
		r.Close(t.Context())
	})
}

// TestNewPeriodWakes: whoever waits for the money of others goes when the
// budget starts anew, and what ends then is booked where it began.
func TestNewPeriodWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, nil, budget.Budget{Name: "day", Limit: most(1000), Period: budget.Day})
		held, _ := reserve(r, request("amber", 1000))
		c := request("amber", 1000)
		c.Deadline = c.Deadline.Add(48 * time.Hour)
		if permit, no := reserve(r, c); permit != nil || no != nil || time.Since(c.Received) != 24*time.Hour {
			t.Fatalf("%v after %v", no, time.Since(c.Received))
		}
		permit, no := reserve(r, c)
		if no != nil {
			t.Fatal(no)
		}
		held.Settle(time.Now(), used(1000))
		permit.Settle(time.Now(), used(7))
		if got := r.Report(time.Now())[0]; got.Spent != costs(7) || got.Reserved != 0 {
			t.Errorf("%+v", got)
		}
		r.Close(t.Context())
	})
}

// TestLimitsChange: what was spent stays spent under another limit, and those
// who wait hear of a larger one.
func TestLimitsChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := budget.Budget{Name: "all", Limit: most(1000), Period: budget.Month}
		r := open(t, nil, all)
		held, _ := reserve(r, request("amber", 1000))
		woken := make(chan *call.Refusal, 1)
		c := request("amber", 1000)
		c.Deadline = c.Deadline.Add(time.Hour)
		go func() {
			_, no := reserve(r, c)
			woken <- no
		}()
		synctest.Wait()
		all.Limit *= 2
		if err := r.Configure([]budget.Budget{all}); err != nil {
			t.Fatal(err)
		}
		if no := <-woken; no != nil || time.Since(c.Received) != 0 {
			t.Error(no)
		}
		held.Settle(time.Now(), used(100))
		all.Limit = costs(100)
		if err := errors.Join(r.Configure([]budget.Budget{all}), r.Configure([]budget.Budget{all, all})); err == nil {
			t.Error("two of one name are taken")
		}
		if got := r.Report(time.Now())[0]; got.Spent != costs(100) || got.Level != "spent" {
			t.Errorf("%+v", got)
		}
		r.Close(t.Context())
	})
}

// TestCutOff: what an attempt is booked with that did not end by itself.
func TestCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, tt := range map[string]struct {
			stream bool
			took   time.Duration
			usage  call.Usage
			want   call.USD
		}{
			"nothing-known":     {false, time.Second, call.Usage{}, most(20_000)},
			"stream-at-once":    {true, 0, call.Usage{}, most(1000)},
			"stream-of-seconds": {true, 8 * time.Second, call.Usage{}, most(5000)},
			"stream-for-long":   {true, time.Hour, call.Usage{}, most(20_000)},
			"input-known":       {true, 8 * time.Second, call.Usage{Input: 64, Output: 100}, costs(5000)},
			"whole":             {false, 0, used(3), costs(3)},
			"free":              {false, 0, call.Usage{Exact: true}, 0},
			"never-answered":    {false, 0, call.Usage{Exact: true, Unsure: true}, most(20_000)},
			"dearer-model":      {false, 0, call.Usage{Exact: true, Output: 1, Model: "claude-fable-5"}, 50_000_000},
		} {
			r := open(t, nil, budget.Budget{Name: "all", Limit: 100 * call.Dollar, Period: budget.Month})
			c := request("amber", 20_000)
			c.Stream = tt.stream
			permit, _ := reserve(r, c)
			time.Sleep(tt.took)
			permit.Settle(time.Now(), tt.usage)
			permit.Release(time.Now()) // the first end counts
			if got := r.Report(time.Now())[0].Spent; got != tt.want {
				t.Errorf("%s: booked %s, want %s", name, got, tt.want)
			}
			r.Close(t.Context())
		}
	})
}

func BenchmarkCall(b *testing.B) {
	r := open(b, nil,
		budget.Budget{Name: "all", Limit: 1e6 * call.Dollar, Period: budget.Month},
		budget.Budget{Name: "each", Limit: 1e6 * call.Dollar, Period: budget.Day, Each: budget.PerTenant},
		budget.Budget{Name: "opus", Limit: 1e6 * call.Dollar, Period: budget.Week, Model: "claude-opus-*"})
	c := request("amber", 1000)
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Check(c.Received, c); err != nil {
			b.Fatal(err)
		}
		r.Tight(c.Received, c)
		permit, err := r.Reserve(b.Context(), c, call.NewPermit(&quota{}))
		if err != nil {
			b.Fatal(err)
		}
		permit.Settle(c.Received, used(10))
	}
	r.Close(b.Context())
}
