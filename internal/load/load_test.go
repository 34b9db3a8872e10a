package load

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
)

const okBody = `{"type":"message","usage":{"input_tokens":100,"cache_creation_input_tokens":20,` +
	`"cache_read_input_tokens":900,"output_tokens":50}}`

// upstream answers in the process, without a socket.
type upstream http.HandlerFunc

func (u upstream) RoundTrip(req *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	u(rec, req)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	return rec.Result(), nil
}

// answering takes latency to say yes.
func answering(latency time.Duration) upstream {
	return func(w http.ResponseWriter, req *http.Request) {
		if pause(req.Context(), latency) {
			io.WriteString(w, okBody)
		}
	}
}

func run(t *testing.T, u upstream, w Workload) Report {
	t.Helper()
	rec, began := NewRecorder(0), time.Now()
	if err := Run(t.Context(), Target{URL: "http://x", Transport: u}, w, rec); err != nil {
		t.Fatal(err)
	}
	if n := rec.InFlight(); n != 0 {
		t.Errorf("%d requests under way after the run", n)
	}
	return rec.Report(began, time.Now().Add(time.Nanosecond), nil)
}

func TestClosedLoopKeepsItsPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := Workload{Agents: 12, Pace: 3 * time.Second, Stagger: 3 * time.Second, Duration: 10 * time.Minute, Input: Fixed(50)}
		rep := run(t, answering(time.Second), w)
		if want := 12 * 600 / 3; math.Abs(float64(rep.OK-want)) > 0.04*float64(want) {
			t.Errorf("answered %d, want about %d", rep.OK, want)
		}
		if rep.Asked != rep.OK || rep.Cut == 0 {
			t.Errorf("asked %d, answered %d, cut %d", rep.Asked, rep.OK, rep.Cut)
		}
		if rep.InputTokens != call.Tokens(120*rep.OK) || rep.CachedTokens != call.Tokens(900*rep.OK) {
			t.Errorf("tokens: %d charged, %d cached", rep.InputTokens, rep.CachedTokens)
		}
	})
}

func TestOpenLoopKeepsItsRateAndItsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rep := run(t, answering(100*time.Millisecond), Workload{Rate: 20, Duration: 5 * time.Minute, Input: Fixed(50)})
		if math.Abs(rep.PerSecond-20) > 1 || rep.Dropped != 0 {
			t.Errorf("%.1f a second, dropped %d", rep.PerSecond, rep.Dropped)
		}
		rep = run(t, answering(time.Second), Workload{Rate: 20, MaxInFlight: 5, Duration: time.Minute, Input: Fixed(50)})
		if rep.PerSecond > 5 || rep.Dropped < 600 {
			t.Errorf("with five slots: %.1f a second, dropped %d", rep.PerSecond, rep.Dropped)
		}
	})
}

func TestRunIsTheSameForTheSameSeed(t *testing.T) {
	bodies := func(seed uint64) []string {
		var mu sync.Mutex
		var out []string
		u := upstream(func(w http.ResponseWriter, req *http.Request) {
			body, _ := io.ReadAll(req.Body)
			mu.Lock()
			out = append(out, string(body)+req.Header.Get("x-sim-output-tokens"))
			mu.Unlock()
			io.WriteString(w, okBody)
		})
		run(t, u, Workload{Seed: seed, Requests: 20, Input: Uniform(10, 4000), Output: Uniform(1, 99), StreamShare: 0.5})
		return out
	}
	one, two, other := bodies(1), bodies(1), bodies(2)
	if len(one) != 20 || !slices.Equal(one, two) {
		t.Errorf("two runs of one seed differ (%d requests)", len(one))
	}
	if slices.Equal(one, other) {
		t.Error("two seeds give the same run")
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		enough := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(5*time.Second, func() { cancel(enough) })
		rec, began := NewRecorder(0), time.Now()
		err := Run(ctx, Target{URL: "http://x", Transport: answering(time.Hour)}, Workload{Agents: 3}, rec)
		if !errors.Is(err, enough) || time.Since(began) != 5*time.Second {
			t.Errorf("ended after %v with %v", time.Since(began), err)
		}
		for _, r := range rec.Records() {
			if r.Outcome != Cut {
				t.Errorf("a request that was under way is recorded as %v", r.Outcome)
			}
		}
	})
}

func TestRequestCarriesWhatSteersTheOtherSide(t *testing.T) {
	var got http.Header
	var body string
	u := upstream(func(w http.ResponseWriter, req *http.Request) {
		got = req.Header
		b, _ := io.ReadAll(req.Body)
		body = string(b)
		io.WriteString(w, okBody)
	})
	run(t, u, Workload{
		Requests: 1, Input: Fixed(1000), Output: Fixed(77), CachedShare: 0.9, StreamShare: 1,
		Tenants: []Tenant{{Name: "blue", Class: "batch"}}, Timeout: 90 * time.Second,
	})
	for name, want := range map[string]string{
		"weir-tenant": "blue", "weir-class": "batch", "x-sim-output-tokens": "77",
		"x-stainless-timeout": "90", "x-stainless-retry-count": "0",
	} {
		if got.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Get(name), want)
		}
	}
	for _, want := range []string{`"cache_control":{"type":"ephemeral"}`, `"stream":true`, `"user_id":"blue"`} {
		if !strings.Contains(body, want) {
			t.Errorf("body lacks %s", want)
		}
	}
	if n := len(body); math.Abs(float64(n)-3700) > 300 {
		t.Errorf("body of %d bytes, want about 3700", n)
	}
}

func TestAgentsAreDealtOutByWeight(t *testing.T) {
	count := map[string]int{}
	for _, owner := range assign(14, []Tenant{{Name: "a", Weight: 1}, {Name: "b", Weight: 2}, {Name: "c", Weight: 4}}) {
		count[owner.Name]++
	}
	if count["a"] != 2 || count["b"] != 4 || count["c"] != 8 {
		t.Errorf("dealt out %v, want 2, 4 and 8", count)
	}
}

func TestValidateNamesEveryFault(t *testing.T) {
	err := Workload{
		Agents: -1, CachedShare: 1, Input: Uniform(9, 3), Output: Lognormal(0, 9, 1),
		Tenants: []Tenant{{Class: "urgent"}}, Pace: -1,
	}.Validate()
	if err == nil {
		t.Fatal("no fault found")
	}
	for _, want := range []string{"agents", "cached_share", "input: min 9", "output: median", "urgent", "a duration"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not speak of %s:\n%v", want, err)
		}
	}
}

func TestPaceForAsksForTheGivenTimes(t *testing.T) {
	w := Workload{Agents: 12, CachedShare: 0.5} // 8,000 tokens, half of them charged
	if got := w.PaceFor(3, 600_000); got != 1600*time.Millisecond {
		t.Errorf("pace %v, want 1.6s: 12 agents x 4,000 tokens / 30,000 a second", got)
	}
}
