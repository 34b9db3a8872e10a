// Package split answers a request that is too long to be sent as it is: it cuts
// the longest text of the request into parts, asks about each of them, and makes
// one answer of their answers. It does so only for callers who want it, and
// never where tools are in use.
package split

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/textsplit"
)

// Config says what is too long, and what becomes of it. The zero Config splits
// what exceeds the model's context window or the whole input bucket.
type Config struct {
	Above    call.Tokens // split requests of more input, too; 0: only those that could not be answered
	Part     call.Tokens // size of a part's text at most; 0: what the window and the bucket allow
	Overlap  call.Tokens // of two parts
	Merge    call.Merge  // for callers that do not say; MergeAsConfigured: reduce
	Parallel int         // parts of a request that are under way at once; 0: 8
	MaxParts int         // more are refused; 0: 1000
}

// Defaults of [Config].
const (
	DefaultParallel = 8
	DefaultMaxParts = 1000
)

// House is what the room needs of the others.
type House struct {
	Part   func(c *call.Call, body []byte) (*call.Call, error)    // makes a call of its own
	Input  func(c *call.Call) call.Tokens                         // estimates a whole request
	Text   func(c *call.Call, text string) call.Tokens            // estimates a text of it
	Window func(model string) call.Tokens                         // of a model's context
	Bucket func(c *call.Call) call.Tokens                         // what the input bucket holds; 0: unknown
	End    func(c *call.Call, status int, outcome, reason string) // books a call that was not answered
}

// Room splits calls. It is safe for concurrent use.
type Room struct {
	cfg   Config
	house House
}

// New returns the room.
func New(cfg Config, h House) *Room {
	if cfg.Merge == call.MergeAsConfigured {
		cfg.Merge = call.MergeReduce
	}
	cfg.Parallel = cmp.Or(cfg.Parallel, DefaultParallel)
	cfg.MaxParts = cmp.Or(cfg.MaxParts, DefaultMaxParts)
	return &Room{cfg: cfg, house: h}
}

type asker = func(context.Context, *call.Call) (*http.Response, error)

// maxResplits is how often a request is split anew when its parts turn out to be
// too large for a bucket that was not known before.
const maxResplits = 3

// Answer asks, or answers c in parts where it is too long.
func (r *Room) Answer(ctx context.Context, c *call.Call, ask asker) (*http.Response, error) {
	req, ok := read(c.Body)
	if !ok {
		return ask(ctx, c)
	}
	whole, bucket := r.house.Input(c), r.house.Bucket(c)
	if !r.tooLong(c, whole, bucket) {
		twin := c.Clone()
		resp, err := ask(ctx, c)
		if bucket = tooLarge(err); bucket == 0 {
			return resp, err
		}
		c.Body = twin.Body // shape may have edited it
	}
	for range maxResplits {
		j := &job{room: r, call: c, ask: ask, request: req, size: r.size(c, whole, bucket, req)}
		resp, err := j.answer(ctx)
		if resp != nil && resp.StatusCode != http.StatusOK {
			r.house.End(c, resp.StatusCode, "upstream_error", "part_failed")
		}
		limit := tooLarge(err)
		if limit == 0 || bucket > 0 && limit >= bucket {
			return resp, err
		}
		bucket = limit
	}
	return nil, &call.Refusal{Reason: call.TooLarge, Limiter: call.InputTokens, Need: whole, Limit: bucket}
}

// tooLarge is what the bucket holds that was too small for a call, or 0.
func tooLarge(err error) call.Tokens {
	if no, ok := errors.AsType[*call.Refusal](err); ok && no.Reason == call.TooLarge {
		return no.Limit
	}
	return 0
}

func (r *Room) tooLong(c *call.Call, input, bucket call.Tokens) bool {
	return input > r.house.Window(c.Model)-c.MaxTokens ||
		bucket > 0 && input > bucket || r.cfg.Above > 0 && input > r.cfg.Above
}

// A part is smaller than what there is room for. The window may be exceeded by
// no token, and estimates are off by a fifth before anything is learned; a
// bucket that is asked for all it has waits until it is full, which it never
// quite is while others draw on it.
const (
	shareOfWindow = 0.75
	shareOfBucket = 0.30
	smallestPart  = 200
)

// size is how many tokens of the text a part of c may have.
func (r *Room) size(c *call.Call, whole, bucket call.Tokens, req *request) call.Tokens {
	rest := max(0, whole-r.house.Text(c, req.text)) // what each part has besides
	size := call.Tokens(float64(r.house.Window(c.Model)-c.MaxTokens)*shareOfWindow) - rest
	if bucket > 0 {
		size = min(size, call.Tokens(float64(bucket)*shareOfBucket)-rest)
	}
	if r.cfg.Above > 0 {
		size = min(size, r.cfg.Above-rest)
	}
	if r.cfg.Part > 0 {
		size = min(size, r.cfg.Part)
	}
	return max(size, smallestPart)
}

// job is one request that is answered in parts.
type job struct {
	room    *Room
	call    *call.Call
	ask     asker
	request *request
	size    call.Tokens // of a part's text
}

// answer asks about all parts and merges what comes.
func (j *job) answer(ctx context.Context) (*http.Response, error) {
	cost := func(piece string) call.Tokens { return j.room.house.Text(j.call, piece) }
	req := j.request
	bounds := textsplit.Bounds{Part: j.size, Overlap: j.room.cfg.Overlap}
	parts := textsplit.Split(req.text[len(req.head):len(req.text)-len(req.tail)], bounds, cost)
	if len(parts) > j.room.cfg.MaxParts {
		return nil, &call.Refusal{Reason: call.TooLarge, Limiter: call.InputTokens, Need: cost(req.text), Limit: j.size * call.Tokens(j.room.cfg.MaxParts)}
	}
	j.call.Parts = len(parts)
	bodies := make([][]byte, len(parts))
	long := req.text[len(req.head) : len(req.text)-len(req.tail)]
	for i, p := range parts {
		bodies[i] = req.with(req.head + partNote(j.call.Lang, i+1, len(parts)) + long[p.From:p.To] + req.tail)
	}
	began := time.Now()
	answers, failed, err := j.askAll(ctx, bodies)
	if failed != nil || err != nil {
		return failed, err
	}
	m := merged{answers: answers}
	switch cmp.Or(j.call.Split.Merge, j.room.cfg.Merge) {
	case call.MergeReduce:
		failed, err = j.reduce(ctx, &m)
	case call.MergeConcat:
		m.concat()
	}
	if failed != nil || err != nil {
		return failed, err
	}
	j.call.Attempts, j.call.Waited = m.attempts(), min(m.waited(), time.Since(began))
	return j.respond(&m)
}
