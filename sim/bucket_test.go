package sim

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// near allows for rounding: far below anything a header shows.
func near(a, b float64) bool {
	return math.Abs(a-b) <= 1e-6*max(1, math.Abs(a), math.Abs(b))
}

func TestBucketRefillsContinuously(t *testing.T) {
	b := newBucket(600, 60, 1, 0, plan{})
	b.take(100)
	for _, step := range []struct {
		at   time.Duration
		want float64
	}{{0, 500}, {100 * time.Millisecond, 501}, {5 * time.Second, 550}, {10 * time.Second, 600}, {time.Hour, 600}} {
		b.advance(step.at)
		if !near(b.level, step.want) {
			t.Errorf("level after %v is %v, want %v", step.at, b.level, step.want)
		}
	}
	if want := 600*60.0 - 100; !near(b.overflow, want) {
		t.Errorf("overflow is %v, want %v: what refilled but for the 100 that were missing", b.overflow, want)
	}
}

func TestBucketUntilFull(t *testing.T) {
	// Recorded in 2025: 126,000 of 200,000 left, full 21 to 23 seconds later.
	b := newBucket(200_000, 60, 1, 0, plan{})
	b.take(74_000)
	if got, want := b.untilFull(), 22200*time.Millisecond; got.Round(time.Millisecond) != want {
		t.Errorf("full after %v, want %v", got, want)
	}
	b.take(200_000)
	if got, want := b.untilFull(), 82200*time.Millisecond; got.Round(time.Millisecond) != want {
		t.Errorf("a bucket in debt is full after %v, want %v: the debt counts", got, want)
	}
}

func TestFlowIsChargedAsItRuns(t *testing.T) {
	b := newBucket(6000, 60, 0.5, 0, plan{}) // refills 100/s
	b.pour(1000, 5*time.Second)              // takes 200/s
	b.advance(2 * time.Second)
	if want := 3000.0 - 2*100; !near(b.level, want) {
		t.Errorf("level while it runs is %v, want %v", b.level, want)
	}
	b.advance(20 * time.Second)
	if want := 3000.0 - 5*100 + 15*100; !near(b.level, want) {
		t.Errorf("level after its end is %v, want %v", b.level, want)
	}
	if !near(b.admitted, 1000) || b.flow != 0 {
		t.Errorf("admitted %v at a speed of %v, want 1000 and 0", b.admitted, b.flow)
	}
}

func TestFlowStopsWhenTheClientLeaves(t *testing.T) {
	b := newBucket(6000, 60, 1, 0, plan{})
	f := b.pour(1000, 10*time.Second)
	b.advance(3 * time.Second)
	b.stop(f)
	b.stop(f) // twice does no harm
	b.advance(time.Minute)
	if !near(b.admitted, 300) {
		t.Errorf("admitted %v, want 300: what was made until then", b.admitted)
	}
}

func TestOthersTakeWhatIsThereAndNoMore(t *testing.T) {
	p := plan{others: []visit{{rate: 50, begin: 10 * time.Second, on: 10 * time.Second, period: 30 * time.Second}}}
	b := newBucket(600, 60, 0, 0, p) // refills 10/s
	b.advance(10 * time.Second)
	if !near(b.level, 100) || b.others != 0 {
		t.Errorf("before they come: level %v, others %v, want 100 and 0", b.level, b.others)
	}
	b.advance(20 * time.Second)
	if !near(b.level, 0) || !near(b.others, 200) {
		t.Errorf("after their visit: level %v, others %v, want 0 and 200", b.level, b.others)
	}
	b.advance(40 * time.Second)
	if !near(b.level, 200) {
		t.Errorf("after their break: level %v, want 200", b.level)
	}
	b.advance(41 * time.Second)
	if !near(b.level, 160) {
		t.Errorf("when they are back: level %v, want 160", b.level)
	}
}

func TestLimitChanges(t *testing.T) {
	p := plan{changes: []step{{10 * time.Second, 60}, {20 * time.Second, 600}}}
	b := newBucket(600, 60, 1, 0, p)
	b.advance(10 * time.Second)
	if b.limit != 60 || !near(b.level, 60) {
		t.Errorf("lowered: limit %v, level %v, want 60 and 60", b.limit, b.level)
	}
	b.advance(26 * time.Second)
	if b.limit != 600 || !near(b.level, 120) {
		t.Errorf("raised: limit %v, level %v, want 600 and 60 + 6 s × 10/s", b.limit, b.level)
	}
	if got := p.latest(15*time.Second, 600); got != 60 {
		t.Errorf("a bucket made at 15s has limit %v, want 60", got)
	}
}

// machine drives a bucket with random charges, refunds and flows.
type machine struct {
	b     *bucket
	flows []*flow
}

func (m *machine) step(t *rapid.T) {
	m.b.advance(m.b.at + time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(t, "wait")))
	switch rapid.IntRange(0, 3).Draw(t, "action") {
	case 0:
		m.b.take(rapid.Float64Range(-100, 1000).Draw(t, "charge"))
	case 1:
		d := time.Duration(rapid.Int64Range(0, int64(30*time.Second)).Draw(t, "talk"))
		m.flows = append(m.flows, m.b.pour(rapid.Float64Range(0, 500).Draw(t, "tokens"), d))
	case 2:
		if len(m.flows) > 0 {
			m.b.stop(m.flows[rapid.IntRange(0, len(m.flows)-1).Draw(t, "flow")])
		}
	}
}

func drawPlan(t *rapid.T) plan {
	var p plan
	for range rapid.IntRange(0, 2).Draw(t, "others") {
		v := visit{
			rate:  rapid.Float64Range(0, 30).Draw(t, "rate"),
			begin: time.Duration(rapid.IntRange(0, 60).Draw(t, "begin")) * time.Second, on: forever,
		}
		if rapid.Bool().Draw(t, "periodic") {
			v.on, v.period = 7*time.Second, 20*time.Second
		}
		p.others = append(p.others, v)
	}
	return p
}

func TestBucketConservesWhatRefills(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Float64Range(60, 6000).Draw(t, "limit")
		b := newBucket(limit, 60, rapid.Float64Range(0, 1).Draw(t, "fill"), 0, drawPlan(t))
		m := machine{b: b}
		for range 40 {
			m.step(t)
			if b.level > b.capacity() {
				t.Fatalf("level %v is above the capacity %v", b.level, b.capacity())
			}
			if b.overflow < 0 || b.others < 0 || b.flow < -1e-6 {
				t.Fatalf("overflow %v, others %v and flow %v must not be negative", b.overflow, b.others, b.flow)
			}
			refilled := limit / 60 * b.at.Seconds()
			booked := b.admitted + b.others + b.overflow + b.level - b.start
			if math.Abs(refilled-booked) > 1e-6*max(1, refilled) {
				t.Fatalf("refilled %v but booked %v", refilled, booked)
			}
		}
	})
}

func TestBucketDoesNotMindHowOftenItIsLookedAt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		p.changes = []step{{30 * time.Second, 300}}
		once, often := newBucket(600, 60, 0.5, 0, p), newBucket(600, 60, 0.5, 0, p)
		for _, b := range []*bucket{once, often} {
			b.pour(400, 25*time.Second)
			b.take(100)
		}
		end := time.Duration(rapid.IntRange(1, 120).Draw(t, "end")) * time.Second
		once.advance(end)
		for often.at < end {
			often.advance(min(end, often.at+time.Duration(rapid.IntRange(1, 9000).Draw(t, "step"))*time.Millisecond))
		}
		if !near(once.level, often.level) || !near(once.admitted, often.admitted) || !near(once.others, often.others) {
			t.Fatalf("level %v, admitted %v, others %v in one step, but %v, %v and %v in many",
				once.level, once.admitted, once.others, often.level, often.admitted, often.others)
		}
	})
}

func TestWaitForIsWhenItFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBucket(600, 60, 0, 0, plan{})
		for range rapid.IntRange(0, 5).Draw(t, "flows") {
			b.pour(rapid.Float64Range(1, 200).Draw(t, "n"), time.Duration(rapid.IntRange(1, 20000).Draw(t, "ms"))*time.Millisecond)
		}
		need := rapid.Float64Range(1, 590).Draw(t, "need")
		wait := b.waitFor(need)
		b.advance(wait + time.Microsecond)
		if b.level < need-1e-3 {
			t.Fatalf("after waiting %v the level is %v, want %v", wait, b.level, need)
		}
	})
}
