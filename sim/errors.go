package sim

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// apiError is a refusal in the API's own shape: Anthropic docs, errors.
type apiError struct {
	status     int
	kind       string
	message    string
	code       string         // error.details.error_code
	details    map[string]any // further details
	retryAfter int            // seconds; 0: no header
	anonymous  bool           // sent before the organization is known
	noHint     bool           // without x-should-retry
}

// invalid is the plainest of them.
func invalid(message string) *apiError {
	return &apiError{status: http.StatusBadRequest, kind: "invalid_request_error", message: message}
}

func notFound(message string) *apiError {
	return &apiError{status: http.StatusNotFound, kind: "not_found_error", message: message}
}

// body returns the error as JSON.
func (e *apiError) body(requestID string) []byte {
	var details any
	if e.code != "" || e.details != nil {
		m := map[string]any{}
		maps.Copy(m, e.details)
		if e.code != "" {
			m["error_code"] = e.code
		}
		details = m
	}
	type inner struct {
		Details any    `json:"details"`
		Type    string `json:"type"`
		Message string `json:"message"`
	}
	raw, err := json.Marshal(struct {
		Type      string `json:"type"`
		Error     inner  `json:"error"`
		RequestID string `json:"request_id"`
	}{"error", inner{details, e.kind, e.message}, requestID})
	if err != nil {
		return []byte(`{"type":"error"}`) // strings and numbers always marshal
	}
	return raw
}

// writeHeaders sets the headers that go with the error.
func (e *apiError) writeHeaders(h http.Header) {
	if e.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(e.retryAfter))
	}
	switch {
	case e.noHint:
	case e.status == http.StatusTooManyRequests || e.status >= 500:
		h.Set("X-Should-Retry", "true")
	default:
		h.Set("X-Should-Retry", "false")
	}
}

// standard are the errors by status, with their types and usual words.
func standard(status int) *apiError {
	e := &apiError{status: status}
	switch status {
	case 400:
		e.kind, e.message = "invalid_request_error", "Error"
	case 401:
		e.kind, e.message, e.anonymous = "authentication_error", "invalid x-api-key", true
	case 402:
		e.kind, e.message = "billing_error", "There is an issue with your billing or payment information."
	case 403:
		e.kind, e.message = "permission_error", "Your API key does not have permission to use the specified resource."
	case 404:
		e.kind, e.message = "not_found_error", "Not found"
	case 409:
		e.kind, e.message = "conflict_error", "The request conflicts with the current state of the resource."
	case 413:
		e.kind, e.message, e.anonymous = "request_too_large", "Request exceeds the maximum size", true
	case 429:
		e.kind, e.message = "rate_limit_error", "This request would exceed your organization's rate limit."
	case 503:
		e.kind, e.message, e.code = "api_error", "The customer-managed key is unreachable.", "cmek_key_unreachable"
	case 504:
		e.kind, e.message = "timeout_error", "The request timed out while processing."
	case 529:
		e.kind, e.message = "overloaded_error", "Overloaded"
	default:
		e.kind, e.message = "api_error", "Internal server error"
		if status < 500 {
			e.kind, e.message = "invalid_request_error", http.StatusText(status)
		}
	}
	return e
}

// account returns the errors that concern the whole account, by the kind of
// the scenario's fault. They name the day on which access comes back.
func account(kind string, now time.Time) *apiError {
	year, month, _ := now.UTC().Date()
	regain := time.Date(year, month+1, 1, 0, 0, 0, 0, time.UTC).Format("2006-01-02") + " at 00:00 UTC."
	capped := func(code, message string) *apiError {
		e := standard(429)
		// Whether the API hints at a retry here is unknown, so it does not.
		e.code, e.message, e.noHint = code, "You have reached your API usage limits: "+message+regain, true
		return e
	}
	switch kind {
	case FaultEnforcedSpendLimit:
		return capped("enforced_spend_limit_reached",
			"your organization has crossed its monthly API usage threshold, based on its usage tier. You will regain access on ")
	case FaultContractSpendLimit:
		return capped("contract_spend_limit_reached",
			"your organization has reached the spend limit of its contract. You will regain access on ")
	case FaultOwnSpendLimit:
		return invalid("You have reached your specified API usage limits. You will regain access on " + regain)
	case FaultOwnWorkspaceSpendLimit:
		return invalid("You have reached your specified workspace API usage limits. You will regain access on " + regain)
	case FaultNoCredit:
		return invalid("Your credit balance is too low to access the Anthropic API. " +
			"Please go to Plans & Billing to upgrade or purchase credits.")
	case FaultDisabled:
		return invalid("This organization has been disabled.")
	case FaultOnHold:
		e := invalid("Your organization's access is on hold.")
		e.code = "organization_on_hold"
		e.details = map[string]any{"appeal_url": "https://support.example.com/appeal"}
		return e
	}
	return nil
}
