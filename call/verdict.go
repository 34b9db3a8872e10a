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

// Effect is what a verdict means for the key, organization or model that the
// attempt used: the first of the two decisions of DESIGN §6.
type Effect uint8

// The effects of a verdict.
const (
	NoEffect          Effect = iota // all is well, or the request alone is at fault
	HoldLane                        // the model's lane of the organization waits; no breaker counts it
	EaseModel                       // fewer calls of the model at once, whoever pays; the breaker counts it
	CountFailure                    // the breaker of the model and upstream counts it
	BlockKey                        // this key is of no use any more
	BlockWorkspace                  // nor is any key of its workspace, until a date or a person's act
	BlockOrganization               // nor is any key of its organization
)

// String returns the word used in logs and golden files.
func (e Effect) String() string {
	return [...]string{
		"none", "hold_lane", "ease_model", "count_failure",
		"block_key", "block_workspace", "block_organization",
	}[e]
}

// Effect decides what happens to the key, organization or model. It is total:
// a kind that it does not know has no effect.
func (v Verdict) Effect() Effect {
	switch v.Kind {
	case RateLimited, Ramp, Concurrency:
		return HoldLane
	case Overloaded:
		return EaseModel
	case UpstreamFailed, Unreachable:
		return CountFailure
	case BadKey:
		return BlockKey
	case SpendCap, OwnLimit, NoCredit, Disabled:
		if v.Workspace {
			return BlockWorkspace
		}
		return BlockOrganization
	}
	return NoEffect
}

// Course is what becomes of the request after a verdict: the second of the two
// decisions of DESIGN §6. Nothing is repeated after the client has got a first
// byte of content.
type Course uint8

// The courses that a request can take.
const (
	Deliver   Course = iota // the client gets the answer as it is
	Requeue                 // back through admission, at no cost to the retry budget
	Retry                   // again, at the cost of the retry budget
	Elsewhere               // with a key of another account; delivered if there is none
)

// String returns the word used in logs and golden files.
func (c Course) String() string {
	return [...]string{"deliver", "requeue", "retry", "elsewhere"}[c]
}

// Course decides what becomes of the request. It is total: what it does not
// know is delivered.
func (v Verdict) Course() Course {
	switch v.Effect() {
	case HoldLane, EaseModel:
		return Requeue
	case CountFailure:
		return Retry
	case BlockKey, BlockWorkspace, BlockOrganization:
		return Elsewhere
	}
	return Deliver
}

// Paced reports whether the request goes back through admission without
// drawing on the retry budget (DESIGN §6).
func (v Verdict) Paced() bool { return v.Course() == Requeue }

// Transient reports whether the same request may succeed later on its own.
func (v Verdict) Transient() bool { return v.Course() == Requeue || v.Course() == Retry }

// Account reports whether the whole account (or key) is blocked, so that no
// request of it can succeed before Until or a person's act.
func (v Verdict) Account() bool { return v.Course() == Elsewhere }

// Block names what blocks the account, finer than Kind: there are words for
// each (internal/words). It is of use only with an account's verdict.
func (v Verdict) Block() string {
	switch v.Kind {
	case SpendCap:
		if v.Code == "contract_spend_limit_reached" {
			return "contract_cap"
		}
	case OwnLimit:
		if v.Workspace {
			return "workspace_limit"
		}
	case Disabled:
		if v.Code == "organization_on_hold" {
			return "on_hold"
		}
	case NoCredit:
	default:
		return BadKey.String()
	}
	return v.Kind.String()
}
