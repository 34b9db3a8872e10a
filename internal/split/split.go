// Package split answers a request that is too long to be sent as it is: it cuts
// the longest texts of the request into parts, asks about each of them, and
// makes one answer of their answers. It does so only for callers who want it,
// and never where tools are in use.
package split

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"sync/atomic"

	"github.com/weir-gateway/weir/call"
)

// Config says what is too long, and what becomes of it. The zero Config splits
// what exceeds the model's context window or the whole input bucket.
type Config struct {
	Above    call.Tokens // split requests of more input, too; 0: only those that could not be answered
	Part     call.Tokens // size of a part's text at most; 0: what the window and the bucket allow
	Overlap  call.Tokens // of two parts
	Merge    call.Merge  // for callers that do not say; MergeAsConfigured: reduce
	Batch    bool        // parts wait in class batch, whatever the caller's is
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
	house House
	cfg   atomic.Pointer[Config] // never changed
	cuts  memory
}

// New returns the room.
func New(cfg Config, h House) *Room {
	r := &Room{house: h}
	r.Configure(cfg)
	return r
}

// Configure changes the configuration, for calls that come from then on.
func (r *Room) Configure(cfg Config) {
	if cfg.Merge == call.MergeAsConfigured {
		cfg.Merge = call.MergeReduce
	}
	cfg.Parallel = cmp.Or(cfg.Parallel, DefaultParallel)
	cfg.MaxParts = cmp.Or(cfg.MaxParts, DefaultMaxParts)
	r.cfg.Store(&cfg)
}

type asker = func(context.Context, *call.Call) (*http.Response, error)

// maxResplits is how often a request is split anew when its parts turn out to be
// too large for a bucket that was not known before.
const maxResplits = 3

// Answer asks, or answers c in parts where it is too long.
func (r *Room) Answer(ctx context.Context, c *call.Call, ask asker) (*http.Response, error) {
	req, why := read(c.Body)
	j := &job{room: r, cfg: r.cfg.Load(), call: c, ask: ask, request: req, whole: r.house.Input(c)}
	bucket := r.house.Bucket(c)
	long := j.tooLong(bucket)
	if long && why == nothing {
		why = j.choose(bucket)
	}
	if !long || why != nothing {
		twin := c.Clone()
		resp, err := ask(ctx, c)
		limit := tooLarge(err)
		if limit == 0 && !refusedAsTooLong(resp) {
			return resp, err
		}
		bucket = cmp.Or(limit, bucket)
		if why == nothing {
			why = j.choose(bucket)
		}
		if why != nothing {
			return j.explain(resp, err, why)
		}
		if resp != nil {
			resp.Body.Close() // with its body what was sent is booked
		} else {
			twin.Story, twin.Lost = c.Story, c.Lost
		}
		*c = *twin // as it came
	}
	for range maxResplits {
		resp, err := j.answer(ctx)
		if resp != nil && resp.StatusCode != http.StatusOK {
			r.house.End(c, resp.StatusCode, "upstream_error", "part_failed")
		}
		limit := tooLarge(err)
		if limit == 0 || bucket > 0 && limit >= bucket {
			return resp, err
		}
		bucket = limit
		if why := j.choose(bucket); why != nothing {
			return j.explain(resp, err, why)
		}
	}
	return nil, &call.Refusal{Reason: call.TooLarge, Limiter: call.InputTokens, Need: j.whole, Limit: bucket}
}

// tooLarge is what the bucket holds that was too small for a call, or 0.
func tooLarge(err error) call.Tokens {
	if no, ok := errors.AsType[*call.Refusal](err); ok && no.Reason == call.TooLarge {
		return no.Limit
	}
	return 0
}
