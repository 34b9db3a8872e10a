// Package limits reads the upstream's rate-limit headers (anthropic-api.md §2).
// Every group of them may be missing, and what is no number counts as missing.
package limits

import (
	"net/http"
	"strconv"
	"time"

	"github.com/weir-gateway/weir/call"
)

// The header names are spelt in canonical form, so that the map is read
// directly and nothing is allocated.
var groups = [call.NumLimiters]struct{ limit, remaining, reset string }{
	call.Requests: {
		"Anthropic-Ratelimit-Requests-Limit",
		"Anthropic-Ratelimit-Requests-Remaining",
		"Anthropic-Ratelimit-Requests-Reset",
	},
	call.InputTokens: {
		"Anthropic-Ratelimit-Input-Tokens-Limit",
		"Anthropic-Ratelimit-Input-Tokens-Remaining",
		"Anthropic-Ratelimit-Input-Tokens-Reset",
	},
	call.OutputTokens: {
		"Anthropic-Ratelimit-Output-Tokens-Limit",
		"Anthropic-Ratelimit-Output-Tokens-Remaining",
		"Anthropic-Ratelimit-Output-Tokens-Reset",
	},
}

// fastGroups are those of fast mode, which has buckets of its own. Its requests
// count with the others.
var fastGroups = [call.NumLimiters]struct{ limit, remaining, reset string }{
	call.Requests: groups[call.Requests],
	call.InputTokens: {
		"Anthropic-Fast-Input-Tokens-Limit",
		"Anthropic-Fast-Input-Tokens-Remaining",
		"Anthropic-Fast-Input-Tokens-Reset",
	},
	call.OutputTokens: {
		"Anthropic-Fast-Output-Tokens-Limit",
		"Anthropic-Fast-Output-Tokens-Remaining",
		"Anthropic-Fast-Output-Tokens-Reset",
	},
}

// Read returns what the headers say. The tokens-* group is ignored: it is the
// sum of the other two with the earlier reset, useless for pacing.
func Read(h http.Header) call.Limits {
	l := call.Limits{
		Organization: h.Get("Anthropic-Organization-Id"),
		Workspace:    h.Get("Anthropic-Workspace-Id"),
	}
	if d := h.Get("Date"); d != "" {
		l.Date, _ = http.ParseTime(d) // zero if unreadable
	}
	names := &groups
	if h["Anthropic-Fast-Input-Tokens-Limit"] != nil {
		names = &fastGroups
	}
	for i, g := range names {
		l.Bucket[i] = reading(first(h, g.limit), first(h, g.remaining), first(h, g.reset))
	}
	return l
}

func first(h http.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// maxLimit is far above any published limit; beyond it a number is nonsense.
const maxLimit = 1e12

func reading(limit, remaining, reset string) call.Reading {
	l, err1 := strconv.ParseFloat(limit, 64)
	r, err2 := strconv.ParseFloat(remaining, 64)
	if err1 != nil || err2 != nil || !(l > 0 && l < maxLimit) || !(r >= 0 && r < maxLimit) {
		return call.Reading{}
	}
	t, _ := time.Parse(time.RFC3339, reset) // zero if unreadable: remaining still counts
	return call.Reading{Known: true, Limit: l, Remaining: min(r, l), Reset: t}
}
