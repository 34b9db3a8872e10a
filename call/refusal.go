package call

import (
	"fmt"
	"time"
)

// Reason says why Weir itself refuses a call. The door turns it into a status,
// an error type and words (DESIGN §2.5).
type Reason uint8

// The reasons for which Weir refuses a call.
const (
	Malformed       Reason = iota // the body is not a request; Detail says why
	BodyTooLarge                  // over the endpoint's size limit
	NotAllowed                    // path or method that Weir does not serve
	NoKey                         // neither the caller nor the gateway has a key
	OAuthToken                    // a consumer-subscription token
	BadToken                      // not a token of this gateway
	TooLarge                      // needs more than the whole bucket holds
	QueueFull                     // no place left to wait
	TimedOut                      // could not be sent before its deadline
	AccountBlocked                // spend cap, credit, key: see Verdict
	UpstreamDown                  // transient failures until the deadline
	Draining                      // the gateway is shutting down
	BatchRunning                  // a batch that may answer it has not ended before its deadline
	RuleRefused                   // a rule of the gateway's own protection; see Rule
	BudgetSpent                   // the money of a budget is spent, or would not do; see Budget
	ModelDenied                   // its caller may not use the model, or endpoint, that Detail names
	ClientGone                    // the caller went away
	NotReplayable                 // body of an unmetered endpoint broke off
	InternalFailure               // a defect of Weir
)

// RuleAtOnce is the [Refusal.Rule] of a call that found as many others under way
// until its deadline as the operator lets in at once.
const RuleAtOnce = "queue.at_once"

// Refusal is the one error by which rooms end a call. It carries facts, not
// words.
type Refusal struct {
	Reason  Reason
	Detail  string // what exactly is wrong, for the caller to mend
	Rule    string // the name of the rule that refuses, of a breaker or of protection
	Limiter Limiter
	Need    Tokens        // what the call needs of Limiter
	Limit   Tokens        // what Limiter holds
	RetryIn time.Duration // when it may succeed; 0: unknown or never
	Waited  time.Duration
	Budget  *Shortage // of a BudgetSpent
	Allowed []string  // of a ModelDenied: patterns of the models that the caller may use
	Verdict Verdict   // the upstream's last word, if there was one
	Cause   error
}

// Error returns the facts in English, for logs; callers of the API read the
// door's words instead.
func (r *Refusal) Error() string {
	s := r.Reason.String()
	if r.Detail != "" {
		s += ": " + r.Detail
	}
	if r.Cause != nil {
		s += fmt.Sprintf(": %v", r.Cause)
	}
	return s
}

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Cause }

// String returns the reason's code, as in error.details.error_code.
func (r Reason) String() string {
	return [...]string{
		"malformed_request", "body_too_large", "not_allowed", "no_api_key",
		"oauth_token_refused", "bad_gateway_token", "request_exceeds_quota",
		"queue_full", "wait_deadline", "account_blocked", "upstream_unavailable",
		"draining", "batch_running", "refused_by_rule", "budget_spent", "model_not_allowed", "client_gone",
		"body_not_replayable",
		"internal_error",
	}[r]
}

// Shortage says of which budget there is not enough left for a call.
type Shortage struct {
	Name    string
	Subject string // the tenant, token or model whose purse it is; "": everybody's
	Limit   USD
	Left    USD       // of the limit; what is set aside for calls under way is a part of it
	Need    USD       // the most that the call could cost
	Until   time.Time // when the budget starts anew
}
