package batch

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"time"

	"github.com/weir-gateway/weir/call"
)

// running is what [Collector.Run] knows of the batches under way.
type running struct {
	next   map[int64]time.Time  // when a batch is looked at again
	absent map[int64]time.Time  // lost batches that were not there, since when
	tries  map[int64]int        // readings of results that lacked some
	hold   time.Time            // no batch is made before it
	broke  map[string]time.Time // keys that could not pay, and until when they are passed over
	fails  int                  // in a row
	unsure bool                 // whether what is not marked as booked has been booked
}

const purgeEvery = time.Hour

// Run makes batches of the calls that wait and carries their results to the
// callers, until ctx is done. What an earlier life has left it goes on with.
func (k *Collector) Run(ctx context.Context) error {
	k.run = running{next: map[int64]time.Time{}, absent: map[int64]time.Time{}, tries: map[int64]int{}, broke: map[string]time.Time{}}
	k.run.unsure = true
	k.logged(ctx, "what was answered could not be booked", k.book(ctx))
	collect := time.NewTicker(k.cfg.Every)
	defer collect.Stop()
	purge := time.NewTicker(purgeEvery)
	defer purge.Stop()
	arrive := time.NewTicker(arrival)
	defer arrive.Stop()
	defer k.arrived(context.WithoutCancel(ctx), 0)
	for {
		next := k.poll(ctx)
		timer := time.NewTimer(max(0, time.Until(next)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		case <-collect.C:
			k.submit(ctx)
		case <-k.wake:
			k.submit(ctx)
		case <-arrive.C:
			k.arrived(ctx, arrival)
		case <-purge.C:
			k.logged(ctx, "old batches cannot be removed", k.cfg.Store.purge(ctx, time.Now().Add(-k.cfg.Keep)))
		}
		timer.Stop()
	}
}

// arrival is how long an answer may take from the gateway to its caller. One
// that is not marked as delivered when the process is killed is there for the
// caller who comes again; marked too early, it would be lost with the
// connection.
const arrival = 2 * time.Second

// arrived marks the answers as delivered that were sent so long ago.
func (k *Collector) arrived(ctx context.Context, ago time.Duration) {
	k.mu.Lock()
	var ids []string
	for id, at := range k.sent {
		if time.Since(at) >= ago {
			ids = append(ids, id)
		}
	}
	k.mu.Unlock()
	if len(ids) == 0 {
		return
	}
	err := k.cfg.Store.delivered(ctx, ids)
	k.logged(ctx, "it cannot be noted that callers have their answers", err)
	if err != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, id := range ids {
		delete(k.sent, id)
	}
}

// logged logs an error that is not the end of the gateway.
func (k *Collector) logged(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		k.cfg.Log.Warn("batches: "+what, "cause", err)
	}
}

// Limit bounds how many requests may be in the API's queue, as the Rate Limits
// API tells.
func (k *Collector) Limit(n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.limit = n
}

func (k *Collector) api(key string, f form) *API {
	h := f.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	h.Set("Weir-Class", call.Batch.String())
	return &API{Base: "http://weir", Header: h, Transport: k.cfg.Door(key), Query: f.Query}
}

// submit makes batches of all that waits, as far as the queue has room.
func (k *Collector) submit(ctx context.Context) {
	for ctx.Err() == nil && !time.Now().Before(k.run.hold) {
		more, err := k.one(ctx)
		if err != nil {
			k.logged(ctx, "no batch can be made for now", err)
			k.run.fails++
			k.run.hold = time.Now().Add(max(retryAfter(err), jitter(k.run.fails)))
			return
		}
		k.run.fails = 0
		if !more {
			break
		}
	}
}

func retryAfter(err error) time.Duration {
	f, ok := errors.AsType[*Failure](err)
	if !ok {
		return 0
	}
	if f.Verdict.Status == http.StatusTooManyRequests {
		return max(f.Verdict.RetryAfter, fullWait)
	}
	return f.Verdict.RetryAfter
}

// one makes one batch, and says whether there may be another.
func (k *Collector) one(ctx context.Context) (more bool, err error) {
	size, err := k.room(ctx)
	if err != nil || size == 0 {
		return false, err
	}
	key, ok := k.key()
	if !ok {
		return false, errors.New("no key can pay")
	}
	k.mu.Lock()
	wanted := maps.Clone(k.wanted)
	k.money.cutting = true
	k.mu.Unlock()
	b, body, err := k.cfg.Store.cut(ctx, cutOf{key: key.Print, size: size, wanted: wanted})
	taken := b.ids
	defer func() { k.taken(taken) }()
	if err != nil || b.size == 0 {
		return false, err
	}
	made, err := k.api(key.Print, b.shape()).Create(ctx, body)
	if err == nil {
		k.run.next[b.number] = time.Now().Add(firstPoll)
		k.unwant(b.ids)
		return true, k.cfg.Store.made(ctx, b.number, made.ID)
	}
	f, _ := errors.AsType[*Failure](err)
	switch {
	case f.doubtful():
		k.run.next[b.number] = time.Now().Add(firstPoll)
		k.unwant(b.ids)
		return false, err // it may be there: poll finds out
	case f.Fatal():
		k.run.broke[key.Print] = time.Now().Add(brokeFor)
		k.logged(ctx, "a key cannot pay for a batch", err)
		taken = nil
		return true, k.uncut(ctx, b) // another may
	case f.Transient():
		taken = nil
		return false, errors.Join(err, k.uncut(ctx, b))
	}
	// The API does not want them together: each takes the ordinary way.
	return true, k.free(ctx, b)
}

// uncut makes a batch that was certainly not made a heap of requests again.
func (k *Collector) uncut(ctx context.Context, b cutBatch) error {
	list, err := k.cfg.Store.asks(ctx, `batch = ?`, b.number)
	if err = errors.Join(err, k.cfg.Store.undo(ctx, b.number)); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, a := range list {
		if k.places[a.id] != nil {
			k.wanted[a.id] = true
		}
	}
	return nil
}

// unwant notes that requests are in a batch.
func (k *Collector) unwant(ids []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, id := range ids {
		delete(k.wanted, id)
	}
}

// free gives the requests of a batch back to their callers' calls.
func (k *Collector) free(ctx context.Context, b cutBatch) error {
	list, err := k.cfg.Store.asks(ctx, `batch = ? AND type = ''`, b.number)
	for _, a := range list {
		err = errors.Join(err, k.cfg.Store.forget(ctx, a.id))
		k.unwant([]string{a.id})
		k.spend(a.id, call.Usage{Exact: true})
		k.settle(a.id, true)
	}
	return errors.Join(err, k.cfg.Store.state(ctx, b.number, never))
}

// room is how many requests the next batch may have.
func (k *Collector) room(ctx context.Context) (int, error) {
	c, err := k.cfg.Store.counts(ctx)
	if err != nil || c.waiting == 0 {
		return 0, err
	}
	k.mu.Lock()
	limit := cmp.Or(k.limit, maxKept)
	k.mu.Unlock()
	return max(0, min(k.cfg.Max, limit-c.queued)), nil
}

// brokeFor is how long a key that could not pay is passed over.
const brokeFor = time.Minute

// key is the first that can pay, as far as is known.
func (k *Collector) key() (call.Key, bool) {
	for _, key := range k.cfg.Keys() {
		if !time.Now().Before(k.run.broke[key.Print]) {
			return key, true
		}
	}
	return call.Key{}, false
}

// poll looks at the batches whose time has come, and says when to do so again.
func (k *Collector) poll(ctx context.Context) (next time.Time) {
	next = time.Now().Add(lastPoll)
	open, err := k.cfg.Store.open(ctx)
	k.logged(ctx, "the store cannot be read", err)
	for _, b := range open {
		now := time.Now()
		if at := k.run.next[b.number]; now.Before(at) {
			next = earlier(next, at)
			continue
		}
		if b.state == intended {
			err = k.find(ctx, b)
		} else {
			err = k.look(ctx, b)
		}
		k.logged(ctx, "a batch cannot be looked at", err)
		k.run.next[b.number] = now.Add(max(retryAfter(err), min(lastPoll, max(firstPoll, now.Sub(b.at)/20))))
		next = earlier(next, k.run.next[b.number])
	}
	return next
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// find looks for a batch that may have been made.
func (k *Collector) find(ctx context.Context, b cutBatch) error {
	list, err := k.cfg.Store.asks(ctx, `batch = ?`, b.number)
	if err != nil {
		return err
	}
	ids := make(map[string]bool, len(list))
	for _, a := range list {
		ids[a.id] = true
	}
	id, f, err := resolve(ctx, k.api(b.key, b.shape()), lost{
		at: b.at, size: b.size, has: func(id string) bool { return ids[id] },
		ours: func(id string) bool { return k.cfg.Store.has(ctx, id) },
	})
	switch {
	case err != nil:
		return err
	case f == present:
		return k.cfg.Store.made(ctx, b.number, id)
	case f == unknown:
		delete(k.run.absent, b.number)
		return nil
	}
	if since, ok := k.run.absent[b.number]; !ok {
		k.run.absent[b.number] = time.Now()
		return nil
	} else if time.Since(since) < defaultSettle {
		return nil
	}
	return k.uncut(ctx, b)
}

// resultRows is how many results go into one transaction.
const resultRows = 500

// look polls a batch, and takes its results when it has ended.
func (k *Collector) look(ctx context.Context, b cutBatch) error {
	api := k.api(b.key, b.shape())
	shown, err := api.Get(ctx, b.id)
	if f, ok := errors.AsType[*Failure](err); ok && f.Verdict.Status == http.StatusNotFound && k.tried(b.number) {
		return errors.Join(err, k.free(ctx, b)) // somebody has deleted it
	}
	if err != nil || !shown.Ended() {
		return err
	}
	var heap []Result
	take := func() error {
		err := k.take(ctx, b, heap)
		heap = heap[:0]
		return err
	}
	err = api.Results(ctx, b.id, func(r Result) error {
		if heap = append(heap, r); len(heap) < resultRows {
			return nil
		}
		return take()
	})
	if err = errors.Join(err, take()); err != nil {
		return err
	}
	left, err := k.cfg.Store.asks(ctx, `batch = ? AND type = ''`, b.number)
	if err != nil || len(left) > 0 && !k.tried(b.number) {
		return err
	}
	return errors.Join(k.free(ctx, b), k.cfg.Store.state(ctx, b.number, finished), k.cfg.Store.sweep(ctx))
}

// tried counts the attempts that brought less than they should, and reports
// whether there were enough.
func (k *Collector) tried(number int64) bool {
	k.run.tries[number]++
	return k.run.tries[number] >= maxReadings
}

// take writes results down, books them, and tells those who wait for them. What
// has no answer, through no fault of its own, takes the ordinary way.
func (k *Collector) take(ctx context.Context, b cutBatch, results []Result) error {
	var good []Result
	for _, r := range results {
		if r.Type == Succeeded || r.Type == Errored && own(r) {
			good = append(good, r)
		}
	}
	if err := k.cfg.Store.results(ctx, b.number, good); err != nil {
		return err
	}
	if err := k.book(ctx); err != nil {
		return err
	}
	for _, r := range good {
		k.settle(r.ID, false)
	}
	return nil // the others are free when the batch is finished
}

// own reports whether an error is the request's own.
func own(r Result) bool {
	var whole struct{ Error json.RawMessage }
	if json.Unmarshal(r.Raw, &whole) != nil {
		return false
	}
	return !judge().Event(time.Time{}, whole.Error).Transient() && len(bytes.TrimSpace(whole.Error)) > 0
}
