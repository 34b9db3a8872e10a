package batch

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/message"
	"github.com/weir-gateway/weir/internal/sse"
)

// Config is what a [Collector] needs. Of its times and counts, 0 is a default.
type Config struct {
	Store *Store
	Every time.Duration // how often a batch is made; default 1 min
	Max   int           // requests of one batch; so many are not kept waiting; default 1,000
	Keep  time.Duration // of results that nobody comes for; default 48 h
	Log   *slog.Logger

	// Keys are those of the pool, and Door asks with the one that has that
	// fingerprint.
	Keys func() []call.Key
	Door func(print string) http.RoundTripper
	// Book takes what a request has cost, and Booked says which of these ids it
	// has taken in an earlier life. They are not asked about the same id twice
	// unless the process was killed in between.
	Book   func(call.Event)
	Booked func(ctx context.Context, ids []string) (map[string]bool, error)
	// Reserve sets aside the most that a call can cost, before it is written
	// down; the permit's end settles that. Nil: nothing is set aside.
	Reserve func(context.Context, *call.Call) (*call.Permit, error)
	// End tells that a caller's call has ended.
	End func(c *call.Call, status int, outcome, reason string)
}

// Collector answers calls that can wait for hours by Message Batches. It writes
// down each call before it is in a batch, and each batch before it is made. It
// is safe for concurrent use.
type Collector struct {
	cfg  Config
	wake chan struct{} // capacity 1: enough calls wait for a batch

	mu       sync.Mutex // guards the rest
	places   map[string]*place
	wanted   map[string]bool      // in no batch yet, and their callers wait or were told to come again
	sent     map[string]time.Time // answers on their way to their callers
	money    moneys
	held     int64 // bytes of the bodies of those who wait
	draining bool
	limit    int // of requests in the API's queue; 0: not known

	run running // owned by Run
}

// place is a request that callers wait for.
type place struct {
	callers int
	ready   chan struct{} // closed when it has a result or will not have one
	freed   bool          // it is to be asked for in the ordinary way
}

// Bounds and defaults of a [Collector].
const (
	MinWait      = time.Hour // calls that say they can wait so long are taken
	defaultEvery = time.Minute
	defaultMax   = 1000
	defaultKeep  = 48 * time.Hour
	maxKept      = 100_000 // requests at once; beyond, calls take the ordinary way
	maxHeld      = 1 << 30 // bytes of their bodies
	comeAgain    = 30 * time.Second
)

// NewCollector returns a collector. Calls are in good hands when
// [Collector.Run] runs too.
func NewCollector(cfg Config) *Collector {
	cfg.Every, cfg.Keep = cmp.Or(cfg.Every, defaultEvery), cmp.Or(cfg.Keep, defaultKeep)
	cfg.Max = min(cmp.Or(cfg.Max, defaultMax), MaxRequests)
	return &Collector{cfg: cfg, wake: make(chan struct{}, 1), places: map[string]*place{}, wanted: map[string]bool{}, sent: map[string]time.Time{}, money: moneys{holds: map[string]*call.Permit{}}}
}

// Collect answers a call by a batch, which takes long, or reports that it is
// none of those that can wait for one, or that no batch has answered it.
func (k *Collector) Collect(ctx context.Context, c *call.Call, sent []byte) (resp *http.Response, taken bool, err error) {
	if !fit(c) || !willing(c) && !k.begun(ctx, c, sent) {
		return nil, false, nil
	}
	params, err := Params(c.Body)
	if err != nil {
		return nil, false, nil // the API tells best what is wrong with it
	}
	hold, err := k.reserve(ctx, c)
	if err != nil {
		return nil, true, err
	}
	defer hold.unused()
	id, p, err := k.enter(context.WithoutCancel(ctx), c, pair{sent, params}, hold)
	if err != nil {
		k.cfg.Log.Error("a call is not collected: the store does not take it", "cause", err)
	}
	if p == nil {
		return nil, false, nil
	}
	defer func() {
		if taken && c.Class != call.Batch {
			c.Degrade(call.RungBatches)
		}
	}()
	defer k.leave(id, p, c)
	timer := time.NewTimer(time.Until(c.Deadline))
	defer timer.Stop()
	select {
	case <-p.ready:
		c.Waited = time.Since(c.Received)
		return k.answer(context.WithoutCancel(ctx), c, id, p)
	case <-timer.C:
		return nil, true, &call.Refusal{Reason: call.BatchRunning, RetryIn: comeAgain, Waited: time.Since(c.Received)}
	case <-ctx.Done():
		k.lose(id, p)
		return nil, true, &call.Refusal{Reason: call.ClientGone, Cause: context.Cause(ctx)}
	}
}

// enter finds the place of the same request from before, or writes the request
// down. Where an earlier caller still waits it is another request, unless both
// have the same idempotency key. It returns no place if there is no room.
func (k *Collector) enter(ctx context.Context, c *call.Call, body pair, hold *reservation) (string, *place, error) {
	a := ask{
		id: "weir-" + rand.Text(), keyed: c.Header.Get("Idempotency-Key") != "", tenant: c.Tenant, client: c.Client,
		model: c.Model, form: formOf(c), body: body.params, at: c.Received,
	}
	a.same = sameness(c, a.form, body.sent)
	k.mu.Lock() // also while the store works: two callers must not take one place
	defer k.mu.Unlock()
	if k.draining {
		return "", nil, nil
	}
	known, err := k.cfg.Store.find(ctx, a.same)
	if err != nil {
		return "", nil, err
	}
	for _, old := range known {
		p := k.places[old.id]
		_, sent := k.sent[old.id]
		if !old.keyed && (sent || p != nil && p.callers > 0) || !willing(c) && !old.begun() {
			continue
		}
		return old.id, k.join(old, c, hold), nil
	}
	if !willing(c) || len(k.places) >= maxKept || k.held+int64(len(c.Body)) > maxHeld {
		return "", nil, nil
	}
	if err := k.cfg.Store.insert(ctx, a); err != nil {
		return "", nil, err
	}
	return a.id, k.join(a, c, hold), nil
}

// join adds a caller to the place of a request. The lock must be held.
func (k *Collector) join(a ask, c *call.Call, hold *reservation) *place {
	p := k.places[a.id]
	if p == nil {
		p = &place{ready: make(chan struct{})}
		k.places[a.id] = p
		if a.result.Type != "" {
			close(p.ready)
		}
	}
	p.callers++
	k.held += int64(len(c.Body))
	if a.batch == 0 && a.result.Type == "" {
		k.money.take(a.id, hold)
		if k.wanted[a.id] = true; len(k.wanted) >= k.cfg.Max {
			tell(k.wake)
		}
	}
	return p
}

// lose notes that a caller has gone: what nobody waits for is not put into a
// batch before its caller comes again, for it costs money.
func (k *Collector) lose(id string, p *place) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if p.callers == 1 && k.wanted[id] {
		delete(k.wanted, id)
		k.money.forgo(id)
	}
}

// leave takes a caller away. The request stays: its caller may come again.
func (k *Collector) leave(id string, p *place, c *call.Call) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held -= int64(len(c.Body))
	if p.callers--; p.callers == 0 && k.places[id] == p {
		delete(k.places, id)
	}
}

// settle tells the callers of a request that it has its result, or is freed.
func (k *Collector) settle(id string, freed bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if p := k.places[id]; p != nil {
		p.freed = freed
		select {
		case <-p.ready:
		default:
			close(p.ready)
		}
	}
}

// Drain sends all callers away, who find what they wait for when they come
// again, and takes no more.
func (k *Collector) Drain() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.draining = true
	for _, p := range k.places {
		select {
		case <-p.ready:
		default:
			close(p.ready)
		}
	}
}

// answer makes the response of a place that is ready.
func (k *Collector) answer(ctx context.Context, c *call.Call, id string, p *place) (*http.Response, bool, error) {
	k.mu.Lock()
	freed, draining := p.freed, k.draining
	k.mu.Unlock()
	if freed {
		return nil, false, nil
	}
	a, err := k.cfg.Store.get(ctx, id)
	switch {
	case err != nil:
		return nil, true, &call.Refusal{Reason: call.InternalFailure, Cause: err}
	case a.result.Type == "" && draining:
		return nil, true, &call.Refusal{Reason: call.Draining, RetryIn: time.Second}
	}
	if a.result.Type == Errored && (c.Prompt.Marks > 0 || c.Plain != nil) {
		// It may be what the gateway has edited; the ordinary way can do without.
		return nil, false, k.cfg.Store.forget(ctx, id)
	}
	resp, err := respond(c, a.result)
	if err != nil {
		return nil, true, &call.Refusal{Reason: call.InternalFailure, Cause: err}
	}
	resp.Body = &delivery{Reader: resp.Body, k: k, call: c, id: id, status: resp.StatusCode}
	return resp, true, nil
}

// respond plays a result as the answer that the call has asked for.
func respond(c *call.Call, r Result) (*http.Response, error) {
	var whole struct {
		Message, Error json.RawMessage
	}
	if err := json.Unmarshal(r.Raw, &whole); err != nil {
		return nil, err
	}
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	body := []byte(whole.Message)
	resp.Header.Set("Content-Type", "application/json")
	switch {
	case r.Type != Succeeded:
		resp.StatusCode, body = statusOf(whole.Error), whole.Error
		resp.Header.Set("X-Should-Retry", "false")
	case c.Stream:
		list, err := message.Events(body)
		if err != nil {
			return nil, err
		}
		body = nil
		for _, e := range list {
			body = sse.Append(body, e.Name, e.Data)
		}
		resp.Header.Set("Content-Type", "text/event-stream; charset=utf-8")
		resp.Header.Set("Cache-Control", "no-cache")
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	if c.Stream && r.Type == Succeeded {
		resp.ContentLength = -1
	}
	return resp, nil
}

// statusOf is the status that goes with an error's type.
func statusOf(body []byte) int {
	return max(judge().Event(time.Time{}, body).Status, http.StatusBadRequest)
}

// delivery is an answer on its way to its caller.
type delivery struct {
	io.Reader
	k      *Collector
	call   *call.Call
	id     string
	status int
	once   sync.Once
}

// Read implements [io.Reader]. At the end all of it is on its way.
func (d *delivery) Read(p []byte) (int, error) {
	n, err := d.Reader.Read(p)
	if err == io.EOF {
		d.once.Do(func() {
			d.k.mu.Lock()
			d.k.sent[d.id] = time.Now()
			d.k.mu.Unlock()
			outcome, reason := "ok", ""
			if d.status >= http.StatusBadRequest {
				outcome, reason = "upstream_error", call.BadRequest.String()
			}
			d.k.cfg.End(d.call, d.status, outcome, reason)
		})
	}
	return n, err
}

// Close implements [io.Closer]. What was not read to its end is kept.
func (d *delivery) Close() error {
	d.once.Do(func() { d.k.cfg.End(d.call, 499, "client_gone", "") })
	return nil
}

// tell wakes whoever listens.
func tell(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
