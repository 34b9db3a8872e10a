package weir

import (
	"cmp"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/words"
)

// envelope is the shape of every error that Weir itself gives (DESIGN §2.5):
// Anthropic's error JSON with Weir's facts under details.
type envelope struct {
	Type      string    `json:"type"`
	Error     errorPart `json:"error"`
	RequestID string    `json:"request_id"`
}

type errorPart struct {
	Type    string  `json:"type"`
	Message string  `json:"message"`
	Details details `json:"details"`
}

type details struct {
	Code string `json:"error_code"`
	Weir facts  `json:"weir"`
}

type facts struct {
	Scope   string  `json:"scope"` // temporary, account, request or gateway
	Limit   *string `json:"limit"` // the limiter or budget, or null
	RetryAt *string `json:"retry_at"`
	Who     string  `json:"who"` // who can change it: wait, you, admin or anthropic
	Hint    string  `json:"hint"`
	Rule    string  `json:"rule,omitempty"` // the rule that refused, if one did
}

// retryable is the longest retry-after that every client obeys: Claude Code
// gives up above it, the Python SDK ignores it, the TypeScript SDK sleeps on.
const retryable = 60 * time.Second

// refused is a refusal in the form in which a client gets it.
type refused struct {
	status int
	header http.Header
	body   []byte
}

// refuse puts a refusal into words and headers.
func refuse(now time.Time, c *call.Call, r *call.Refusal) refused {
	p, text := termsOf(r), book().Refusal(c.Lang, r)
	e := envelope{Type: "error", RequestID: c.ID}
	e.Error = errorPart{Type: p.kind, Message: text.Message}
	e.Error.Details.Code = r.Reason.String()
	if r.Reason == call.AccountBlocked && r.Verdict.Code != "" {
		e.Error.Details.Code = r.Verdict.Code // clients know the upstream's own code
	}
	e.Error.Details.Weir = facts{Scope: p.scope, Who: p.who, Hint: text.Hint, Rule: r.Rule}
	if r.Need > 0 || r.Reason == call.TimedOut {
		name := r.Limiter.String()
		e.Error.Details.Weir.Limit = &name
	}
	if r.Budget != nil {
		e.Error.Details.Weir.Limit = &r.Budget.Name
	}
	if r.RetryIn > 0 {
		at := now.Add(r.RetryIn).UTC().Truncate(time.Second).Format(time.RFC3339)
		e.Error.Details.Weir.RetryAt = &at
	}
	out := refused{status: p.status, header: http.Header{}}
	out.body, _ = json.Marshal(e) // strings and numbers only: it cannot fail
	out.header.Set("Content-Type", "application/json")
	out.header.Set("Request-Id", c.ID)
	if p.waits && r.RetryIn <= retryable {
		after := max(1, int(math.Ceil(r.RetryIn.Seconds())))
		out.header.Set("Retry-After", strconv.Itoa(after))
	} else {
		out.header.Set("X-Should-Retry", "false")
	}
	return out
}

// book is read once, at the first refusal: it is a constant that takes work.
var book = sync.OnceValue(words.New)

// interrupted says why a stream has no end.
func interrupted(lang, reason string) string { return book().Interrupted(lang, reason) }

// terms is what a reason means for a client; the words for people come from
// package words.
type terms struct {
	status int
	kind   string // Anthropic's error type
	scope  string
	who    string
	waits  bool // coming back later helps
}

// termsOf is the one place where reasons become statuses.
func termsOf(r *call.Refusal) terms {
	switch r.Reason {
	case call.Malformed:
		return terms{status: http.StatusBadRequest, kind: "invalid_request_error", scope: "request", who: "you"}
	case call.BodyTooLarge, call.TooLarge:
		return terms{status: http.StatusRequestEntityTooLarge, kind: "request_too_large", scope: "request", who: "you"}
	case call.NotAllowed:
		return terms{status: http.StatusNotFound, kind: "not_found_error", scope: "request", who: "you"}
	case call.NoKey, call.OAuthToken, call.BadToken:
		return terms{status: http.StatusUnauthorized, kind: "authentication_error", scope: "gateway", who: "you"}
	case call.ModelDenied:
		return terms{status: http.StatusForbidden, kind: "permission_error", scope: "gateway", who: "admin"}
	case call.AccountBlocked:
		return blocked(r.Verdict)
	case call.QueueFull:
		return terms{status: http.StatusTooManyRequests, kind: "rate_limit_error", scope: "temporary", who: "wait", waits: true}
	case call.BatchRunning:
		return terms{status: http.StatusGatewayTimeout, kind: "timeout_error", scope: "temporary", who: "wait", waits: true}
	case call.RuleRefused:
		return terms{status: http.StatusTooManyRequests, kind: "rate_limit_error", scope: "gateway", who: "wait", waits: true}
	case call.BudgetSpent:
		return terms{status: http.StatusTooManyRequests, kind: "rate_limit_error", scope: "gateway", who: "admin", waits: r.RetryIn > 0}
	case call.TimedOut, call.UpstreamDown:
		return late(r)
	case call.Draining:
		return terms{status: http.StatusServiceUnavailable, kind: "api_error", scope: "gateway", who: "wait", waits: true}
	}
	return terms{status: http.StatusInternalServerError, kind: "api_error", scope: "gateway", who: "admin"}
}

// late tells what was the obstacle to a call that ran out of time: the quota,
// or the provider.
func late(r *call.Refusal) terms {
	switch k := r.Verdict.Kind; {
	case k == call.Overloaded:
		return terms{status: 529, kind: "overloaded_error", scope: "temporary", who: "anthropic", waits: true}
	case words.Untrusted(r.Cause):
		return terms{status: http.StatusBadGateway, kind: "api_error", scope: "gateway", who: "admin", waits: true}
	case r.Reason == call.UpstreamDown, k == call.UpstreamFailed, k == call.Unreachable:
		return terms{status: http.StatusBadGateway, kind: "api_error", scope: "temporary", who: "anthropic", waits: true}
	}
	return terms{status: http.StatusTooManyRequests, kind: "rate_limit_error", scope: "temporary", who: "wait", waits: true}
}

// blocked keeps the status and type that the upstream gave for an account's
// state, because clients know them.
func blocked(v call.Verdict) terms {
	return terms{
		status: cmp.Or(v.Status, http.StatusTooManyRequests), kind: cmp.Or(v.Type, "rate_limit_error"),
		scope: "account", who: "admin",
	}
}
