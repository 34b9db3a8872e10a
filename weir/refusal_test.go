package weir

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/weir-gateway/weir/call"
)

// promise is what the client of a refusal may count on.
type promise struct {
	status int
	kind   string // error.type
	scope  string
	who    string
	back   bool // coming back helps
}

// verdictsFor are the upstream's last words that change what a reason means.
var verdictsFor = map[call.Reason][]call.Verdict{
	call.AccountBlocked: {
		{Kind: call.SpendCap, Status: 429, Type: "rate_limit_error", Code: "enforced_spend_limit_reached"},
		{Kind: call.OwnLimit, Status: 400, Type: "invalid_request_error"},
		{Kind: call.NoCredit, Status: 402, Type: "billing_error"},
		{Kind: call.Disabled, Status: 400, Type: "invalid_request_error", Code: "organization_on_hold"},
		{Kind: call.BadKey, Status: 401, Type: "authentication_error"},
		{},
	},
	call.TimedOut:     {{}, {Kind: call.RateLimited}, {Kind: call.Overloaded}, {Kind: call.UpstreamFailed}, {Kind: call.Unreachable}},
	call.UpstreamDown: {{Kind: call.Unreachable}, {Kind: call.Overloaded}, {Kind: call.UpstreamFailed}, {}},
}

// promised is the table of DESIGN §2.5.
func promised(r call.Reason, v call.Verdict) promise {
	quota := promise{429, "rate_limit_error", "temporary", "wait", true}
	down := promise{502, "api_error", "temporary", "anthropic", true}
	switch r {
	case call.Malformed:
		return promise{400, "invalid_request_error", "request", "you", false}
	case call.BodyTooLarge, call.TooLarge:
		return promise{413, "request_too_large", "request", "you", false}
	case call.NotAllowed:
		return promise{404, "not_found_error", "request", "you", false}
	case call.NoKey, call.OAuthToken, call.BadToken:
		return promise{401, "authentication_error", "gateway", "you", false}
	case call.AccountBlocked:
		if v.Status == 0 {
			return promise{429, "rate_limit_error", "account", "admin", false}
		}
		return promise{v.Status, v.Type, "account", "admin", false}
	case call.ModelDenied:
		return promise{403, "permission_error", "gateway", "admin", false}
	case call.QueueFull:
		return quota
	case call.BatchRunning:
		return promise{504, "timeout_error", "temporary", "wait", true}
	case call.BudgetSpent:
		return promise{429, "rate_limit_error", "gateway", "admin", true}
	case call.RuleRefused:
		return promise{429, "rate_limit_error", "gateway", "wait", true}
	case call.Draining:
		return promise{503, "api_error", "gateway", "wait", true}
	case call.TimedOut, call.UpstreamDown:
		switch {
		case v.Kind == call.Overloaded:
			return promise{529, "overloaded_error", "temporary", "anthropic", true}
		case v.Kind == call.UpstreamFailed, v.Kind == call.Unreachable, r == call.UpstreamDown:
			return down
		}
		return quota
	}
	return promise{500, "api_error", "gateway", "admin", false}
}

// TestClientsObeyRefusals: for every reason and time, either the client is
// told to come back in 60 s at most, which all of them obey, or not to come
// back; never both, and never neither (clients.md).
func TestClientsObeyRefusals(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for reason := call.Malformed; reason <= call.InternalFailure; reason++ {
		verdicts := verdictsFor[reason]
		if verdicts == nil {
			verdicts = []call.Verdict{{}}
		}
		for _, v := range verdicts {
			want := promised(reason, v)
			for _, in := range []time.Duration{
				-time.Second, 0, time.Millisecond, time.Second, 1500 * time.Millisecond, 59 * time.Second,
				time.Minute, time.Minute + 1, 61 * time.Second, 83 * time.Second, time.Hour, 8 * 24 * time.Hour,
			} {
				r := &call.Refusal{
					Reason: reason, RetryIn: in, Verdict: v, Need: 5000, Limit: 1000, Waited: time.Minute,
					Detail: "detail", Cause: errors.New("cause"),
				}
				want := want
				t.Run(fmt.Sprintf("%v-%v-%v", reason, v.Kind, in), func(t *testing.T) {
					if reason == call.BudgetSpent && in <= 0 { // no period has enough for it
						want.back = false
					}
					checkPromise(t, refuse(now, &call.Call{ID: "weir_1", Lang: "en"}, r), want, in)
				})
			}
		}
	}
}

func checkPromise(t *testing.T, got refused, want promise, in time.Duration) {
	t.Helper()
	var e envelope
	if err := json.Unmarshal(got.body, &e); err != nil {
		t.Fatal(err)
	}
	w := e.Error.Details.Weir
	if (promise{got.status, e.Error.Type, w.Scope, w.Who, want.back}) != want {
		t.Errorf("got %d %s %s %s, want %+v", got.status, e.Error.Type, w.Scope, w.Who, want)
	}
	after, never := got.header.Get("Retry-After"), got.header.Get("X-Should-Retry")
	if !want.back || in > time.Minute {
		if after != "" || never != "false" {
			t.Errorf("retry-after %q, x-should-retry %q, want none and false", after, never)
		}
	} else {
		s, err := strconv.Atoi(after)
		if err != nil || s < 1 || s > 60 || float64(s) < math.Ceil(in.Seconds()) || never != "" {
			t.Errorf("retry-after %q, x-should-retry %q, want 1 to 60 s, not before %v, and none", after, never, in)
		}
	}
	if (w.RetryAt != nil) != (in > 0) {
		t.Errorf("retry_at %v for %v", w.RetryAt, in)
	}
	if e.Error.Details.Code == "" || e.Error.Message == "" || w.Hint == "" || e.RequestID != "weir_1" {
		t.Errorf("it lacks a part: %s", got.body)
	}
	if got.status == http.StatusForbidden && e.Error.Details.Code != call.ModelDenied.String() {
		t.Error("403 is never said of a quota or a token")
	}
}

// TestRefusalsInChinese: the language changes the words and nothing else.
func TestRefusalsInChinese(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	isHan := func(r rune) bool { return unicode.Is(unicode.Han, r) }
	for reason := call.Malformed; reason <= call.InternalFailure; reason++ {
		r := &call.Refusal{Reason: reason, RetryIn: time.Second, Need: 5, Limiter: call.OutputTokens, Detail: "detail"}
		en, zh := refuse(now, &call.Call{Lang: "en"}, r), refuse(now, &call.Call{Lang: "zh"}, r)
		var a, b envelope
		if err := errors.Join(json.Unmarshal(en.body, &a), json.Unmarshal(zh.body, &b)); err != nil {
			t.Fatal(err)
		}
		words := b.Error.Message + b.Error.Details.Weir.Hint
		if !strings.ContainsFunc(b.Error.Message, isHan) || !strings.ContainsFunc(b.Error.Details.Weir.Hint, isHan) {
			t.Errorf("%v: %q", reason, words)
		}
		b.Error.Message, b.Error.Details.Weir.Hint = a.Error.Message, a.Error.Details.Weir.Hint
		same, _ := json.Marshal(a)
		if other, _ := json.Marshal(b); string(same) != string(other) || en.status != zh.status ||
			en.header.Get("Retry-After") != zh.header.Get("Retry-After") {
			t.Errorf("%v: %d %s, and in Chinese %d %s", reason, en.status, same, zh.status, other)
		}
	}
}
