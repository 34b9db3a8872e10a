package quota_test

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/quota"
)

// world is a small discrete-event simulation around one [quota.Group]: the
// true buckets as the upstream keeps them, requests that travel, and agents
// that always have another one. It is independent of package sim on purpose.
type world struct {
	rng    *rand.Rand
	now    time.Time
	events eventHeap
	group  *quota.Group
	truth  [call.NumLimiters]trueBucket
	plan   plan

	queue    []*job
	wakeAt   time.Time
	sent     int
	rejected int
	done     int
	outside  int // observations at which the truth was outside [low, high]
	checks   int
	worst    float64 // largest |belief - truth| / limit
	errors   float64 // sum of them
	width    float64 // sum of (high - low) / limit
}

// plan is one workload.
type plan struct {
	limits   [call.NumLimiters]float64
	fill     float64 // of the buckets at the start
	agents   int
	input    func(*rand.Rand) float64
	output   func(*rand.Rand) float64
	speed    float64                        // output tokens per second of one call
	json     bool                           // answers are not streamed
	estErr   float64                        // our estimates are off by up to this share
	upErr    float64                        // the upstream's own first estimates, likewise
	foreign  func(at time.Duration) float64 // share of each refill that others take
	change   func(at time.Duration) float64 // factor on all limits
	changes  []time.Duration                // when the world changes
	lifetime time.Duration
	warmUp   time.Duration
}

type trueBucket struct {
	limit, level     float64
	at               time.Time
	admitted, wasted float64 // during the measured window
	start            float64 // level when it began
}

func (b *trueBucket) advance(now time.Time, drain float64) {
	dt := now.Sub(b.at).Seconds()
	b.at = now
	b.level += (b.limit / 60) * (1 - drain) * dt
	if over := b.level - b.limit; over > 0 {
		b.wasted += over
		b.level = b.limit
	}
}

func (b *trueBucket) take(n float64) { b.level -= n; b.admitted += n }

// used is the figure of DESIGN §8.
func (b *trueBucket) used() float64 {
	return b.admitted / (b.admitted + b.wasted + b.level - b.start)
}

type job struct {
	input, estimate, upstream, output float64
	flight                            *quota.Flight
	sent                              time.Time
	limits                            call.Limits
}

type event struct {
	at  time.Time
	seq int
	do  func()
}

type eventHeap []event

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].seq < h[j].seq
	}
	return h[i].at.Before(h[j].at)
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(x any)   { *h = append(*h, x.(event)) }
func (h *eventHeap) Pop() any {
	e := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return e
}

var epoch = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func newWorld(seed uint64, p plan) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 7)), now: epoch, plan: p}
	w.group = quota.NewGroup(epoch, false)
	for i := range w.truth {
		w.truth[i] = trueBucket{limit: p.limits[i], level: p.fill * p.limits[i], at: epoch}
	}
	return w
}

var eventSeq int

func (w *world) after(d time.Duration, do func()) {
	eventSeq++
	heap.Push(&w.events, event{w.now.Add(d), eventSeq, do})
}

func (w *world) run() {
	for range w.plan.agents {
		w.after(time.Duration(w.rng.IntN(100))*time.Millisecond, w.submit)
	}
	w.after(w.plan.warmUp, func() {
		w.advance()
		for i := range w.truth {
			b := &w.truth[i]
			b.admitted, b.wasted, b.start = 0, 0, b.level
		}
		w.sent, w.rejected, w.outside, w.checks, w.worst, w.errors, w.width = 0, 0, 0, 0, 0, 0, 0
	})
	if w.plan.change != nil {
		for s := range int(w.plan.lifetime / time.Second) {
			w.after(time.Duration(s)*time.Second, w.rescale)
		}
	}
	end := epoch.Add(w.plan.warmUp + w.plan.lifetime)
	for len(w.events) > 0 {
		e := heap.Pop(&w.events).(event)
		if e.at.After(end) {
			break
		}
		w.now = e.at
		e.do()
	}
	w.now = end
	w.advance()
}

func (w *world) rescale() {
	w.advance()
	f := w.plan.change(w.now.Sub(epoch))
	for i := range w.truth {
		b := &w.truth[i]
		limit := w.plan.limits[i] * f
		if limit != b.limit {
			b.level = b.level * limit / b.limit
			b.limit = limit
		}
	}
}

func (w *world) advance() {
	drain := 0.0
	if w.plan.foreign != nil {
		drain = w.plan.foreign(w.now.Sub(epoch))
	}
	for i := range w.truth {
		w.truth[i].advance(w.now, drain)
	}
}

// submit queues one more request of an agent.
func (w *world) submit() {
	j := &job{input: w.plan.input(w.rng), output: w.plan.output(w.rng)}
	j.estimate = j.input * (1 + w.plan.estErr*(2*w.rng.Float64()-1))
	j.upstream = j.input * (1 + w.plan.upErr*(2*w.rng.Float64()-1))
	w.queue = append(w.queue, j)
	w.pump()
}

func (w *world) pump() {
	for len(w.queue) > 0 {
		j := w.queue[0]
		d := quota.Demand{Input: call.Tokens(j.estimate), Spread: w.plan.estErr * 0.6, Stream: !w.plan.json}
		dec := w.group.Check(w.now, d)
		if dec.Never {
			panic("never fits")
		}
		if dec.Wait > 0 {
			at := w.now.Add(dec.Wait)
			if w.wakeAt.Before(w.now) || at.Before(w.wakeAt) || w.wakeAt.Equal(w.now) {
				w.wakeAt = at
				w.after(dec.Wait, w.pump)
			}
			return
		}
		w.queue = w.queue[1:]
		j.flight, j.sent = reserve(w.group, w.now, d), w.now
		w.sent++
		w.after(w.latency(), func() { w.arrive(j) })
	}
}

func (w *world) latency() time.Duration {
	return time.Duration(5+w.rng.IntN(25)) * time.Millisecond
}

// arrive is the request at the upstream.
func (w *world) arrive(j *job) {
	w.advance()
	req, in, out := &w.truth[call.Requests], &w.truth[call.InputTokens], &w.truth[call.OutputTokens]
	reject := func(l call.Limiter, lack, rate float64) {
		v := call.Verdict{Kind: call.RateLimited, Limiter: l, Named: true,
			RetryAfter: time.Duration(math.Ceil(max(lack/rate, 0.001))) * time.Second}
		limits := w.limits(call.Limits{}, call.Requests, call.InputTokens, call.OutputTokens)
		w.after(w.latency(), func() {
			w.rejected++
			w.group.Reject(w.now, j.flight, limits, v)
			w.queue = append([]*job{j}, w.queue...)
			w.pump()
		})
	}
	switch {
	case req.level < 1:
		reject(call.Requests, 1-req.level, req.limit/60)
		return
	case in.level < j.upstream && in.level < 0.999*in.limit:
		reject(call.InputTokens, j.upstream-in.level, in.limit/60)
		return
	case out.level <= 0:
		reject(call.OutputTokens, -out.level, out.limit/60)
		return
	}
	req.take(1)
	in.take(j.upstream)
	j.limits = w.limits(call.Limits{}, call.Requests, call.InputTokens)
	ttft := time.Duration(300+w.rng.IntN(900)) * time.Millisecond
	w.after(ttft, func() { w.firstToken(j) })
}

// limits reads the headers of the given limiters now.
func (w *world) limits(l call.Limits, which ...call.Limiter) call.Limits {
	l.Organization = "org"
	for _, i := range which {
		b := &w.truth[i]
		step := 1000.0
		if i == call.Requests {
			step = 1
		}
		remaining := max(0, math.Round(b.level/step)*step)
		if i == call.Requests {
			remaining = max(0, math.Floor(b.level))
		}
		full := w.now.Add(time.Duration((b.limit - b.level) / (b.limit / 60) * float64(time.Second)))
		l.Bucket[i] = call.Reading{Known: true, Limit: b.limit, Remaining: min(remaining, b.limit), Reset: full.Truncate(time.Second)}
	}
	return l
}

func (w *world) firstToken(j *job) {
	w.advance()
	w.truth[call.InputTokens].take(j.input - j.upstream)
	usage := call.Usage{Input: call.Tokens(j.input), Exact: true}
	life := time.Duration(j.output / w.plan.speed * float64(time.Second))
	const step = 200 * time.Millisecond
	if !w.plan.json {
		limits := w.limits(j.limits, call.OutputTokens)
		limits.Date = w.now.Truncate(time.Second)
		w.after(w.latency(), func() {
			w.group.Input(w.now, j.flight, usage)
			w.group.Observe(w.now, j.flight, limits)
			w.check()
			w.pump()
		})
	}
	produced := 0.0
	var tick func()
	tick = func() {
		w.advance()
		n := min(w.plan.speed*step.Seconds(), j.output-produced)
		produced += n
		w.truth[call.OutputTokens].take(n)
		seen := produced
		if !w.plan.json {
			w.after(10*time.Millisecond, func() { w.group.Output(w.now, j.flight, call.Tokens(seen)); w.pump() })
		}
		if produced < j.output {
			w.after(step, tick)
			return
		}
		w.finish(j, usage)
	}
	w.after(min(step, life), tick)
}

func (w *world) finish(j *job, usage call.Usage) {
	limits := w.limits(j.limits, call.OutputTokens)
	limits.Date = w.now.Truncate(time.Second)
	usage.Output = call.Tokens(j.output)
	w.after(w.latency(), func() {
		if w.plan.json {
			w.group.Input(w.now, j.flight, usage)
			w.group.Output(w.now, j.flight, usage.Output)
			w.group.Observe(w.now, j.flight, limits)
		}
		w.group.Settle(w.now, j.flight, usage)
		w.done++
		w.check()
		w.submit()
	})
}

// check compares the belief with the truth, except shortly after the world has
// changed.
func (w *world) check() {
	w.advance()
	at := w.now.Sub(epoch)
	for _, change := range w.plan.changes {
		if at >= change && at < change+recovery {
			return
		}
	}
	room := w.group.Headroom(w.now)
	for _, r := range w.group.Report(w.now) {
		for l := range call.Limiter(call.NumLimiters) {
			if l.String() == r.Limiter {
				w.compare(&w.truth[l], r, room[l])
			}
		}
	}
}

// recovery is how long the belief may be wrong after the world has changed.
const recovery = 5 * time.Second

func (w *world) compare(b *trueBucket, r call.BucketReport, share float64) {
	w.checks++
	shown := max(0, b.level) // a report shows no debt
	if shown < float64(r.Low)-1 || shown > float64(r.High)+1 {
		w.outside++
	}
	off := math.Abs(share - b.level/b.limit)
	w.worst = max(w.worst, off)
	w.errors += off
	w.width += float64(r.High-r.Low) / b.limit
}
