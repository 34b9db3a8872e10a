package bench

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/load"
	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// Marking is who sets the marks for the prompt cache.
type Marking int

// The ways in which the agents of [Agents] are served, all through the gateway.
const (
	NoMarks  Marking = iota
	WeirMark         // the gateway, by WithPromptCaching
	OwnMarks         // the agents, as Claude Code does
	numMarkings
)

// String returns the heading of m.
func (m Marking) String() string {
	return [numMarkings]string{"no marks", "Weir's marks", "the client's own marks"}[m]
}

// Agents is a number of coding agents that share one quota.
type Agents struct {
	Agents int
	Limits sim.Limits
	WarmUp time.Duration
	Span   time.Duration
	Seed   uint64
}

// CodingAgents are the agents of the page: far more than the input limit bears
// without the prompt cache.
func CodingAgents(l Length) Agents {
	return Agents{
		Agents: l.count(24, 8), WarmUp: l.pick(2*time.Minute, time.Minute), Span: l.pick(15*time.Minute, 4*time.Minute), Seed: seed,
		Limits: sim.Limits{Requests: 1000, InputTokens: int64(l.count(450_000, 150_000)), OutputTokens: int64(l.count(180_000, 60_000))},
	}
}

// AgentsResult is how they fared.
type AgentsResult struct {
	Marking   Marking
	Span      time.Duration
	Answered  int
	Refused   int        // anything else than 200, the warm-up included
	Usage     call.Usage // of the answers that began in the span; output is not counted
	Cost      call.USD   // of those, output included
	Charged   float64    // by the input limiter of the upstream
	Surprises int64      // upstream 429s of the whole run
}

// Input is how many input tokens were admitted a minute, cached or not.
func (r AgentsResult) Input() float64 {
	return float64(r.Usage.Input+r.Usage.CacheRead+r.Usage.CacheWrite) / r.Span.Minutes()
}

// Freed is how many of them a minute came from the cache.
func (r AgentsResult) Freed() float64 { return float64(r.Usage.CacheRead) / r.Span.Minutes() }

// PerMillion is what a million of them cost, with the output that they led to.
func (r AgentsResult) PerMillion() call.USD {
	return call.USD(float64(r.Cost) / max(1, float64(r.Usage.Input+r.Usage.CacheRead+r.Usage.CacheWrite)) * 1e6)
}

// office is one run of agents.
type office struct {
	stage *stage
	from  time.Time // of the span
	to    time.Time

	mu  sync.Mutex   // guards out
	out AgentsResult // so far
}

// Event implements [call.Observer].
func (o *office) Event(e call.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if began := e.At.Add(-e.Took); e.Outcome == "ok" && o.measured(began.Add(e.Waited)) {
		o.out.Cost += e.Cost
	}
}

func (o *office) measured(at time.Time) bool { return !at.Before(o.from) && at.Before(o.to) }

// RunAgents lets the agents work, in a bubble.
func RunAgents(ctx context.Context, a Agents, m Marking) (AgentsResult, error) {
	o := &office{from: time.Now().Add(a.WarmUp)}
	o.to = o.from.Add(a.Span)
	s := Scenario{Sim: upstream(a.Limits), Gateway: []weir.Option{weir.WithObserver(o)}}
	s.Sim.Seed, s.Sim.StartFill = a.Seed, nil // full: the warm-up spends it
	if m == WeirMark {
		s.Gateway = append(s.Gateway, weir.WithPromptCaching(weir.PromptCaching{}))
	}
	o.stage = &stage{scenario: s}
	defer o.stage.close()
	if err := o.stage.open(Weir); err != nil {
		return AgentsResult{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	coder := newCoder(load.NewProse(a.Seed), m == OwnMarks)
	var working sync.WaitGroup
	for i := range a.Agents {
		working.Go(func() {
			rng := rand.New(rand.NewPCG(a.Seed, uint64(i)))
			time.Sleep(time.Duration(rng.Int64N(int64(a.WarmUp / 2))))
			o.work(ctx, coder, rng, i)
		})
	}
	time.Sleep(a.WarmUp)
	before := o.stage.api.Stats()
	o.stage.api.ResetStats()
	time.Sleep(a.Span)
	during := o.stage.api.Stats()
	cancel()
	working.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.out
	r.Marking, r.Span = m, a.Span
	for _, b := range during.Buckets {
		if b.Limiter == sim.InputTokens {
			r.Charged += b.Admitted
		}
	}
	r.Surprises = before.Status[http.StatusTooManyRequests] + during.Status[http.StatusTooManyRequests]
	return r, nil
}

// work is one agent's day: one conversation after the other.
func (o *office) work(ctx context.Context, c *coder, rng *rand.Rand, agent int) {
	for ctx.Err() == nil {
		for s := c.open(rng); s.turns > 0 && ctx.Err() == nil; s.goOn() {
			if !o.ask(ctx, s.body(), agent, load.Lognormal(250, 2000, 0.7).Draw(rng)) {
				break
			}
			select {
			case <-ctx.Done():
			case <-time.After(s.pause()):
			}
		}
	}
}

// ask sends one request and reads the answer, without a retry.
func (o *office) ask(ctx context.Context, body []byte, agent int, output call.Tokens) bool {
	target := o.stage.target
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.URL+"/v1/messages", strings.NewReader(string(body)))
	if err != nil {
		return false
	}
	req.Header.Set("x-api-key", target.Key)
	req.Header.Set("anthropic-version", "2023-06-01")
	req.Header.Set("x-stainless-timeout", "3600")
	req.Header.Set("weir-tenant", "team-"+strconv.Itoa(agent%4))
	req.Header.Set("x-sim-output-tokens", strconv.FormatInt(int64(output), 10))
	resp, err := target.Transport.RoundTrip(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	usage, ok := readUsage(string(raw))
	switch {
	case ctx.Err() != nil:
	case err != nil || resp.StatusCode != http.StatusOK || !ok:
		o.out.Refused++
	case o.measured(now):
		o.out.Answered++
		o.out.Usage.Input += usage.Input
		o.out.Usage.CacheRead += usage.CacheRead
		o.out.Usage.CacheWrite += usage.CacheWrite
	}
	return ok
}
