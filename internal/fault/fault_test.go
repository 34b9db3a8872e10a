package fault_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/fault"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func errorBody(kind, message, code string) string {
	details := "null"
	if code != "" {
		details = `{"error_code":"` + code + `"}`
	}
	return `{"type":"error","error":{"type":"` + kind + `","message":"` + message + `","details":` + details + `},"request_id":"req_1"}`
}

func TestAnswer(t *testing.T) {
	december := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		status  int
		body    string
		kind    call.Kind
		limiter string
		until   time.Time
	}{
		"fine":            {status: 200, kind: call.OK},
		"input-2026":      {429, errorBody("rate_limit_error", "This request would exceed your organization's rate limit of 30,000 input tokens per minute (org: x, model: y).", ""), call.RateLimited, "input_tokens", time.Time{}},
		"output-2025":     {429, errorBody("rate_limit_error", "This request would exceed the rate limit for your organization (x) of 8,000 output tokens per minute.", ""), call.RateLimited, "output_tokens", time.Time{}},
		"requests":        {429, errorBody("rate_limit_error", "This request would exceed your organization's rate limit of 50 requests per minute", ""), call.RateLimited, "requests", time.Time{}},
		"input-2024":      {429, errorBody("rate_limit_error", "Number of request tokens has exceeded your per-minute rate limit", ""), call.RateLimited, "input_tokens", time.Time{}},
		"bare-429":        {429, "", call.RateLimited, "", time.Time{}},
		"ramp-code":       {429, errorBody("rate_limit_error", "whatever", "ramp_limit_exceeded"), call.Ramp, "", time.Time{}},
		"ramp-words":      {429, errorBody("rate_limit_error", "This request would exceed the maximum usage increase rate for input tokens per minute", ""), call.Ramp, "", time.Time{}},
		"concurrency":     {429, errorBody("rate_limit_error", "Number of concurrent connections has exceeded your rate limit.", ""), call.Concurrency, "", time.Time{}},
		"tier-cap":        {429, errorBody("rate_limit_error", "You have reached your API usage limits: your organization has crossed its monthly API usage threshold. You will regain access on 2026-12-01 at 00:00 UTC.", "enforced_spend_limit_reached"), call.SpendCap, "", december},
		"contract-cap":    {429, errorBody("rate_limit_error", "Contract used up.", "contract_spend_limit_reached"), call.SpendCap, "", december},
		"own-limit":       {400, errorBody("invalid_request_error", "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.", ""), call.OwnLimit, "", december},
		"workspace-limit": {400, errorBody("invalid_request_error", "You have reached your specified workspace API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.", ""), call.OwnLimit, "", december},
		"no-credit-400":   {400, errorBody("invalid_request_error", "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing.", ""), call.NoCredit, "", time.Time{}},
		"no-credit-402":   {402, errorBody("billing_error", "Payment problem", ""), call.NoCredit, "", time.Time{}},
		"disabled":        {400, errorBody("invalid_request_error", "This organization has been disabled.", ""), call.Disabled, "", time.Time{}},
		"on-hold":         {400, errorBody("invalid_request_error", "On hold", "organization_on_hold"), call.Disabled, "", time.Time{}},
		"bad-key":         {401, errorBody("authentication_error", "invalid x-api-key", ""), call.BadKey, "", time.Time{}},
		"forbidden":       {403, errorBody("permission_error", "no", ""), call.Forbidden, "", time.Time{}},
		"unknown-model":   {404, errorBody("not_found_error", "model: x", ""), call.BadRequest, "", time.Time{}},
		"bad-request":     {400, errorBody("invalid_request_error", "max_tokens: Field required", ""), call.BadRequest, "", time.Time{}},
		"too-large":       {413, "<html>cloudflare</html>", call.BadRequest, "", time.Time{}},
		"overloaded":      {529, errorBody("overloaded_error", "Overloaded", ""), call.Overloaded, "", time.Time{}},
		"overloaded-503":  {503, errorBody("overloaded_error", "Overloaded", ""), call.Overloaded, "", time.Time{}},
		"internal":        {500, errorBody("api_error", "Internal server error", ""), call.UpstreamFailed, "", time.Time{}},
		"timeout":         {504, errorBody("timeout_error", "timed out", ""), call.UpstreamFailed, "", time.Time{}},
		"relay-html":      {502, "<html>bad gateway</html>", call.UpstreamFailed, "", time.Time{}},
		"own-gateway-cap": {429, errorBody("billing_error", "spend limit reached (daily)", ""), call.SpendCap, "", december},
	} {
		t.Run(name, func(t *testing.T) {
			v := fault.New().Answer(now, tc.status, http.Header{}, []byte(tc.body))
			if v.Kind != tc.kind {
				t.Errorf("kind %v, want %v", v.Kind, tc.kind)
			}
			if v.Named != (tc.limiter != "") || (v.Named && v.Limiter.String() != tc.limiter) {
				t.Errorf("limiter %v (named %v), want %q", v.Limiter, v.Named, tc.limiter)
			}
			if !v.Until.Equal(tc.until) {
				t.Errorf("until %v, want %v", v.Until, tc.until)
			}
			if v.Workspace != (name == "workspace-limit") {
				t.Errorf("workspace %v", v.Workspace)
			}
		})
	}
}

func TestWorkspaceLimit(t *testing.T) {
	message := "This request would exceed your workspace's rate limit of 40,000 input tokens per minute (workspace: w, model: m)."
	v := fault.New().Answer(now, 429, http.Header{}, []byte(errorBody("rate_limit_error", message, "")))
	if v.Kind != call.RateLimited || !v.Workspace || v.Limit != 40_000 || v.Limiter != call.InputTokens {
		t.Errorf("read %+v", v)
	}
}

func TestRampFigures(t *testing.T) {
	message := "This request would exceed your organization's maximum usage increase rate for input tokens per minute. Your current limit is 58,276 input tokens per minute, which will increase to 68,276 at the next minute boundary."
	v := fault.New().Answer(now, 429, http.Header{}, []byte(errorBody("rate_limit_error", message, "ramp_limit_exceeded")))
	if v.RampNow != 58_276 || v.RampNext != 68_276 {
		t.Errorf("read %v and %v", v.RampNow, v.RampNext)
	}
}

func TestEvent(t *testing.T) {
	for kind, want := range map[string]call.Kind{
		"overloaded_error": call.Overloaded, "api_error": call.UpstreamFailed,
		"rate_limit_error": call.RateLimited, "invalid_request_error": call.BadRequest,
		"authentication_error": call.BadKey, "new_error": call.UpstreamFailed,
	} {
		if v := fault.New().Event(now, []byte(errorBody(kind, "x", ""))); v.Kind != want {
			t.Errorf("%s: %v, want %v", kind, v.Kind, want)
		}
	}
	if v := fault.New().Event(now, []byte("not json")); v.Kind != call.UpstreamFailed {
		t.Errorf("no JSON: %v", v.Kind)
	}
}

func TestRetryAfter(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "1.5": 1500 * time.Millisecond, "-3": 0, "NaN": 0,
		"soon": 0, "1e300": 0, now.Add(30 * time.Second).Format(http.TimeFormat): 30 * time.Second,
	} {
		if got := fault.RetryAfter(http.Header{"Retry-After": {in}}, now); got != want {
			t.Errorf("%q: got %v, want %v", in, got, want)
		}
	}
	both := http.Header{"Retry-After": {"7"}, "Retry-After-Ms": {"250"}}
	if got := fault.RetryAfter(both, now); got != 250*time.Millisecond {
		t.Errorf("milliseconds must win: %v", got)
	}
}

func TestUnreachable(t *testing.T) {
	v := fault.Unreachable(errors.New(strings.Repeat("é", 1000)))
	if v.Kind != call.Unreachable || len(v.Message) > 510 {
		t.Errorf("got %v with %d bytes", v.Kind, len(v.Message))
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(429, "7", errorBody("rate_limit_error", "x", "ramp_limit_exceeded"))
	f.Fuzz(func(t *testing.T, status int, after, body string) {
		v := fault.New().Answer(now, status, http.Header{"Retry-After": {after}}, []byte(body))
		if (v.Kind == call.OK) != (status < 400) || v.RetryAfter < 0 {
			t.Errorf("status %d: %+v", status, v)
		}
	})
}
