package warn_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/warn"
)

var start = time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)

// level is a reading of one bucket with so many percent left.
func level(percent float64, emptyIn ...float64) warn.Reading {
	b := call.BucketReport{
		Organization: "org", Group: "sonnet", Limiter: "input_tokens", Limit: 100_000, Remaining: int64(percent * 1000),
	}
	if len(emptyIn) > 0 {
		b.EmptyIn = &emptyIn[0]
	}
	return warn.Reading{Quota: call.QuotaReport{Buckets: []call.BucketReport{b}}}
}

func rules(t testing.TB, r warn.Rules) warn.Rules {
	t.Helper()
	r, err := r.Complete()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// diary feeds a watch once a second and writes down what it says.
type diary struct {
	watch warn.Watch
	rules warn.Rules
	now   time.Time
	lines []string
}

func newDiary(t testing.TB, r warn.Rules) *diary {
	return &diary{rules: rules(t, r), now: start}
}

// feed repeats one reading for so many seconds.
func (d *diary) feed(seconds int, in warn.Reading) {
	for range seconds {
		raised, cleared := d.watch.Feed(d.now, d.rules, in)
		at := d.now.Sub(start)
		for _, w := range raised {
			d.lines = append(d.lines, fmt.Sprintf("%v %s %s %d", at, w.Kind, w.Level, w.Threshold))
		}
		for _, w := range cleared {
			d.lines = append(d.lines, fmt.Sprintf("%v over %s %s", at, w.Kind, w.Level))
		}
		d.now = d.now.Add(time.Second)
	}
}

// TestBuckets: what a person hears of one bucket.
func TestBuckets(t *testing.T) {
	for name, tc := range map[string]struct {
		tell func(d *diary)
		want []string
	}{
		"falls-and-recovers": {func(d *diary) {
			d.feed(10, level(50))
			d.feed(10, level(19))
			d.feed(10, level(9))
			d.feed(10, level(4))
			d.feed(90, level(60))
		}, []string{"10s quota_low notice 20", "20s quota_low warning 10", "30s quota_low critical 5", "1m40s over quota_low critical"}},
		"falls-at-once": {func(d *diary) {
			d.feed(2, level(90))
			d.feed(2, level(0))
		}, []string{"2s quota_low critical 5"}},
		"saturated-on-purpose": {func(d *diary) { // the safety stock is 5-10 %
			for i := range 3600 {
				d.feed(1, level([]float64{9, 6, 4.9, 7, 12, 3, 8, 14}[i%8]))
			}
		}, []string{"0s quota_low warning 10", "2s quota_low critical 5"}},
		"large-requests-swing": {func(d *diary) { // half a bucket each, in turn
			for range 20 {
				d.feed(1, level(8))
				for left := 8.0; left < 58; left += 100.0 / 60 {
					d.feed(1, level(left))
				}
			}
		}, []string{"0s quota_low warning 10"}},
		"not-quite-over": {func(d *diary) {
			d.feed(1, level(19))
			d.feed(59, level(26))
			d.feed(1, level(24))
			d.feed(59, level(26))
		}, []string{"0s quota_low notice 20"}},
		"eases-without-a-word": {func(d *diary) {
			d.feed(1, level(4))
			d.feed(120, level(18)) // below 20, well above 10
			d.feed(1, level(9))    // people know worse of it already
		}, []string{"0s quota_low critical 5"}},
		"forecast": {func(d *diary) {
			d.feed(10, level(80, 40))
			d.feed(100, level(80))
		}, []string{"5s quota_forecast warning 0", "1m10s over quota_forecast warning"}},
		"one-large-request-is-no-forecast": {func(d *diary) {
			for range 20 {
				d.feed(4, level(70, 50))
				d.feed(10, level(75))
			}
		}, nil},
		"forecast-comes-true": {func(d *diary) {
			for left := 60.0; left > 0; left -= 1 {
				d.feed(1, level(left, left))
			}
			d.feed(61, level(100))
		}, []string{"6s quota_forecast warning 0", "55s quota_low critical 5", "2m0s over quota_low critical"}},
		"bucket-goes-away": {func(d *diary) {
			d.feed(1, level(1))
			d.feed(61, warn.Reading{})
		}, []string{"0s quota_low critical 5", "1m1s over quota_low critical"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDiary(t, warn.Rules{})
			tc.tell(d)
			if !slices.Equal(d.lines, tc.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(d.lines, "\n"), strings.Join(tc.want, "\n"))
			}
		})
	}
}

// TestLevelsNeverFlap: a level that wavers around a threshold by less than the
// margin is told of once, and whatever a level does, a minute brings no more
// than one change for each threshold, one for the forecast and one end.
func TestLevelsNeverFlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.SampledFrom([]float64{20, 10, 5}).Draw(t, "threshold")
		d := &diary{now: start}
		d.rules, _ = warn.Rules{Thresholds: []int{int(at)}}.Complete()
		d.feed(1, level(at))
		for _, off := range rapid.SliceOfN(rapid.Float64Range(-4.9, 4.9), 1, 300).Draw(t, "offsets") {
			d.feed(1, level(max(0, at+off)))
		}
		if len(d.lines) != 1 {
			t.Fatalf("%d changes: %v", len(d.lines), d.lines)
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		d := &diary{now: start}
		d.rules, _ = warn.Rules{}.Complete()
		n := 0
		for range rapid.IntRange(1, 5).Draw(t, "minutes") {
			for _, left := range rapid.SliceOfN(rapid.Float64Range(0, 100), 60, 60).Draw(t, "levels") {
				d.feed(1, level(left, rapid.SampledFrom([]float64{1, 50, 80, 1000}).Draw(t, "empty")))
			}
			if more := len(d.lines) - n; more > 5 {
				t.Fatalf("%d changes in a minute: %v", more, d.lines[n:])
			}
			n = len(d.lines)
		}
	})
}

// blocked is a reading of keys that cannot pay.
func blocked(keys ...call.KeyReport) warn.Reading {
	for i := range keys {
		keys[i].State = "blocked"
	}
	return warn.Reading{Quota: call.QuotaReport{Keys: keys}}
}

func breaker(state string) warn.Reading {
	return warn.Reading{Protection: call.ProtectionReport{Breakers: []call.BreakerReport{{Scope: "api/m", State: state, Cause: "slow"}}}}
}

func spent(share float64) warn.Reading {
	return warn.Reading{Budgets: []warn.Budget{{Name: "month", Subject: "amber", Spent: share * 50, Limit: 50, Until: start.Add(time.Hour)}}}
}

func TestOtherMatters(t *testing.T) {
	for name, tc := range map[string]struct {
		tell func(d *diary)
		want []string
	}{
		"organization-blocked": {func(d *diary) { // two keys, one matter
			d.feed(20, blocked(
				call.KeyReport{Name: "a", Organization: "org", Reason: "spend_cap", Block: "spend_cap"},
				call.KeyReport{Name: "b", Organization: "org", Reason: "spend_cap", Block: "spend_cap"}))
			d.feed(20, warn.Reading{})
		}, []string{"0s account_blocked critical 0", "35s over account_blocked critical"}},
		"two-workspaces": {func(d *diary) {
			d.feed(20, blocked(
				call.KeyReport{Name: "a", Organization: "org", Reason: "own_limit", Block: "workspace_limit"},
				call.KeyReport{Name: "b", Organization: "org", Reason: "own_limit", Block: "workspace_limit"}))
		}, []string{"0s account_blocked critical 0", "0s account_blocked critical 0"}},
		"block-wavers": {func(d *diary) {
			for range 50 {
				d.feed(3, blocked(call.KeyReport{Name: "a", Reason: "no_credit"}))
				d.feed(3, warn.Reading{})
			}
		}, []string{"0s account_blocked critical 0"}},
		"bad-key": {func(d *diary) {
			d.feed(3, blocked(call.KeyReport{Name: "a", Reason: "bad_key", Block: "bad_key"}))
		}, []string{"0s key_refused critical 0"}},
		"breaker": {func(d *diary) { // probing is neither better nor worse
			d.feed(10, breaker("half_open"))
			d.feed(10, breaker("open"))
			d.feed(60, breaker("half_open"))
			d.feed(10, breaker("open"))
			d.feed(20, breaker("closed"))
		}, []string{"10s breaker_open critical 0", "1m45s over breaker_open critical"}},
		"budget": {func(d *diary) {
			d.feed(5, spent(0.7))
			d.feed(5, spent(0.81))
			d.feed(30, spent(0.77)) // a reservation came back
			d.feed(5, spent(1))
			d.feed(5, spent(0.97))
			d.feed(5, spent(1.01))
			d.feed(20, spent(0.01)) // it has started anew
		}, []string{"5s budget_low warning 80", "40s budget_low critical 80", "1m10s over budget_low critical"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDiary(t, warn.Rules{})
			tc.tell(d)
			if !slices.Equal(d.lines, tc.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(d.lines, "\n"), strings.Join(tc.want, "\n"))
			}
		})
	}
}

func TestActiveAreTheWorstFirst(t *testing.T) {
	d := newDiary(t, warn.Rules{})
	in := level(15, 30)
	in.Protection = breaker("open").Protection
	in.Quota.Keys = blocked(call.KeyReport{Name: "a", Reason: "no_credit"}).Quota.Keys
	d.feed(10, in)
	var got []string
	for _, w := range d.watch.Active() {
		got = append(got, w.ID)
	}
	want := []string{"account_blocked/a", "breaker_open/api/m", "quota/org//sonnet/input_tokens"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if w := d.watch.Active()[2]; w.Kind != call.QuotaLow || w.Level != call.Urgent || *w.Left != 0.15 || *w.EmptyIn != 30 || w.Since != start {
		t.Errorf("got %+v", w)
	}
}

func TestRulesMayChange(t *testing.T) {
	d := newDiary(t, warn.Rules{})
	d.feed(5, level(4))
	d.rules = rules(t, warn.Rules{Thresholds: []int{3}, Budget: -1})
	d.feed(90, level(9))
	d.rules = rules(t, warn.Rules{Thresholds: []int{}, Forecast: -1})
	d.feed(90, level(1, 1))
	want := []string{"0s quota_low critical 5", "1m5s over quota_low critical"}
	if !slices.Equal(d.lines, want) {
		t.Errorf("got %v, want %v", d.lines, want)
	}
	for _, bad := range []warn.Rules{{Thresholds: []int{0}}, {Thresholds: []int{91}}, {Budget: 101}} {
		if _, err := bad.Complete(); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

func TestBounded(t *testing.T) {
	var in warn.Reading
	for i := range 2 * warn.MaxActive {
		in.Quota.Keys = append(in.Quota.Keys, call.KeyReport{Name: fmt.Sprint(i), State: "blocked", Reason: "no_credit"})
	}
	d := newDiary(t, warn.Rules{})
	d.feed(5, in)
	if n := len(d.watch.Active()); n != warn.MaxActive || d.watch.Missed() != warn.MaxActive {
		t.Errorf("%d are active and %d missed, want %d each", n, d.watch.Missed(), warn.MaxActive)
	}
	d.feed(20, warn.Reading{})
	if n := len(d.watch.Active()); n != 0 || d.watch.Missed() != 0 {
		t.Errorf("%d are active and %d missed at the end", n, d.watch.Missed())
	}
}

// BenchmarkFeed is one look at 200 buckets, all of them low.
func BenchmarkFeed(b *testing.B) {
	var in warn.Reading
	for i := range 200 {
		in.Quota.Buckets = append(in.Quota.Buckets, call.BucketReport{
			Organization: "org", Group: fmt.Sprint("group-", i/3), Limiter: []string{"requests", "input_tokens", "output_tokens"}[i%3],
			Limit: 1000, Remaining: int64(i % 100),
		})
	}
	r, now := rules(b, warn.Rules{}), start
	var w warn.Watch
	for b.Loop() {
		now = now.Add(time.Second)
		w.Feed(now, r, in)
		w.Active()
	}
}
