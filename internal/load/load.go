// Package load offers work to an endpoint that speaks the Messages API, the way
// its users do: agents that send real HTTP requests in a loop, read the answers
// to the end, and retry as the official SDKs do or not at all. The same
// [Workload] runs against Weir and against the bare upstream, so that the two
// [Report]s can stand beside each other.
//
// All randomness comes from the workload's seed and all waiting is plain time,
// so that a run inside a testing/synctest bubble is reproducible and instant.
package load

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Target is where the load goes. The zero Transport is
// [http.DefaultTransport]; whoever tests in a bubble passes one of its own.
type Target struct {
	URL       string // without the trailing /v1
	Key       string // sent as x-api-key
	Header    http.Header
	Transport http.RoundTripper
	Purse     *Purse // what the requests may cost; nil: whatever they do
}

// Run offers w to t until ctx ends, w.Duration is over, w.Requests have been
// sent or t.Purse is empty, and puts each finished request into out. What is still under way when
// time is up is cut off and recorded as [Cut]. It returns after the last
// goroutine has ended: nil, or why the workload is invalid, or the cause of the
// context's end.
func Run(ctx context.Context, t Target, w Workload, out *Recorder) error {
	if err := w.Validate(); err != nil {
		return err
	}
	w = w.withDefaults()
	if t.Transport == nil {
		t.Transport = http.DefaultTransport
	}
	inner := ctx
	if w.Duration > 0 && !w.Finish {
		timed, cancel := context.WithTimeout(ctx, w.Duration)
		defer cancel()
		inner = timed
	}
	r := &runner{
		workload: w,
		client:   client{target: t, policy: w.Client, timeout: w.Timeout},
		prose:    NewProse(w.Seed),
		out:      out,
		left:     w.Requests,
		bounded:  w.Requests > 0,
	}
	if w.Duration > 0 && w.Finish {
		r.until = time.Now().Add(w.Duration)
	}
	switch {
	case len(w.Trace) > 0:
		r.replay(inner)
	case w.Rate > 0:
		r.open(inner)
	default:
		r.closed(inner)
	}
	return context.Cause(ctx)
}

// runner is one run under way.
type runner struct {
	// Static after Run.
	workload Workload
	client   client
	prose    *Prose
	out      *Recorder
	bounded  bool
	until    time.Time // nothing begins from here on; zero: the context says when

	mu   sync.Mutex
	left int // Guarded by mu; requests that may still be sent, if bounded.
}

// closed runs the workload's agents, each of which waits for its answer before
// it asks again.
func (r *runner) closed(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	owners := assign(r.workload.Agents, r.workload.Tenants)
	for i, tenant := range owners {
		wg.Go(func() { r.agent(ctx, i, tenant) })
	}
}

// agent is one user in a loop.
func (r *runner) agent(ctx context.Context, i int, tenant Tenant) {
	rng := r.rng(uint64(i))
	if r.workload.Stagger > 0 {
		pause(ctx, time.Duration(rng.Int64N(int64(r.workload.Stagger))))
	}
	for ctx.Err() == nil && r.take() {
		began := time.Now()
		r.send(ctx, rng, tenant, i)
		rest := time.Until(began.Add(jitter(rng, r.workload.Pace)))
		r.pause(ctx, max(rest, jitter(rng, r.workload.Think)))
	}
}

// open sends at the workload's rate, whether or not answers come back. An
// arrival that finds MaxInFlight requests under way is dropped and counted.
func (r *runner) open(ctx context.Context) {
	arrive := r.arrivals()
	defer arrive.wg.Wait()
	rng := r.rng(1 << 32)
	next := time.Now()
	for n := 0; ctx.Err() == nil; n++ {
		gap := rng.ExpFloat64() / r.workload.Rate
		next = next.Add(time.Duration(gap * float64(time.Second)))
		if !arrive.at(ctx, next, func() {
			own := r.rng(uint64(n))
			r.send(ctx, own, pick(own, r.workload.Tenants), n)
		}) {
			return
		}
	}
}

// arrivals are requests that come whether or not answers come back.
type arrivals struct {
	*runner
	wg    sync.WaitGroup
	slots chan struct{} // of the requests under way
}

func (r *runner) arrivals() *arrivals {
	return &arrivals{runner: r, slots: make(chan struct{}, r.workload.MaxInFlight)}
}

// at waits for an arrival and begins to send it, or drops and counts it where
// there is no slot. It reports false at the end of the load.
func (a *arrivals) at(ctx context.Context, t time.Time, send func()) bool {
	if !a.pause(ctx, time.Until(t)) || !a.take() {
		return false
	}
	select {
	case a.slots <- struct{}{}:
	default:
		a.out.drop()
		return true
	}
	a.wg.Go(func() {
		defer func() { <-a.slots }()
		send()
	})
	return true
}

// send makes one request of the workload.
func (r *runner) send(ctx context.Context, rng *rand.Rand, tenant Tenant, agent int) {
	r.ask(ctx, rng, r.workload.draw(rng, r.prose, tenant), agent)
}

// ask sees one question through and records it.
func (r *runner) ask(ctx context.Context, rng *rand.Rand, q question, agent int) {
	r.out.begin()
	if r.workload.Patience > 0 {
		patient, cancel := context.WithTimeoutCause(ctx, r.workload.Patience, errLeft)
		defer cancel()
		ctx = patient
	}
	rec := r.client.do(ctx, rng, q)
	if rec.Outcome == Cut && context.Cause(ctx) == errLeft {
		rec.Outcome = Left
	}
	rec.Agent = agent
	r.out.end(rec)
}

// errLeft is why a user with little patience ends a request.
var errLeft = errors.New("the user left")

// take claims the right to send one more request.
func (r *runner) take() bool {
	if r.client.target.Purse.Empty() || r.over() {
		return false
	}
	if !r.bounded {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left == 0 {
		return false
	}
	r.left--
	return true
}

// over reports whether nothing more may begin.
func (r *runner) over() bool { return !r.until.IsZero() && !time.Now().Before(r.until) }

// pause waits for d, but not longer than something may begin.
func (r *runner) pause(ctx context.Context, d time.Duration) bool {
	if !r.until.IsZero() {
		d = min(d, time.Until(r.until))
	}
	return pause(ctx, d)
}

// rng returns the stream of randomness that belongs to one agent or arrival.
func (r *runner) rng(n uint64) *rand.Rand {
	return rand.New(rand.NewPCG(r.workload.Seed, n))
}

// pause waits for d and reports whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// jitter returns a duration between half of d and one and a half of it, so
// that agents do not march in step.
func jitter(rng *rand.Rand, d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return d/2 + time.Duration(rng.Int64N(int64(d)+1))
}

// assign deals n agents out to the tenants in proportion to their weights.
func assign(n int, tenants []Tenant) []Tenant {
	given := make([]float64, len(tenants))
	total := totalWeight(tenants)
	out := make([]Tenant, 0, n)
	for i := range n {
		best, lack := 0, -1.0
		for j, t := range tenants {
			if d := float64(i+1)*cmp.Or(t.Weight, 1)/total - given[j]; d > lack {
				best, lack = j, d
			}
		}
		given[best]++
		out = append(out, tenants[best])
	}
	return out
}

// pick draws one tenant by weight.
func pick(rng *rand.Rand, tenants []Tenant) Tenant {
	x := rng.Float64() * totalWeight(tenants)
	for _, t := range tenants {
		if x -= cmp.Or(t.Weight, 1); x < 0 {
			return t
		}
	}
	return tenants[len(tenants)-1]
}

func totalWeight(tenants []Tenant) float64 {
	var sum float64
	for _, t := range tenants {
		sum += cmp.Or(t.Weight, 1)
	}
	return sum
}
