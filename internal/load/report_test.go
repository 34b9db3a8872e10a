package load

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
)

func TestReport(t *testing.T) {
	rec, at := NewRecorder(0), time.Unix(1000, 0)
	for i := range 100 { // sizes 0..99, every tenth of the large half refused
		r := Record{
			Tenant: []string{"a", "b"}[i%2], Size: call.Tokens(i), Start: at, Took: time.Second,
			Wait: time.Duration(i) * time.Second, Attempts: 1, Status: 200,
			Usage: call.Usage{Input: 10, Output: 5},
		}
		if i >= 50 && i%10 == 0 {
			r.Outcome, r.Status, r.Err, r.Usage = Refused, 429, "slow down", call.Usage{}
		}
		rec.begin()
		rec.end(r)
	}
	for _, o := range []Record{
		{Start: at, Took: time.Second, Outcome: Cut},
		{Start: at.Add(time.Hour), Took: time.Second},
	} {
		rec.begin()
		rec.end(o)
	}
	rep := rec.Report(at, at.Add(10*time.Second), nil)
	if rep.Asked != 100 || rep.OK != 95 || rep.RateLimited != 5 || rep.Cut != 1 || rep.PerSecond != 9.5 {
		t.Errorf("asked %d, ok %d, 429 %d, cut %d, %.1f/s", rep.Asked, rep.OK, rep.RateLimited, rep.Cut, rep.PerSecond)
	}
	if rep.InputTokens != 950 || rep.OutputTokens != 475 {
		t.Errorf("tokens %d in, %d out", rep.InputTokens, rep.OutputTokens)
	}
	if n := len(rep.BySize); n != 10 || rep.BySize[0].Success != 1 || rep.BySize[9].Success != 0.9 || rep.BySize[9].Low != 90 {
		t.Errorf("by size: %+v", rep.BySize)
	}
	if rep.Wait.Max != 99 || math.Abs(rep.Wait.P50-48) > 1 || rep.Wait.P99 != 99 {
		t.Errorf("wait: %+v", rep.Wait)
	}
	if len(rep.ByTenant) != 2 || rep.ByTenant[0].OK != 45 || rep.ByTenant[1].OK != 50 {
		t.Errorf("by tenant: %+v", rep.ByTenant)
	}
	if len(rep.Errors) != 1 || rep.Errors[0] != (Count{"slow down", 5}) {
		t.Errorf("errors: %+v", rep.Errors)
	}
}

func TestJain(t *testing.T) {
	parts := []Slice{{Name: "a", Tokens: 100}, {Name: "b", Tokens: 200}, {Name: "c", Tokens: 400}}
	if got := jain(parts, map[string]float64{"a": 1, "b": 2, "c": 4}); got != 1 {
		t.Errorf("by weight: %v, want 1", got)
	}
	if got := jain(parts, nil); math.Abs(got-700.*700/3/210000) > 1e-9 {
		t.Errorf("unweighted: %v", got)
	}
	if got := jain(nil, nil); got != 1 {
		t.Errorf("of nobody: %v", got)
	}
}

func TestRecorderForgetsTheOldest(t *testing.T) {
	rec := NewRecorder(3)
	for i := range 5 {
		rec.begin()
		rec.end(Record{Agent: i})
	}
	got := rec.Records()
	if len(got) != 3 || got[0].Agent != 2 || got[2].Agent != 4 || rec.Report(time.Time{}, time.Now(), nil).Lost != 2 {
		t.Errorf("kept %+v", got)
	}
}

func TestSizes(t *testing.T) {
	for name, s := range map[string]Size{
		"fixed": Fixed(500), "uniform": Uniform(2000, 14000), "lognormal": Lognormal(1000, 50_000, 1.2),
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 1))
			var sum float64
			for range 200_000 {
				n := s.Draw(rng)
				if n < s.Min || n > s.Max {
					t.Fatalf("drew %d from %+v", n, s)
				}
				sum += float64(n)
			}
			if got := sum / 200_000; math.Abs(got/s.Mean()-1) > 0.02 {
				t.Errorf("mean of draws %.0f, Mean %.0f", got, s.Mean())
			}
		})
	}
}

func TestProse(t *testing.T) {
	p, rng := NewProse(7), rand.New(rand.NewPCG(1, 1))
	for _, n := range []call.Tokens{0, 1, 500, 14_000, 100_000} {
		if got, want := len(p.Passage(rng, n)), max(int(float64(n)*CharsPerToken), 1); got != want {
			t.Errorf("%d tokens make %d bytes, want %d", n, got, want)
		}
	}
	if p.Opening(99) != NewProse(7).Opening(99) || p.Opening(99) == NewProse(8).Opening(99) {
		t.Error("the opening does not follow the seed alone")
	}
}
