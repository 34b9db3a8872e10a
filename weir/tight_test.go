package weir_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// The phases of TestTightQuota: plenty, a fifth of it, plenty again.
const (
	tightFrom  = 5 * time.Minute
	tightUntil = 15 * time.Minute
	tightEnd   = 20 * time.Minute
)

// observed is one call of TestTightQuota as its client saw it.
type observed struct {
	at     time.Duration // when it began
	first  time.Duration // until its first content
	status int
	mark   string
}

// TestTightQuota takes four fifths of the quota away for ten minutes. All
// interactive calls succeed, with first tokens that take no more than twice as
// long as before, then and after it, while those of class batch are made simpler
// or refused. When the quota is back, the ladder is climbed within 30 s, and no
// rung has changed more than twice in any minute.
func TestTightQuota(t *testing.T) {
	atFullSize(t)
	synctest.Test(t, func(t *testing.T) {
		scenario, err := sim.ParseScenario("t.yaml", fmt.Appendf(nil, `quota:
  limits: {requests: 1000, input_tokens: 300000, output_tokens: 60000}
  changes:
    - {at: %v, limits: {requests: 200, input_tokens: 60000, output_tokens: 12000}}
    - {at: %v, limits: {requests: 1000, input_tokens: 300000, output_tokens: 60000}}
`, tightFrom, tightUntil))
		if err != nil {
			t.Fatal(err)
		}
		api, err := sim.New(sim.Config{Scenario: scenario, Seed: 1, Timing: sim.Timing{
			TTFT: 500 * time.Millisecond, TokensPerSecond: 100, Output: sim.Output{Median: 150, Sigma: 0.3},
		}})
		if err != nil {
			t.Fatal(err)
		}
		low := []call.Class{call.Batch}
		b := newLodge(t, api, weir.WithLadder(weir.Ladder{Rungs: []weir.Rung{
			{Do: call.Rung{Kind: call.RungMaxTokens, MaxTokens: 64}, Enter: when(t, "headroom < 0.35"), Leave: when(t, "headroom > 0.4"), Classes: low},
			{Do: call.Rung{Kind: call.RungRefuse}, Enter: when(t, "headroom < 0.2"), Leave: when(t, "headroom > 0.4"), Classes: low},
		}}))
		running(t, b.gateway)
		began := time.Now()
		busy, done := context.WithTimeout(t.Context(), tightEnd)
		defer done()
		var (
			clients sync.WaitGroup
			mu      sync.Mutex
			seen    = map[string][]observed{}
		)
		agent := func(class string, words int, pause time.Duration) {
			clients.Go(func() {
				body := fmt.Sprintf(`{"model":"claude-haiku-4-5","max_tokens":300,"stream":true,"messages":[{"role":"user","content":"%s"}]}`, strings.Repeat("word ", words))
				for busy.Err() == nil {
					o := b.watch(t, body, class)
					o.at -= time.Duration(began.UnixNano())
					mu.Lock()
					seen[class] = append(seen[class], o)
					mu.Unlock()
					time.Sleep(pause)
				}
			})
		}
		for i := range 6 {
			agent("interactive", 400, 5*time.Second+time.Duration(i)*100*time.Millisecond)
		}
		for i := range 4 {
			agent("batch", 3000, 2*time.Second+time.Duration(i)*100*time.Millisecond)
		}
		steps := stepsOf(busy, b.gateway, began)
		clients.Wait()
		report(t, seen)
		judgeSteps(t, steps)
	})
}

// lookedEach is how often it is looked whether a rung has changed.
const lookedEach = 500 * time.Millisecond

// taken is one change of a rung.
type taken struct {
	at time.Duration
	on bool
}

func (s taken) String() string { return fmt.Sprintf("%v at %v", s.on, s.at.Round(time.Second)) }

// stepsOf notes each change of each rung until ctx is done.
func stepsOf(ctx context.Context, g *weir.Gateway, began time.Time) map[string][]taken {
	steps := map[string][]taken{}
	for ctx.Err() == nil {
		for _, r := range g.Degradation().Rungs {
			list, on := steps[r.Rung], len(r.InForce) > 0
			if on != (len(list) > 0 && list[len(list)-1].on) {
				steps[r.Rung] = append(list, taken{time.Since(began), on})
			}
		}
		time.Sleep(lookedEach)
	}
	return steps
}

// judgeSteps holds the changes to their bars.
func judgeSteps(t *testing.T, steps map[string][]taken) {
	t.Helper()
	if len(steps) == 0 {
		t.Error("no rung was ever in force")
	}
	for rung, list := range steps {
		t.Logf("%s: %d changes: %v", rung, len(list), list)
		if last := list[len(list)-1]; last.on || last.at > tightUntil+30*time.Second {
			t.Errorf("%s was not left within 30 s of %v: %v", rung, tightUntil, last)
		}
		for i := 2; i < len(list); i++ {
			if within := list[i].at - list[i-2].at; within < time.Minute-lookedEach {
				t.Errorf("%s changed three times within %v", rung, within)
			}
		}
	}
}

// watch sends a stream and notes when its first content comes.
func (b *lodge) watch(t *testing.T, body, class string) observed {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://weir/v1/messages", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", "any")
	req.Header.Set("Anthropic-Version", "2023-06-01")
	req.Header.Set("Weir-Class", class)
	began := time.Now()
	resp, err := b.door.RoundTrip(req)
	if err != nil {
		t.Error(err)
		return observed{}
	}
	defer resp.Body.Close()
	o := observed{at: time.Duration(began.UnixNano()), status: resp.StatusCode, mark: resp.Header.Get("Weir-Degraded")}
	lines, whole := bufio.NewScanner(resp.Body), false
	for lines.Scan() {
		if o.first == 0 && strings.Contains(lines.Text(), "content_block_delta") {
			o.first = time.Since(began)
		}
		whole = whole || strings.Contains(lines.Text(), "message_stop")
	}
	if o.status == 200 && !whole {
		o.status = 0 // broken off
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return o
}

// report prints what became of the calls and holds it to its bars.
func report(t *testing.T, seen map[string][]observed) {
	t.Helper()
	during := func(class string, from, to time.Duration) (first []time.Duration, ok, simpler, refused, other int) {
		for _, o := range seen[class] {
			if o.at < from || o.at >= to {
				continue
			}
			switch {
			case o.status == 200 && o.mark != "":
				simpler++
			case o.status == 200:
				ok++
			case o.status == 429 && strings.HasPrefix(o.mark, "refuse;"):
				refused++
			default:
				other++
			}
			if o.first > 0 {
				first = append(first, o.first)
			}
		}
		slices.Sort(first)
		return first, ok, simpler, refused, other
	}
	p99 := map[time.Duration]time.Duration{}
	for _, from := range []time.Duration{0, tightFrom, tightUntil} {
		to := map[time.Duration]time.Duration{0: tightFrom, tightFrom: tightUntil, tightUntil: tightEnd}[from]
		for _, class := range []string{"interactive", "batch"} {
			first, ok, simpler, refused, other := during(class, from, to)
			at := first[len(first)*99/100]
			t.Logf("from %v: %-11s %3d ok, %3d simpler, %3d refused, %d otherwise; first token p50 %v p99 %v", from, class, ok, simpler, refused, other, first[len(first)/2], at)
			if class == "interactive" {
				p99[from] = at
				if simpler+refused+other > 0 {
					t.Errorf("from %v: %d interactive calls were not answered in full", from, simpler+refused+other)
				}
			} else if other > 0 {
				t.Errorf("from %v: %d batch calls ended otherwise", from, other)
			} else if from == tightFrom && simpler+refused == 0 {
				t.Errorf("nothing was made simpler")
			}
		}
	}
	for from, at := range p99 {
		if at > 2*p99[0] {
			t.Errorf("from %v: first token p99 of interactive calls is %v, uncongested %v", from, at, p99[0])
		}
	}
}
