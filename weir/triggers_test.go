package weir_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/weir"
)

// stage is a house whose upstream answers as told.
type stage struct {
	*house

	mu     sync.Mutex    // guards everything below
	left   float64       // share of all limits that the headers tell; 0: no headers
	retry  string        // retry-after of a 429 for the next call; "": none
	status int           // of the answers; 0: 200
	output int           // tokens of the answers
	slow   time.Duration // before the answers
	posts  sync.WaitGroup
}

func (s *stage) serve(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	time.Sleep(s.slow)
	if s.left > 0 {
		now := time.Now()
		for name, limit := range map[string]float64{"Requests": 1000, "Input-Tokens": 1e6, "Output-Tokens": 1e6} {
			w.Header().Set("Anthropic-Ratelimit-"+name+"-Limit", fmt.Sprint(int(limit)))
			w.Header().Set("Anthropic-Ratelimit-"+name+"-Remaining", fmt.Sprint(int(s.left*limit)))
			w.Header().Set("Anthropic-Ratelimit-"+name+"-Reset", now.Add(time.Duration((1-s.left)*float64(time.Minute))).UTC().Format(time.RFC3339))
		}
	}
	switch {
	case s.retry != "":
		w.Header().Set("Retry-After", s.retry)
		s.retry = ""
		w.WriteHeader(429)
		io.WriteString(w, `{"type":"error","error":{"type":"rate_limit_error","message":"no"}}`)
	case s.status != 0:
		w.WriteHeader(s.status)
	default:
		io.WriteString(w, strings.Replace(answer, `"output_tokens":3`, fmt.Sprintf(`"output_tokens":%d`, s.output), 1))
	}
}

// set changes how the upstream answers.
func (s *stage) set(f func(s *stage)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

// asks sends a call that nobody waits for.
func (s *stage) asks(t *testing.T, headers ...string) {
	s.posts.Go(func() { s.post(t, request, headers...) })
}

// on reports whether the only rung is in force.
func (s *stage) on() bool { return len(s.gateway.Degradation().Rungs[0].InForce) > 0 }

// moment is what is done at an instant, and whether the rung is in force two
// seconds later.
type moment struct {
	at   time.Duration
	do   func(t *testing.T, s *stage)
	want bool
	why  string
}

func asks(t *testing.T, s *stage) { s.asks(t) }

// nothing only looks.
func nothing(*testing.T, *stage) {}

// having sends calls for ten seconds, whose answers tell that so much is left.
func having(share float64) func(*testing.T, *stage) {
	return func(t *testing.T, s *stage) {
		s.set(func(s *stage) { s.left = share })
		for range 10 {
			s.post(t, request)
			time.Sleep(time.Second)
		}
	}
}

// spending sends a call with so much output.
func spending(tokens int) func(*testing.T, *stage) {
	return func(t *testing.T, s *stage) {
		s.set(func(s *stage) { s.output = tokens })
		s.asks(t)
	}
}

// limited sends a call that is to come again after so many seconds.
func limited(seconds string) func(*testing.T, *stage) {
	return func(t *testing.T, s *stage) {
		s.set(func(s *stage) { s.retry = seconds })
		s.asks(t)
	}
}

// failing sends a call that fails with a status, or succeeds after a while.
func failing(status int, slow time.Duration) func(*testing.T, *stage) {
	return func(t *testing.T, s *stage) {
		s.set(func(s *stage) { s.status, s.slow = status, slow })
		s.asks(t, "Weir-Max-Wait", "1s")
	}
}

// TestTriggers plays, for all that a condition can look at, how a rung is
// entered, stays as it is between its two conditions, dwells and is left.
func TestTriggers(t *testing.T) {
	const s, m, h = time.Second, time.Minute, time.Hour
	for name, tc := range map[string]struct {
		enter, leave string
		moments      []moment
	}{
		"headroom": {"headroom < 0.4", "headroom > 0.7", []moment{
			{0, having(0.9), false, "there is plenty"},
			{20 * s, having(0.5), false, "between"},
			{40 * s, having(0.3), true, "enter"},
			{55 * s, having(0.9), true, "dwell"},
			{75 * s, having(0.3), false, "left, and dwells before it is entered again"},
			{100 * s, having(0.3), true, "enter again"},
			{114 * s, having(0.5), true, "dwell"},
			{128 * s, having(0.5), true, "between"},
			{142 * s, having(0.9), false, "leave again"},
		}},
		"queue-wait": {`queue_wait > duration("10s")`, `queue_wait < duration("2s")`, []moment{
			{0, limited("20"), false, "it has just come"},
			{6 * s, nothing, false, "between"},
			{11 * s, nothing, true, "enter"},
			{25 * s, nothing, true, "dwell, though nobody waits any more"},
			{45 * s, nothing, false, "leave"},
		}},
		"budget": {"budget > 0.5", "budget < 0.2", []moment{
			{0, spending(600), false, "between: three tenths are spent"},
			{24*h - 20*s, spending(600), true, "enter"},
			{24*h + 1*s, nothing, true, "dwell, though it is another day"},
			{24*h + 15*s, nothing, false, "leave"},
			{25 * h, spending(600), false, "between"},
		}},
		"breaker": {`breaker == "open"`, `breaker == "closed"`, []moment{
			{0, failing(200, 0), false, "closed"},
			{10 * s, failing(500, 0), true, "enter: open"},
			{60 * s, nothing, true, "nobody has tried since"},
			{80 * s, failing(0, 30*s), true, "between: half open"},
			{115 * s, nothing, false, "leave: closed"},
			{120 * s, failing(500, 0), false, "dwell before it is entered again"},
			{150 * s, nothing, true, "enter again"},
		}},
		"now": {"now.getMinutes() in [1, 3] && now.getSeconds() < 10", "now.getMinutes() == 1 && now.getSeconds() >= 20 || now.getMinutes() >= 5", []moment{
			{0, asks, false, "not yet"},
			{60 * s, nothing, true, "enter"},
			{82 * s, nothing, true, "dwell"},
			{95 * s, nothing, false, "leave"},
			{3 * m, nothing, true, "enter again"},
			{4 * m, nothing, true, "between"},
			{5 * m, nothing, false, "leave again"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // it is 2000-01-01 00:00 UTC
				st := &stage{output: 3}
				st.house = newHouse(t, st.serve, weir.WithAPIKey("main", "sk-ant-api03-x"),
					weir.WithBudgets(weir.Budget{Name: "daily", Limit: call.Dollar / 100, Period: "day"}),
					weir.WithBreaker(weir.Breaker{Rules: []byte(`[{"resource":"*","strategy":2,"threshold":1,"minRequestAmount":1,"statIntervalMs":1000,"retryTimeoutMs":60000}]`)}),
					weir.WithLadder(weir.Ladder{Rungs: []weir.Rung{{
						Do: call.Rung{Kind: call.RungMaxTokens, MaxTokens: 9}, Enter: when(t, tc.enter), Leave: when(t, tc.leave),
					}}}))
				running(t, st.gateway)
				began := time.Now()
				for _, is := range tc.moments {
					time.Sleep(time.Until(began.Add(is.at)))
					is.do(t, st)
					time.Sleep(2 * s)
					if st.on() != is.want {
						t.Errorf("at %v in force: %v (%s)", is.at, st.on(), is.why)
					}
				}
				st.posts.Wait()
			})
		})
	}
}
