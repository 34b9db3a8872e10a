package weir

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/weir-gateway/weir/call"
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
	Limit   *string `json:"limit"` // the limiter, or null
	RetryAt *string `json:"retry_at"`
	Who     string  `json:"who"` // who can change it: wait, you, admin or anthropic
	Hint    string  `json:"hint"`
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
	p := phrase(r)
	e := envelope{Type: "error", RequestID: c.ID}
	e.Error = errorPart{Type: p.kind, Message: p.message}
	e.Error.Details.Code = r.Reason.String()
	if r.Reason == call.AccountBlocked && r.Verdict.Code != "" {
		e.Error.Details.Code = r.Verdict.Code // clients know the upstream's own code
	}
	e.Error.Details.Weir = facts{Scope: p.scope, Who: p.who, Hint: p.hint}
	if r.Need > 0 || r.Reason == call.TimedOut {
		name := r.Limiter.String()
		e.Error.Details.Weir.Limit = &name
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

// phrases is what a reason means for the client.
type phrases struct {
	status  int
	kind    string // Anthropic's error type
	scope   string
	who     string
	message string
	hint    string
	waits   bool // coming back later helps
}

// phrase is the one place where reasons become statuses and words.
func phrase(r *call.Refusal) phrases {
	switch r.Reason {
	case call.Malformed:
		return request(http.StatusBadRequest, "invalid_request_error", r.Detail, "Mend the request and send it again.")
	case call.BodyTooLarge:
		return request(http.StatusRequestEntityTooLarge, "request_too_large", r.Detail, "Send less at once, or use the Files API for large documents.")
	case call.NotAllowed:
		return request(http.StatusNotFound, "not_found_error", r.Detail, "Weir serves the API's paths below /v1/. Check the base URL of your client.")
	case call.TooLarge:
		return tooLarge(r)
	case call.NoKey:
		return token("No API key came with the request, and this gateway has none of its own.",
			"Send your key in the x-api-key header, or start the gateway with ANTHROPIC_API_KEY set.")
	case call.OAuthToken:
		return token("This is a token of a Claude subscription. Its terms allow only Anthropic's own apps to use it, so Weir does not forward it.",
			"Create an API key in the Console and use that.")
	case call.BadToken:
		return token("This is not a token of this gateway.", "Ask whoever runs the gateway for a token.")
	case call.AccountBlocked:
		return blocked(r)
	}
	return temporary(r)
}

func request(status int, kind, message, hint string) phrases {
	return phrases{status: status, kind: kind, scope: "request", who: "you", message: message, hint: hint}
}

func token(message, hint string) phrases {
	return phrases{
		status: http.StatusUnauthorized, kind: "authentication_error", scope: "gateway",
		who: "you", message: message, hint: hint,
	}
}

func tooLarge(r *call.Refusal) phrases {
	return request(http.StatusRequestEntityTooLarge, "request_too_large",
		fmt.Sprintf("This request needs about %d input tokens, but the account's limit is %d per minute, so it could never be sent.", r.Need, r.Limit),
		"Split the text into smaller requests, or ask Anthropic for a higher input-token limit.")
}

// temporary phrases what waiting, or trying again, can mend.
func temporary(r *call.Refusal) phrases {
	p := phrases{status: http.StatusTooManyRequests, kind: "rate_limit_error", scope: "temporary", who: "wait", waits: true}
	again := fmt.Sprintf("Try again in about %s.", span(r.RetryIn))
	switch r.Reason {
	case call.TimedOut:
		p.message = fmt.Sprintf("The account's quota (%s) had no room for this request within the %s it could wait. ", words(r.Limiter), span(r.Waited)) + again
		p.hint = "Nothing is wrong with the request. Allow a longer wait (weir-max-wait), send fewer or smaller requests, or raise the limit."
		if r.Verdict.Kind == call.Overloaded || r.Verdict.Kind == call.UpstreamFailed || r.Verdict.Kind == call.Unreachable {
			return down(r, again)
		}
	case call.QueueFull:
		p.message = "Too many requests are waiting for quota already. " + again
		p.hint = "The gateway's queue is full; send less at once or raise its bound."
	case call.UpstreamDown:
		return down(r, again)
	case call.Draining:
		p.status, p.kind, p.scope = http.StatusServiceUnavailable, "api_error", "gateway"
		p.message, p.hint = "The gateway is shutting down.", "Send the request again; another instance will take it."
	default:
		p.status, p.kind, p.scope, p.who, p.waits = http.StatusInternalServerError, "api_error", "gateway", "admin", false
		p.message, p.hint = "Something went wrong inside the gateway: "+r.Error(), "Please report this with the request id."
	}
	return p
}

// down phrases that the provider, not the quota, is the obstacle.
func down(r *call.Refusal, again string) phrases {
	p := phrases{
		status: http.StatusBadGateway, kind: "api_error", scope: "temporary", who: "anthropic", waits: true,
		message: "The API could not be reached or kept failing. " + again,
		hint:    "This is not your quota and not your request. Check the status page and the network if it lasts.",
	}
	if r.Verdict.Kind == call.Overloaded {
		p.status, p.kind = 529, "overloaded_error"
		p.message = "Anthropic is overloaded at the moment. " + again
	}
	return p
}

// blocked phrases an account-level state. It keeps the status and type that
// the upstream gave, because clients know them.
func blocked(r *call.Refusal) phrases {
	v := r.Verdict
	p := phrases{status: v.Status, kind: v.Type, scope: "account", who: "admin"}
	if p.status == 0 {
		p.status = http.StatusTooManyRequests
	}
	if p.kind == "" {
		p.kind = "rate_limit_error"
	}
	until := "until somebody lifts it"
	if !v.Until.IsZero() {
		until = "until " + v.Until.UTC().Format("2006-01-02 15:04 MST")
	}
	switch v.Kind {
	case call.SpendCap:
		p.message = "The account has reached the monthly spend cap of its usage tier. Anthropic pauses it " + until + "."
		p.hint = "Ask for a higher tier or limit in the Console under Limits. Waiting a few minutes does not help."
	case call.OwnLimit:
		p.message = "The account has reached the spend limit that its own administrators set. It is paused " + until + "."
		p.hint = "An administrator can raise the limit in the Console under Limits."
	case call.NoCredit:
		p.message = "The account has no credit left, or its payment failed."
		p.hint = "Add credit in the Console under Plans & Billing."
	case call.Disabled:
		p.message = "Anthropic has disabled this organization or put it on hold."
		p.hint = "An administrator must contact Anthropic's support."
	default:
		p.message = "Anthropic refuses the gateway's API key: it is wrong, revoked or expired."
		p.hint = "Give the gateway a valid key."
	}
	p.message += " Weir sends no further requests of it meanwhile, except one a minute to check."
	return p
}

// words names a limiter for people.
func words(l call.Limiter) string {
	return [...]string{"requests per minute", "input tokens per minute", "output tokens per minute"}[l]
}

// span writes a duration for people.
func span(d time.Duration) string {
	if d < 2*time.Minute {
		return fmt.Sprintf("%d s", max(1, int(math.Ceil(d.Seconds()))))
	}
	if d < 2*time.Hour {
		return fmt.Sprintf("%d min", int(math.Ceil(d.Minutes())))
	}
	return fmt.Sprintf("%d h", int(math.Ceil(d.Hours())))
}
