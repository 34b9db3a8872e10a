package sim

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// read takes the body and checks it, answering what is wrong with it.
func (x *exchange) read(count bool) (*request, bool) {
	body, err := x.body(maxBody)
	if err != nil {
		x.fail(err)
		return nil, false
	}
	q, err := x.readRequest(body, x.version, x.who.organization.rules, count)
	if err != nil {
		x.fail(err)
		return nil, false
	}
	x.upset.forModel(q.modelName)
	return q, !x.early(q.model)
}

// serveMessages is POST /v1/messages.
func (x *exchange) serveMessages() {
	q, ok := x.read(false)
	if !ok {
		return
	}
	org := x.who.organization
	cached := x.cache.plan(x.clock.now(), x.who.workspace.id, q)
	t, refused := org.admit(x.clock.now(), q, x.who.workspace, x.claim(q, cached))
	if refused != nil {
		x.counters.limit(refused.limiter)
		if !org.rules.Bare429 {
			refused.ticket.writeLimits(x.w.Header(), x.clock)
		}
		x.fail(refused.err)
		return
	}
	defer func() { t.close(x.clock.now(), 0) }() // unless it was closed in time
	if !x.wait(x.ttft()) {
		x.charge(q, cached, 0)
		return // the client left; the estimate stays charged
	}
	if q.total > q.model.Context {
		t.correct(x.clock.now(), 0, 0) // the estimate was charged and is given back
		x.fail(invalid(fmt.Sprintf("prompt is too long: %d tokens > %d maximum", q.total, q.model.Context)))
		return
	}
	a := x.compose(q, cached)
	if q.stream {
		// A stream's headers show the buckets as they were at its start.
		t.writeLimits(x.w.Header(), x.clock)
	}
	now := x.clock.now()
	t.correct(now, float64(q.total-cached.read), float64(q.total))
	x.cache.commit(now, cached)
	talk := x.talk(a.output)
	t.speak(now, float64(a.output), talk)
	if q.stream {
		x.stream(a, t, now)
		return
	}
	if x.wait(talk) {
		t.close(x.clock.now(), float64(a.output))
		t.writeLimits(x.w.Header(), x.clock)
		x.whole(a)
	} else {
		x.charge(q, cached, 0)
	}
}

// claim estimates the input, cruder than it is counted in the end.
func (x *exchange) claim(q *request, cached cachePlan) claim {
	rules := x.who.organization.rules
	wrong := max(-3, min(x.rng.NormFloat64(), 3)) * rules.EstimateError
	c := claim{
		input: math.Ceil(float64(q.total-cached.read) * (1 + wrong)),
		total: math.Ceil(float64(q.total) * (1 + wrong)),
	}
	if rules.LegacyReserve {
		c.reserve = float64(q.maxTokens)
	}
	return c
}

// ttft is the time to the first token.
func (x *exchange) ttft() time.Duration {
	d := x.config.Timing.TTFT
	if word := x.r.Header.Get("X-Sim-Ttft"); word != "" {
		if asked, err := time.ParseDuration(word); err == nil && asked >= 0 {
			d = asked
		}
	}
	return d + x.upset.delay()
}

// talk is how long it takes to say n tokens.
func (x *exchange) talk(n int) time.Duration {
	if x.config.Timing.TokensPerSecond <= 0 {
		return 0
	}
	return seconds(float64(n) / x.config.Timing.TokensPerSecond)
}

// whole sends the answer as one JSON document.
func (x *exchange) whole(a *answer) {
	body := a.json()
	f := x.upset.find(FaultEOF, FaultMalformed, FaultErrorEvent, FaultReset, FaultStall)
	if f == nil || f.Kind != FaultErrorEvent {
		x.charge(a.req, a.cache, a.output)
	}
	switch {
	case f == nil, f.Kind == FaultStall && f.AfterEvents == 0: // that one is over
	case f.Kind == FaultErrorEvent:
		e := standard(529)
		if f.Status > 0 {
			e = standard(f.Status)
		}
		x.fail(e) // which is not charged
		return
	case f.Kind == FaultMalformed:
		body = append(body[:len(body)/2], `,,]"`...)
	case f.Kind == FaultStall: // after some event that this answer does not have
		if !x.stall(f) {
			return
		}
	default:
		x.partial(body, f)
		return
	}
	x.headers(true)
	x.send(http.StatusOK, body)
}

// partial sends half of the body and breaks off.
func (x *exchange) partial(body []byte, f *Fault) {
	h := x.headers(true)
	h["Content-Type"] = []string{"application/json"}
	h["Content-Length"] = []string{itoa(len(body))}
	x.begin(http.StatusOK)
	_, _ = x.w.Write(body[:len(body)/2])
	_ = http.NewResponseController(x.w).Flush()
	if f.Kind == FaultReset {
		x.cut()
	}
}

// serveCount is POST /v1/messages/count_tokens. It draws on a pool of its own.
func (x *exchange) serveCount() {
	q, ok := x.read(true)
	if !ok {
		return
	}
	if wait, ok := x.who.organization.charge(x.clock.now(), x.who.organization.counting); !ok {
		x.counters.limit(CountTokensLimit)
		x.fail(tooMany(wait, grouped(x.who.organization.counting.limit)+" token counting requests per minute (org: "+x.who.organization.id+")."))
		return
	}
	x.headers(true)
	x.send(http.StatusOK, []byte(`{"input_tokens":`+strconv.Itoa(q.total)+`}`))
}

// charge charges one request to a pool that has only requests.
func (o *organization) charge(now instant, b *bucket) (wait time.Duration, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	b.advance(now)
	if b.level < 1-1e-6 {
		return b.waitFor(1), false
	}
	b.take(1)
	return 0, true
}

// serveModels is GET /v1/models and GET /v1/models/{id}.
func (x *exchange) serveModels() {
	if x.early(nil) {
		return
	}
	name := x.r.URL.Path[len("/v1/models"):]
	if len(name) > 1 {
		m, ok := x.catalog.find(name[1:])
		if !ok {
			x.fail(notFound("model: " + name[1:]))
			return
		}
		x.reply(m.info())
		return
	}
	list, err := x.page()
	if err != nil {
		x.fail(err)
		return
	}
	x.reply(list)
}

// reply sends v as JSON.
func (x *exchange) reply(v any) {
	body, err := json.Marshal(v)
	if err != nil {
		x.fail(standard(500)) // never: they are structs of strings and numbers
		return
	}
	x.headers(true)
	x.send(http.StatusOK, body)
}
