package load

import (
	"io"
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
