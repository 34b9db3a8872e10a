package load

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// Policy is how a client retries. The zero Policy in a [Workload] means [SDK].
type Policy struct {
	Name    string // for people
	Retries int
	HintCap time.Duration // ignore a longer retry-after; 0 = obey any
}

// None never retries.
func None() Policy { return Policy{Name: "none"} }

// SDK retries as the official Go and TypeScript SDKs do by default
// (anthropic-api.md §4.1).
func SDK() Policy { return Policy{Name: "sdk", Retries: 2} }

// PythonSDK retries as the official Python SDK does: it does not believe a
// retry-after above a minute.
func PythonSDK() Policy {
	return Policy{Name: "python-sdk", Retries: 2, HintCap: time.Minute}
}

// ParsePolicy reads the name of a policy.
func ParsePolicy(name string) (Policy, bool) {
	for _, p := range []Policy{None(), SDK(), PythonSDK()} {
		if p.Name == name {
			return p, true
		}
	}
	return Policy{}, false
}

func (p Policy) validate() error {
	if p.Retries < 0 || p.HintCap < 0 {
		return fmt.Errorf("client: a number is negative")
	}
	return nil
}

// again reports whether the answer with this status is worth another attempt.
// Status 0 is no answer at all.
func (p Policy) again(status int, h http.Header) bool {
	switch h.Get("x-should-retry") {
	case "true":
		return true
	case "false":
		return false
	}
	switch status {
	case 0, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return true
	}
	return status >= 500
}

// delay returns how long to wait after attempt number n, counted from 0.
func (p Policy) delay(rng *rand.Rand, n int, h http.Header) time.Duration {
	d, ok := hint(h, time.Now())
	if ok && (p.HintCap == 0 || d > 0 && d <= p.HintCap) {
		return max(d, 0)
	}
	d = min(500*time.Millisecond<<min(n, 10), 8*time.Second)
	return d - time.Duration(rng.Int64N(int64(d/4)))
}

// hint reads what the server says about when to come back.
func hint(h http.Header, now time.Time) (time.Duration, bool) {
	if ms, err := strconv.ParseFloat(h.Get("retry-after-ms"), 64); err == nil {
		return time.Duration(ms * float64(time.Millisecond)), true
	}
	v := h.Get("retry-after")
	if s, err := strconv.ParseFloat(v, 64); err == nil {
		return time.Duration(s * float64(time.Second)), true
	}
	if t, err := time.Parse(time.RFC1123, v); err == nil {
		return t.Sub(now), true
	}
	return 0, false
}
