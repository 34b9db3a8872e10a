package cache

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/weir-gateway/weir/call"
)

// maxTries is how many failed flights a call has been on before it fails with
// the last of them: otherwise those who have joined would fail one after
// another, each by attempts of its own.
const maxTries = 3

// taker is one call that wants an answer which the cache does not hold.
type taker struct {
	room         *Room
	call         *call.Call
	kin          kin
	ask          asker
	reads, keeps bool
}

// take joins an equal call, or asks. Where the one that it has joined fails for
// a reason of its own, it goes on itself, or joins another that does.
func (t *taker) take(ctx context.Context) (*http.Response, error) {
	for tries := 1; ; tries++ {
		f, body, e := t.board(ctx)
		switch {
		case e != nil:
			if resp, ok := t.room.hit(t.call, e); ok {
				return resp, nil
			}
			return t.alone(ctx)
		case body != nil:
			t.room.misses.Add(1)
			return t.lead(ctx, f, body)
		}
		resp, err, ok := t.follow(ctx, f, tries >= maxTries)
		if ok {
			return resp, err
		}
	}
}

// board gets a place on the flight for calls of this kind. Where there is none,
// it begins one and returns the body of its answer, unless the answer has just
// come.
func (t *taker) board(ctx context.Context) (*flight, *reader, *entry) {
	r := t.room
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.flights[t.kin]
	if f != nil && t.reads {
		f.wanted++
		f.keep = f.keep || t.keeps
		return f, nil, nil
	}
	if t.reads {
		if e, ok := r.memory.get(time.Now(), t.kin.key); ok {
			return nil, nil, e
		}
	}
	t.call.Cached = call.CacheMiss
	next := r.newFlight(t.call, t.kin, t.keeps)
	if f == nil {
		r.flights[t.kin] = next
	}
	return next, next.start(ctx, t.ask), nil
}

// leave gives back a place. A flight that nobody wants any more is broken off,
// and the last one to leave waits until that has been booked: where the process
// ends with its last call, the books would be closed before.
func (r *Room) leave(f *flight) {
	r.mu.Lock()
	f.wanted--
	last := f.wanted == 0
	if last {
		r.remove(f)
	}
	r.mu.Unlock()
	if !last {
		return
	}
	f.cancel()
	patience := time.NewTimer(breakingOff)
	defer patience.Stop()
	select {
	case <-f.done:
	case <-patience.C:
	}
}

// breakingOff is how long a call that is broken off may take to notice.
const breakingOff = time.Second

// ground keeps further calls from boarding.
func (r *Room) ground(f *flight) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remove(f)
}

// remove forgets a flight. The caller holds r.mu.
func (r *Room) remove(f *flight) {
	if r.flights[f.kin] == f {
		delete(r.flights, f.kin)
	}
}

// lead waits for the answer to the call that is sent for t. If t's client leaves
// before it comes, and others want it, the call is booked once more, when their
// answer has ended.
func (t *taker) lead(ctx context.Context, f *flight, body *reader) (*http.Response, error) {
	select {
	case <-f.ready:
	case <-ctx.Done():
		body.Close()
		return nil, gone(ctx)
	}
	*t.call = *f.told
	if f.err != nil {
		body.Close()
		return nil, f.err
	}
	// The doors write into the header, which those who have joined read as well.
	return answer(f.resp.StatusCode, f.resp.Header.Clone(), body, f.resp.ContentLength), nil
}

// follow waits for the answer to an equal call. It reports false if there is
// none for t, which then has no place any more.
func (t *taker) follow(ctx context.Context, f *flight, last bool) (*http.Response, error, bool) {
	if err, ok := t.await(ctx, f); !ok {
		t.room.leave(f)
		if err != nil {
			return nil, err, true
		}
		resp, err := t.alone(ctx)
		return resp, err, true
	}
	if f.err != nil {
		t.room.leave(f)
		if last || concernsRequest(f.err) {
			t.call.Cached = call.CacheJoin
			return nil, f.err, true
		}
		return nil, nil, false
	}
	if !last && !forAll(f.resp.StatusCode) {
		t.room.leave(f)
		return nil, nil, false
	}
	resp, err := t.share(ctx, f)
	return resp, err, true
}

// await waits until the flight's answer begins. It reports false when t has
// given up: with an error if its client has left, without one if it has waited
// for as long as it may and the flight was not even sent.
func (t *taker) await(ctx context.Context, f *flight) (error, bool) {
	patience := time.NewTimer(time.Until(t.call.Deadline))
	defer patience.Stop()
	for {
		select {
		case <-f.ready:
			return nil, true
		case <-ctx.Done():
			return gone(ctx), false
		case <-patience.C:
			if t.room.books.Waits(f.leader) {
				return nil, false
			}
		}
	}
}

// share gives t the answer of a flight that it is on: as it comes if it has
// the form that t wants, else when it is whole.
func (t *taker) share(ctx context.Context, f *flight) (*http.Response, error) {
	t.joined(f)
	want, is := asMessage, shapeOf(f.resp.Header)
	if t.call.Stream {
		want = asEvents
	}
	if f.resp.StatusCode >= 300 || want == is {
		if body := f.read(ctx, t.call); body != nil {
			h := f.resp.Header.Clone()
			if f.resp.StatusCode < 300 {
				h = response(t.call.Stream, h.Get("Request-Id"), nil, 0).Header
			}
			return answer(f.resp.StatusCode, h, body, f.resp.ContentLength), nil
		}
		t.room.leave(f)
		return t.alone(ctx)
	}
	defer t.room.leave(f)
	select {
	case <-f.done:
	case <-f.long:
	case <-ctx.Done():
		return nil, gone(ctx)
	}
	return t.convert(ctx, f, is)
}

// convert answers t by what came in another form.
func (t *taker) convert(ctx context.Context, f *flight, is shape) (*http.Response, error) {
	select {
	case <-f.done:
	default:
		return t.alone(ctx) // too long
	}
	if !f.whole || is == asOpaque {
		return t.alone(ctx)
	}
	f.mu.Lock()
	raw := f.log
	f.mu.Unlock()
	body, err := converted(raw, is == asEvents)
	if err != nil {
		return t.alone(ctx)
	}
	e := f.booked()
	return response(t.call.Stream, f.resp.Header.Get("Request-Id"), replay(body, func(outcome string) {
		t.room.save(tokensOf(e.Usage), e.Cost)
		t.room.end(t.call, http.StatusOK, outcome)
	}), int64(len(body))), nil
}

// joined notes on t's call that it shares an answer.
func (t *taker) joined(f *flight) {
	t.room.joins.Add(1)
	t.call.Cached = call.CacheJoin
	t.call.Degraded = f.told.Degraded
	sent := f.told.Received.Add(f.told.Waited)
	t.call.Waited = max(0, sent.Sub(t.call.Received))
}

// alone asks for t itself.
func (t *taker) alone(ctx context.Context) (*http.Response, error) {
	t.room.misses.Add(1)
	t.call.Cached = call.CacheMiss
	return t.ask(ctx, t.call)
}

// concernsRequest reports whether every equal call would be refused alike.
func concernsRequest(err error) bool {
	r, ok := errors.AsType[*call.Refusal](err)
	if !ok {
		return false
	}
	switch r.Reason {
	case call.Malformed, call.BodyTooLarge, call.TooLarge:
		return true
	}
	return r.Verdict.Kind == call.BadRequest
}

// forAll reports whether every equal call would be answered with that status:
// it is no failure, or one of the request, whoever pays for it and whenever.
func forAll(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	}
	return status < 500
}

func gone(ctx context.Context) error {
	return &call.Refusal{Reason: call.ClientGone, Cause: context.Cause(ctx)}
}
