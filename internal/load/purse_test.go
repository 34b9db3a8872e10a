package load

import (
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
)

// 12,000 input and 1,000 output tokens of claude-sonnet-5.
const dearBody = `{"type":"message","model":"claude-sonnet-5","usage":{"input_tokens":12000,"output_tokens":1000}}`

func TestPurseStopsBeforeItCouldBeExceeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		most := call.Dollar / 2
		purse, rec := NewPurse(most), NewRecorder(0)
		var mu sync.Mutex // guards the two
		sent, highest := 0, call.USD(0)
		u := upstream(func(w http.ResponseWriter, req *http.Request) {
			mu.Lock()
			sent++
			highest = max(highest, purse.Spending().Spent)
			mu.Unlock()
			pause(req.Context(), time.Second)
			io.WriteString(w, dearBody)
		})
		w := Workload{Agents: 4, Input: Fixed(1000), MaxTokens: 2000, Duration: time.Hour, Requests: 100_000}
		if err := Run(t.Context(), Target{URL: "http://x", Transport: u, Purse: purse}, w, rec); err != nil {
			t.Fatal(err)
		}
		s := purse.Spending()
		if !s.Exhausted || s.Spent > most || highest > most || s.Spent < most/2 || s.Refused == 0 {
			t.Errorf("booked %+v, at the highest %v", s, highest)
		}
		if n := len(rec.Records()); n > sent+4 {
			t.Errorf("%d records of %d requests", n, sent)
		}
	})
}

func TestPurseBooksTheUnknownAtItsWorst(t *testing.T) {
	worst, _ := NewCounter().hold(question{model: "claude-sonnet-5", body: make([]byte, 500), maxTokens: 100})
	for name, tt := range map[string]struct {
		a    answer
		want call.USD
	}{
		"refused": {answer{status: 429, outcome: Refused}, 0},
		"broken":  {answer{outcome: Broken, err: io.ErrUnexpectedEOF}, worst},
		"partly":  {answer{status: 200, outcome: Broken, usage: call.Usage{Input: 5}}, worst},
	} {
		p := NewCounter()
		q := question{model: "claude-sonnet-5", body: make([]byte, 500), maxTokens: 100}
		held, ok := p.hold(q)
		p.settle(q, held, tt.a)
		if got := p.Spending().Spent; got != tt.want || !ok || held == 0 {
			t.Errorf("%s: booked %v, want %v", name, got, tt.want)
		}
	}
}

// Made-up text is believed to have fewer tokens than bytes, once it has shown
// so; recorded text is not.
func TestPurseLearnsHowDenseTextIs(t *testing.T) {
	answered := func(input call.Tokens) answer {
		return answer{status: 200, outcome: OK, usage: call.Usage{Input: input, Exact: true, Model: "claude-sonnet-5"}}
	}
	made := question{model: "claude-sonnet-5", body: make([]byte, 100_000), maxTokens: 100, made: true}
	recorded := made
	recorded.made = false
	p := NewCounter()
	first, _ := p.hold(made)
	p.settle(made, first, answered(20_000))
	for range learnFrom - 1 {
		worst, _ := p.hold(made)
		if worst != first {
			t.Errorf("it believed an early answer: %v, want %v", worst, first)
		}
		p.settle(made, worst, answered(25_000))
	}
	learned, _ := p.hold(made)
	other, _ := p.hold(recorded)
	if want := call.USD(37_500+overhead)*4e6 + 100*10e6; learned != want*11/10 || other != first { // written for an hour, in the US
		t.Errorf("held %v, want %v; %v of recorded text, want %v", learned, want*11/10, other, first)
	}
	p.settle(made, learned, answered(90_000))
	if broken, _ := p.hold(made); broken != first {
		t.Errorf("after an answer that broke the bound it held %v, want %v", broken, first)
	}
}

// Whatever the density within the margin, the bound holds.
func TestPurseIsNeverExceeded(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		p := NewPurse(call.Dollar)
		var under []func()
		for range 5000 {
			q := question{model: "claude-sonnet-5", body: make([]byte, 1000+rng.IntN(100_000)), maxTokens: 10 + rng.IntN(500), made: true}
			worst, ok := p.hold(q)
			if !ok {
				break
			}
			input := call.Tokens(float64(len(q.body)) * (0.25 + 0.1*rng.Float64()))
			u := call.Usage{CacheWrite: input, HourWrite: input, Output: call.Tokens(rng.IntN(q.maxTokens + 1)), Exact: true, Model: q.model}
			under = append(under, func() { p.settle(q, worst, answer{status: 200, outcome: OK, usage: u}) })
			if i := rng.IntN(len(under)); rng.IntN(3) > 0 {
				under[i]()
				under = append(under[:i], under[i+1:]...)
			}
			if s := p.Spending(); s.Spent > call.Dollar {
				t.Fatalf("seed %d: %v are booked", seed, s.Spent)
			}
		}
		for _, end := range under {
			end()
		}
		if s := p.Spending(); s.Spent > call.Dollar || !s.Exhausted {
			t.Errorf("seed %d: %+v", seed, s)
		}
	}
}
