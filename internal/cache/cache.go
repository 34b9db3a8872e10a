// Package cache answers calls by what the upstream has answered before, or is
// answering now. Only equal requests of one tenant share an answer, only
// answers that came to an end of their own are kept, and only calls take part
// whose caller or operator wants it (ADR 15).
//
// The memory is first; what is on disk or in Redis outlives it. A call whose
// answer is under way already joins it instead of asking a second time.
package cache

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Config says what is kept, for whom and where. The zero Config keeps answers
// in memory for the calls that ask for it.
type Config struct {
	Default  call.CacheWish // of calls that say nothing; CacheAsConfigured: off
	MaxBytes int64          // of the memory; 0: 256 MiB
	MaxAge   time.Duration  // of an answer; 0: 1 h
	Share    bool           // one tenant may get the answer to another's equal request

	Secret    call.Secret // of the keys; empty: the folder's, else a new one
	Folder    string      // for the secret and the disk; "": none
	Disk      bool        // keep answers in the folder, too
	DiskBytes int64       // 0: 1 GiB
	Redis     Redis       // without an address: none

	Log *slog.Logger // nil: nothing is logged
}

// Defaults of [Config].
const (
	DefaultMaxBytes  = 256 << 20
	DefaultMaxAge    = time.Hour
	DefaultDiskBytes = 1 << 30
)

// maxEntry is how large an answer is kept. The longest that models write have
// a few megabytes as a stream.
const maxEntry = 8 << 20

// Room is the cache. It is safe for concurrent use.
type Room struct {
	// Static after New.
	cfg    Config
	log    *slog.Logger
	books  Books
	secret []byte
	sealer sealer
	memory *memory
	stores []*keeper // besides the memory, the nearest first

	hits, misses, joins, saves atomic.Uint64 // saves counts tokens
	cost                       atomic.Int64  // a call.USD

	airborne sync.Map // flights, by the id of the call that is sent
	purges   purges

	mu      sync.Mutex // guards flights, and of each who wants it
	flights map[kin]*flight
}

// Books is where calls are booked that were not sent themselves.
type Books struct {
	// End books a call that has ended.
	End func(c *call.Call, status int, outcome, reason string)
	// Waits reports whether a call still waits to be sent.
	Waits func(id string) bool
}

// New returns the room. It opens the disk and contacts nobody; see [Room.Run].
func New(cfg Config, books Books) (*Room, error) {
	cfg.MaxBytes = cmp.Or(cfg.MaxBytes, DefaultMaxBytes)
	cfg.MaxAge = cmp.Or(cfg.MaxAge, DefaultMaxAge)
	cfg.DiskBytes = cmp.Or(cfg.DiskBytes, DefaultDiskBytes)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	r := &Room{cfg: cfg, log: cfg.Log, books: books, flights: map[kin]*flight{}}
	var err error
	if r.secret, err = newSecret(cfg, r.log); err != nil {
		return nil, err
	}
	if r.sealer, err = newSealer(r.secret); err != nil {
		return nil, err
	}
	if r.memory, err = openMemory(cfg.MaxBytes, cfg.MaxAge); err != nil {
		return nil, err
	}
	return r, r.openStores()
}

// Answer answers c from the cache or by joining an equal call, or asks.
func (r *Room) Answer(ctx context.Context, c *call.Call, ask asker) (*http.Response, error) {
	wish := c.CacheWish
	if wish == call.CacheAsConfigured {
		wish = cmp.Or(r.cfg.Default, call.CacheOff)
	}
	if wish == call.CacheOff {
		return ask(ctx, c)
	}
	k, err := r.keyOf(c)
	if err != nil {
		return ask(ctx, c) // there is no saying which requests equal it
	}
	t := &taker{
		room: r, call: c, ask: ask, reads: wish != call.CacheWrite, keeps: wish != call.CacheRead,
		kin: kin{key: k, class: c.Class, wait: c.MaxWait, noDegrade: c.NoDegrade, rungs: c.Wanted(), models: models(c)},
	}
	if t.reads {
		_, anyAge := c.InForce(call.RungCached)
		if e, ok := r.find(ctx, k, anyAge); ok {
			if anyAge && r.memory.old(time.Now(), e) {
				c.Degrade(call.RungCached)
			}
			if resp, ok := r.hit(c, e); ok {
				return resp, nil
			}
			c.Degraded = call.Degradation{}
		}
	}
	return t.take(ctx)
}

// models spells what c's caller may use; "" is any model.
func models(c *call.Call) string {
	if c.Models == nil {
		return ""
	}
	return fmt.Sprintf("%q", c.Models)
}

// KeepOld keeps answers in the memory that are too old, as long as there is
// room: the ladder may give them. The other stores let them go.
func (r *Room) KeepOld(on bool) { r.memory.keepOld.Store(on) }

// find looks for an entry in the memory and then in the other stores: young
// enough, or the youngest of any age.
func (r *Room) find(ctx context.Context, k key, anyAge bool) (*entry, bool) {
	now := time.Now()
	found, ok := r.memory.cache.GetIfPresent(k)
	for _, s := range r.stores {
		if ok && !r.memory.old(now, found) {
			break
		}
		e, kept := s.get(ctx, k)
		if !kept || r.purges.covers(e.Owner, e.Asked) || !anyAge && r.memory.old(now, e) || ok && !e.Asked.After(found.Asked) {
			continue
		}
		found, ok = e, true
		r.memory.put(k, e)
	}
	return found, ok && (anyAge || !r.memory.old(now, found))
}

// hit answers c by an entry.
func (r *Room) hit(c *call.Call, e *entry) (*http.Response, bool) {
	body := e.Body
	if e.Stream != c.Stream {
		var err error
		if body, err = converted(e.Body, e.Stream); err != nil {
			return nil, false
		}
	}
	r.hits.Add(1)
	c.Cached = call.CacheHit
	return response(c.Stream, e.Request, replay(body, func(outcome string) {
		r.save(e.Tokens, e.Cost)
		r.end(c, http.StatusOK, outcome)
	}), int64(len(body))), true
}

// end books a call that was not sent.
func (r *Room) end(c *call.Call, status int, outcome string) {
	if outcome == "client_gone" {
		status = 499
	}
	r.books.End(c, status, outcome, "")
}

// save counts what an answer would have cost.
func (r *Room) save(tokens call.Tokens, cost call.USD) {
	r.saves.Add(uint64(max(0, tokens)))
	r.cost.Add(int64(cost))
}

// tokensOf are all tokens of an answer, read or written.
func tokensOf(u call.Usage) call.Tokens { return u.Input + u.CacheRead + u.CacheWrite + u.Output }

// Event implements [call.Observer]: it tells a flight what its answer cost, and
// that it came to its end.
func (r *Room) Event(e call.Event) {
	if e.Cached != call.CacheMiss {
		return
	}
	if f, ok := r.airborne.Load(e.ID); ok {
		f.(*flight).book(e)
	}
}

// keep puts a whole answer into the stores, if somebody wants it there and it
// is what was asked for.
func (r *Room) keep(f *flight) {
	r.mu.Lock()
	wanted := f.keep
	r.mu.Unlock()
	kind, said := shapeOf(f.resp.Header), f.booked()
	if !wanted || f.resp.StatusCode != http.StatusOK || kind == asOpaque || said.Degraded.Rung != "" || !said.Usage.Exact {
		return
	}
	f.mu.Lock()
	body := f.log // nothing is added any more
	f.mu.Unlock()
	if len(body) > maxEntry || !complete(kind == asEvents, body) || r.purges.covers(f.owner, f.asked) {
		return
	}
	body = bytes.Clone(body) // a log has spare room at its end
	e := &entry{
		Owner: f.owner, Asked: f.asked, Stream: kind == asEvents, Request: f.resp.Header.Get("Request-Id"),
		Tokens: tokensOf(said.Usage), Cost: said.Cost, Body: body,
	}
	r.memory.put(f.kin.key, e)
	for _, s := range r.stores {
		s.put(f.kin.key, e)
	}
}

// Report tells what the cache holds and has saved.
func (r *Room) Report(now time.Time) call.CacheReport {
	report := call.CacheReport{
		At: now, Hits: r.hits.Load(), Misses: r.misses.Load(), Joins: r.joins.Load(), Evictions: r.memory.evicted.Load(),
		Saved: call.Tokens(r.saves.Load()), SavedUSD: call.USD(r.cost.Load()), Stores: []call.CacheStoreReport{},
	}
	report.Entries, report.Bytes = r.memory.size()
	for _, s := range r.stores {
		report.Stores = append(report.Stores, s.report())
	}
	return report
}
