package limits_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/limits"
)

func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

func TestRead(t *testing.T) {
	got := limits.Read(header(
		"date", "Wed, 14 Jan 2026 20:56:04 GMT",
		"anthropic-organization-id", "org",
		"anthropic-workspace-id", "ws",
		"anthropic-ratelimit-requests-limit", "50",
		"anthropic-ratelimit-requests-remaining", "49",
		"anthropic-ratelimit-requests-reset", "2026-01-14T20:56:05Z",
		"anthropic-ratelimit-output-tokens-limit", "8000",
		"anthropic-ratelimit-output-tokens-remaining", "8000",
		"anthropic-ratelimit-output-tokens-reset", "nonsense",
	))
	want := call.Limits{
		Organization: "org", Workspace: "ws",
		Date: time.Date(2026, 1, 14, 20, 56, 4, 0, time.UTC),
	}
	want.Bucket[call.Requests] = call.Reading{Known: true, Limit: 50, Remaining: 49, Reset: time.Date(2026, 1, 14, 20, 56, 5, 0, time.UTC)}
	want.Bucket[call.OutputTokens] = call.Reading{Known: true, Limit: 8000, Remaining: 8000}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestReadNonsense(t *testing.T) {
	for _, bad := range [][2]string{{"", "1"}, {"x", "1"}, {"-5", "1"}, {"0", "0"}, {"NaN", "1"}, {"Inf", "1"}, {"5", "-1"}, {"5", "NaN"}} {
		got := limits.Read(header(
			"anthropic-ratelimit-requests-limit", bad[0],
			"anthropic-ratelimit-requests-remaining", bad[1]))
		if got.Bucket[call.Requests].Known {
			t.Errorf("%q must not count as known: %+v", bad, got)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("5", "4", "2026-01-14T20:56:05Z")
	f.Fuzz(func(t *testing.T, limit, remaining, reset string) {
		r := limits.Read(header(
			"anthropic-ratelimit-requests-limit", limit,
			"anthropic-ratelimit-requests-remaining", remaining,
			"anthropic-ratelimit-requests-reset", reset)).Bucket[call.Requests]
		if r.Known && !(r.Limit > 0 && r.Remaining >= 0 && r.Remaining <= r.Limit) {
			t.Errorf("nonsense was taken for known: %+v", r)
		}
	})
}
