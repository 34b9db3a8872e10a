package admit_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/admit"
	"github.com/weir-gateway/weir/internal/quota"
)

// desk is a room whose organization is known: 60 requests, 60k input and 60k
// output tokens per minute, with the given share left.
type desk struct {
	*admit.Room
	seq uint64
}

func open(t *testing.T, cfg admit.Config, share float64) *desk {
	t.Helper()
	d := &desk{Room: admit.New(cfg, quota.BuiltinGroups())}
	p, err := d.Admit(t.Context(), d.call(1, time.Second), "key-a")
	if err != nil {
		t.Fatal(err)
	}
	p.Observe(time.Now(), header("org", share))
	p.Settle(time.Now(), call.Usage{Input: 1, Output: 1, Exact: true})
	return d
}

func header(organization string, share float64) call.Limits {
	l := call.Limits{Organization: organization}
	for i, limit := range [...]float64{60, 60_000, 60_000} {
		l.Bucket[i] = call.Reading{Known: true, Limit: limit, Remaining: math.Round(share * limit)}
	}
	return l
}

func (d *desk) call(input call.Tokens, patience time.Duration) *call.Call {
	d.seq++
	now := time.Now()
	return &call.Call{
		Seq: d.seq, Model: "m", Received: now, Deadline: now.Add(patience), Body: make([]byte, 100),
		Estimate: call.Estimate{Input: input}, Stream: true,
	}
}

func refusal(t *testing.T, err error, want call.Reason) *call.Refusal {
	t.Helper()
	r, ok := errors.AsType[*call.Refusal](err)
	if !ok || r.Reason != want {
		t.Fatalf("got %v, want %v", err, want)
	}
	return r
}

func TestFirstComeFirstServedAtTheRightTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, admit.Config{}, 0.5)
		began := time.Now()
		var (
			mu    sync.Mutex
			order []string
			wg    sync.WaitGroup
		)
		for i := range 3 {
			c := d.call(24_000, time.Hour)
			wg.Go(func() {
				p, err := d.Admit(t.Context(), c, "key-a")
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				order = append(order, fmt.Sprintf("%d after %.0fs", i, time.Since(began).Seconds()))
				mu.Unlock()
				p.Settle(time.Now(), call.Usage{Input: 24_000, Exact: true})
			})
			synctest.Wait()
		}
		wg.Wait()
		// 30k are there, 6k are stock, and about 1k is the belief's own error:
		// each later call waits for the 1k per second of the refill.
		want := []string{"0 after", "1 after", "2 after"}
		for i := range want {
			if len(order) != 3 || order[i][:7] != want[i] {
				t.Fatalf("order %v", order)
			}
		}
		if took := time.Since(began); took < 48*time.Second || took > 54*time.Second {
			t.Errorf("three calls of 24k took %v", took)
		}
	})
}

func TestLeavingFreesThePlaceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, admit.Config{}, 0.5)
		ctx, cancel := context.WithCancel(t.Context())
		head, second := d.call(50_000, time.Hour), d.call(10_000, time.Hour)
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := d.Admit(ctx, head, "key-a")
			refusal(t, err, call.ClientGone)
		})
		synctest.Wait()
		wg.Go(func() {
			p, err := d.Admit(t.Context(), second, "key-a")
			if err != nil {
				t.Error(err)
				return
			}
			p.Release(time.Now())
		})
		synctest.Wait()
		if got := d.Queue(time.Now()).Waiting; got != 2 {
			t.Fatalf("%d wait: the large head must not be overtaken", got)
		}
		began := time.Now()
		cancel()
		wg.Wait()
		if took := time.Since(began); took != 0 {
			t.Errorf("the second went %v after the head had left", took)
		}
	})
}

func TestRefusedAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, admit.Config{}, 0)
		began := time.Now()
		_, err := d.Admit(t.Context(), d.call(30_000, 10*time.Second), "key-a")
		r := refusal(t, err, call.TimedOut)
		if time.Since(began) != 10*time.Second || r.Waited != 10*time.Second {
			t.Errorf("refused after %v, says %v", time.Since(began), r.Waited)
		}
		// 36k are needed with the stock; 10k have come.
		if r.Limiter != call.InputTokens || r.RetryIn < 20*time.Second || r.RetryIn > 60*time.Second {
			t.Errorf("says %v, come back in %v", r.Limiter, r.RetryIn)
		}
		time.Sleep(r.RetryIn)
		p, err := d.Admit(t.Context(), d.call(30_000, 0), "key-a")
		if err != nil {
			t.Fatalf("came back when told, and got %v", err)
		}
		p.Release(time.Now())
	})
}

func TestPositionAndETA(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, admit.Config{}, 0)
		began := time.Now()
		var wg sync.WaitGroup
		went := make([]time.Duration, 3)
		for i := range 3 {
			c := d.call(10_000, time.Hour)
			c.ID = fmt.Sprint("call-", i)
			wg.Go(func() {
				p, err := d.Admit(t.Context(), c, "key-a")
				if err != nil {
					t.Error(err)
					return
				}
				went[i] = time.Since(began)
				p.Settle(time.Now(), call.Usage{Input: 10_000, Output: 1, Exact: true})
			})
			synctest.Wait()
		}
		foretold := make([]float64, 3)
		for i := range 3 {
			w, ok := d.Waiting(time.Now(), fmt.Sprint("call-", i))
			if !ok || w.Position != i+1 || w.ETA == nil {
				t.Fatalf("call %d: %+v, %v", i, w, ok)
			}
			foretold[i] = *w.ETA
		}
		if next := d.Queue(time.Now()).Lanes[0].Next; len(next) != 3 || next[0].ID != "call-0" {
			t.Errorf("next: %+v", next)
		}
		lane := d.Queue(time.Now()).Lanes[0]
		if n := len(lane.Tenants); n != 1 || lane.Tenants[0].Waiting != 3 || lane.Tenants[0].Position != 1 || *lane.Tenants[0].LastETA != *lane.Next[2].ETA {
			t.Errorf("tenants: %+v", lane.Tenants)
		}
		wg.Wait()
		for i := range 3 {
			if off := math.Abs(went[i].Seconds() - foretold[i]); off > 3 {
				t.Errorf("call %d went after %v, foretold were %.1f s", i, went[i], foretold[i])
			}
		}
		if _, ok := d.Waiting(time.Now(), "call-0"); ok {
			t.Error("nobody waits any more")
		}
	})
}

func TestBounds(t *testing.T) {
	for name, cfg := range map[string]admit.Config{"count": {MaxWaiting: 2}, "bytes": {MaxBytes: 250}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := open(t, cfg, 0)
				var wg sync.WaitGroup
				for range 2 {
					c := d.call(1000, time.Minute)
					wg.Go(func() {
						p, err := d.Admit(t.Context(), c, "key-a")
						if err != nil {
							t.Error(err)
							return
						}
						p.Release(time.Now())
					})
				}
				synctest.Wait()
				_, err := d.Admit(t.Context(), d.call(1000, time.Minute), "key-a")
				if r := refusal(t, err, call.QueueFull); r.RetryIn <= 0 {
					t.Error("no time to come back")
				}
				wg.Wait()
				if left := d.Queue(time.Now()); left.Waiting != 0 || left.Bytes != 0 {
					t.Errorf("left behind: %+v", left)
				}
			})
		})
	}
}

func TestNeverFits(t *testing.T) {
	d := open(t, admit.Config{}, 1)
	_, err := d.Admit(t.Context(), d.call(100_000, time.Hour), "key-a")
	if r := refusal(t, err, call.TooLarge); r.Need != 100_000 || r.Limit != 60_000 {
		t.Errorf("says %d of %d", r.Need, r.Limit)
	}
}

func TestTwoKeysOfOneOrganizationShareItsQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, admit.Config{}, 1)
		// Another key, of which nothing is known: one call probes, one waits.
		probe, err := d.Admit(t.Context(), d.call(20_000, time.Minute), "key-b")
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		c := d.call(20_000, time.Minute)
		wg.Go(func() {
			p, err := d.Admit(t.Context(), c, "key-b")
			if err != nil {
				t.Error(err)
				return
			}
			p.Settle(time.Now(), call.Usage{Input: 20_000, Exact: true})
		})
		synctest.Wait()
		if got := len(d.Queue(time.Now()).Lanes); got != 2 {
			t.Fatalf("%d lanes before the organization is known", got)
		}
		probe.Observe(time.Now(), header("org", 0.6))
		probe.Settle(time.Now(), call.Usage{Input: 20_000, Exact: true})
		wg.Wait()
		report := d.Quota(time.Now())
		if len(report) != 3 || report[0].Organization != "org" {
			t.Fatalf("got %+v, want the three buckets of one organization", report)
		}
		if report[1].Remaining > 21_000 {
			t.Errorf("%d left: both keys' calls must be charged to it", report[1].Remaining)
		}
		if q := d.Queue(time.Now()); q.Waiting != 0 || q.Lanes[0].InFlight != 0 {
			t.Errorf("left behind: %+v", q)
		}
	})
}

func TestComesBackToTheHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, admit.Config{}, 0.5)
		first := d.call(10_000, time.Hour)
		p, err := d.Admit(t.Context(), first, "key-a")
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		order := make(chan string, 2)
		enter := func(name string, c *call.Call) {
			wg.Go(func() {
				p, err := d.Admit(t.Context(), c, "key-a")
				if err != nil {
					t.Error(err)
					return
				}
				order <- name
				p.Settle(time.Now(), call.Usage{Input: 10_000, Exact: true})
			})
			synctest.Wait()
		}
		enter("second", d.call(30_000, time.Hour))
		p.Reject(time.Now(), call.Limits{}, call.Verdict{Kind: call.RateLimited, Named: true, Limiter: call.InputTokens, RetryAfter: 5 * time.Second})
		first.Attempts = 1 // as the corridor counts
		enter("first", first)
		wg.Wait()
		if got := <-order; got != "first" {
			t.Errorf("%s went first: the rejected call was there before", got)
		}
	})
}

// TestEverybodyIsAnswered lets many callers come, wait and leave at random:
// each gets exactly one answer, and nothing is left behind.
func TestEverybodyIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, admit.Config{}, 0.5)
		var wg sync.WaitGroup
		for i := range 500 {
			c := d.call(call.Tokens(100+i%700), time.Duration(1+i%90)*time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+(i*7)%120)*time.Second)
			wg.Go(func() {
				defer cancel()
				p, err := d.Admit(ctx, c, fmt.Sprintf("key-%c", 'a'+i%3))
				if err != nil {
					return
				}
				time.Sleep(time.Duration(i%5) * time.Second)
				p.Observe(time.Now(), header("org", 0.3))
				p.Settle(time.Now(), call.Usage{Input: c.Estimate.Input, Output: 50, Exact: true})
			})
		}
		wg.Wait()
		q := d.Queue(time.Now())
		if q.Waiting != 0 || q.Bytes != 0 {
			t.Errorf("left behind: %+v", q)
		}
		for _, ln := range q.Lanes {
			if ln.InFlight != 0 {
				t.Errorf("still in flight: %+v", ln)
			}
		}
	})
}

func TestPoolsAreApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, admit.Config{}, 0) // the model's buckets are empty
		for _, pool := range []string{call.PoolCountTokens, call.PoolBatches, call.PoolFiles, call.PoolFast} {
			c := d.call(30_000, 0)
			c.Pool = pool
			p, err := d.Admit(t.Context(), c, "key-a")
			if err != nil {
				t.Errorf("%s: %v", pool, err)
				continue
			}
			p.Release(time.Now())
		}
		if got := len(d.Queue(time.Now()).Lanes); got != 5 {
			t.Errorf("%d lanes, want the model's and four more", got)
		}
	})
}
