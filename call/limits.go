package call

import (
	"cmp"
	"time"
)

// Limiter is one kind of bucket that the upstream keeps for an organization
// and a model group.
type Limiter uint8

// The limiters in the order in which reports list them.
const (
	Requests Limiter = iota
	InputTokens
	OutputTokens
	NumLimiters = 3
)

// String returns the word that the admin API uses.
func (l Limiter) String() string {
	return [...]string{"requests", "input_tokens", "output_tokens"}[l]
}

// Limits is what one response's headers say about the buckets. Every part may
// be missing.
type Limits struct {
	Organization string // anthropic-organization-id
	Workspace    string // anthropic-workspace-id
	Date         time.Time
	Bucket       [NumLimiters]Reading
	RetryAfter   time.Duration // only meaningful on 429 and 5xx; 0 if absent
}

// Reading is one limiter's part of the rate-limit headers. Known is false when
// its group of headers was absent.
type Reading struct {
	Known     bool
	Limit     float64   // per minute, also the capacity
	Remaining float64   // rounded upstream to 1,000 for tokens, clipped at 0
	Reset     time.Time // when the bucket will be full, truncated to 1 s
}

// Usage is what a call really cost, from the upstream's usage fields.
type Usage struct {
	Input      Tokens // uncached input_tokens
	CacheWrite Tokens // cache_creation_input_tokens
	CacheRead  Tokens // cache_read_input_tokens, free for most limiters
	Output     Tokens
	Exact      bool // false when part of it had to be estimated
	Unsure     bool // nothing came back: the upstream may charge for more than this

	// What else the price depends on.
	HourWrite Tokens // the part of CacheWrite that lives for an hour
	Searches  int64  // web searches of server tools
	Fast      bool   // speed: fast
	US        bool   // inference_geo: us
	Batch     bool   // service_tier: batch
	Model     string // that answered; "" if it did not say so
}

// Plus is the usage of both. The zero Usage adds nothing.
func (u Usage) Plus(o Usage) Usage {
	if o == (Usage{}) {
		return u
	}
	u.Input += o.Input
	u.CacheWrite += o.CacheWrite
	u.CacheRead += o.CacheRead
	u.Output += o.Output
	u.HourWrite += o.HourWrite
	u.Searches += o.Searches
	u.Exact = u.Exact && o.Exact
	u.Fast, u.US, u.Batch = u.Fast || o.Fast, u.US || o.US, u.Batch || o.Batch
	u.Model = cmp.Or(u.Model, o.Model)
	return u
}

// Charged is what the input limiter counts of u (anthropic-api.md §1.5).
func (u Usage) Charged() Tokens { return u.Input + u.CacheWrite }

// Headroom is the expected share left of each limiter, 0 to 1, negative while
// in debt and NaN where the limit is unknown.
type Headroom [NumLimiters]float64
