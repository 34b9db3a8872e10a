package call

import "time"

// Kind is the class of a failure: what it was, from which both decisions
// follow (what happens to the key or organization, what to the request).
type Kind uint8

// The kinds of failure (DESIGN §6, anthropic-api.md §3).
const (
	OK             Kind = iota
	RateLimited         // 429: requests, input or output per minute
	Ramp                // 429 ramp_limit_exceeded: usage rose too fast
	Concurrency         // 429: too many connections at once
	SpendCap            // 429 enforced or contract spend cap of the organization
	OwnLimit            // 400: a limit that the organization set itself
	NoCredit            // 400 or 402: credit or billing
	Disabled            // 400: organization disabled or on hold
	BadKey              // 401
	Forbidden           // 403
	BadRequest          // other 4xx: the request itself
	Overloaded          // 529
	UpstreamFailed      // 500, 503, 504 and other 5xx
	Unreachable         // no answer: connection, TLS, reset, early EOF
)

// String returns the word used in metrics and logs.
func (k Kind) String() string {
	return [...]string{
		"ok", "rate_limited", "ramp", "concurrency", "spend_cap", "own_limit",
		"no_credit", "disabled", "bad_key", "forbidden", "bad_request",
		"overloaded", "upstream_failed", "unreachable",
	}[k]
}

// Verdict is what Weir concludes from one answer of the upstream.
type Verdict struct {
	Kind       Kind
	Limiter    Limiter       // which limiter a RateLimited names; see Named
	Named      bool          // whether Limiter is known
	RetryAfter time.Duration // from the headers; 0 if absent
	Until      time.Time     // when an account-level block ends; zero if unknown
	Workspace  bool          // what is blocked or limited is the workspace only
	Limit      float64       // with RateLimited: the limit that the message names; 0 if none
	RampNow    float64       // with Ramp: the limit of the running minute; 0 if not said
	RampNext   float64       // with Ramp: that of the next minute
	Code       string        // error.details.error_code, or ""
	Type       string        // error.type, or ""
	Message    string        // error.message, shortened
	Status     int           // HTTP status; 0 if there was no answer
}

// Paced reports whether the request goes back through admission without
// drawing on the retry budget (DESIGN §6).
func (v Verdict) Paced() bool {
	switch v.Kind {
	case RateLimited, Ramp, Concurrency, Overloaded:
		return true
	}
	return false
}

// Transient reports whether the same request may succeed later on its own.
func (v Verdict) Transient() bool {
	return v.Paced() || v.Kind == UpstreamFailed || v.Kind == Unreachable
}

// Account reports whether the whole account (or key) is blocked, so that no
// request of it can succeed before Until or a person's act.
func (v Verdict) Account() bool {
	switch v.Kind {
	case SpendCap, OwnLimit, NoCredit, Disabled, BadKey:
		return true
	}
	return false
}
