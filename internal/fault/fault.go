// Package fault tells the upstream's failures apart. [Judge] is one total
// function from an answer to a [call.Verdict]; what follows from a verdict is
// decided elsewhere.
//
// The order of evidence is that of anthropic-api.md §9: error_code, then
// status and type, then the beginning of the message, which is kept as data in
// rules.json. The package is pure.
package fault

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/weir-gateway/weir/call"
)

//go:embed rules.json
var rulesJSON []byte

type rule struct {
	Status    int    `json:"status"`
	Prefix    string `json:"prefix"`
	Contains  string `json:"contains"`
	Kind      string `json:"kind"`
	Workspace bool   `json:"workspace"`
}

// Judge holds the rules. It is immutable and safe for concurrent use.
type Judge struct {
	rules    []rule
	limiters []struct{ Contains, Limiter string }
	codes    map[string]call.Kind
	kinds    map[string]call.Kind
}

// New returns a judge with the built-in rules. The rules are part of the
// binary: it panics if they are broken, which a test rules out.
func New() *Judge {
	var file struct {
		Rules    []rule
		Limiters []struct{ Contains, Limiter string }
		Codes    map[string]string
	}
	if err := json.Unmarshal(rulesJSON, &file); err != nil {
		panic("fault: rules.json: " + err.Error())
	}
	j := &Judge{rules: file.Rules, limiters: file.Limiters, kinds: map[string]call.Kind{}, codes: map[string]call.Kind{}}
	for k := call.OK; k <= call.Unreachable; k++ {
		j.kinds[k.String()] = k
	}
	for code, kind := range file.Codes {
		j.codes[code] = j.kinds[kind]
	}
	return j
}

// body is the shape of every error (anthropic-api.md §3.1). Relays may send
// anything else, so that no field is relied on.
type body struct {
	Error struct {
		Type    string `json:"type"`
		Message string `json:"message"`
		Details struct {
			Code string `json:"error_code"`
		} `json:"details"`
	} `json:"error"`
}

// maxMessage is how much of an error message a verdict keeps.
const maxMessage = 500

// Answer judges an HTTP answer by its status, headers and (error) body.
func (j *Judge) Answer(now time.Time, status int, h http.Header, raw []byte) call.Verdict {
	v := call.Verdict{Status: status}
	if status < 400 {
		return v
	}
	v.RetryAfter = RetryAfter(h, now)
	return j.judge(now, v, raw)
}

// Event judges the data of an SSE error event, which comes after a status of
// 200 and says the real failure only by its type.
func (j *Judge) Event(now time.Time, raw []byte) call.Verdict {
	v := call.Verdict{}
	switch read(raw).Error.Type {
	case "overloaded_error":
		v.Status = 529
	case "rate_limit_error":
		v.Status = http.StatusTooManyRequests
	case "invalid_request_error":
		v.Status = http.StatusBadRequest
	case "billing_error":
		v.Status = http.StatusPaymentRequired
	case "request_too_large":
		v.Status = http.StatusRequestEntityTooLarge
	case "authentication_error":
		v.Status = http.StatusUnauthorized
	case "permission_error":
		v.Status = http.StatusForbidden
	case "not_found_error":
		v.Status = http.StatusNotFound
	case "timeout_error":
		v.Status = http.StatusGatewayTimeout
	default:
		v.Status = http.StatusInternalServerError
	}
	return j.judge(now, v, raw)
}

// Unreachable judges an attempt that got no answer, or not a whole one.
func Unreachable(cause error) call.Verdict {
	return call.Verdict{Kind: call.Unreachable, Message: shorten(cause.Error())}
}

// read takes from an error body what can be had. Relays have forms of their
// own: the message as the error itself, or at the top.
func read(raw []byte) body {
	var b body
	_ = json.Unmarshal(raw, &b) // what is no JSON says nothing; a field of another type is passed over
	if b.Error.Message == "" {
		var odd struct{ Error, Message, Detail string }
		_ = json.Unmarshal(raw, &odd)
		b.Error.Message = cmp.Or(odd.Error, odd.Message, odd.Detail)
	}
	return b
}

func (j *Judge) judge(now time.Time, v call.Verdict, raw []byte) call.Verdict {
	b := read(raw)
	v.Code, v.Type, v.Message = b.Error.Details.Code, b.Error.Type, shorten(b.Error.Message)
	message := strings.ToLower(strings.TrimSpace(v.Message))
	v.Kind = j.kind(&v, message)
	if v.Kind == call.RateLimited {
		v.Limiter, v.Named = j.limiter(message)
		v.Limit, v.Workspace = limitFigure(message)
	}
	if v.Kind == call.Ramp {
		v.RampNow, v.RampNext = rampFigures(message)
	}
	if v.Account() {
		v.Until = regainAt(v, message, now)
	}
	return v
}

func (j *Judge) kind(v *call.Verdict, message string) call.Kind {
	if k, ok := j.codes[v.Code]; ok {
		return k
	}
	for _, r := range j.rules {
		if r.Status == v.Status && strings.HasPrefix(message, r.Prefix) && strings.Contains(message, r.Contains) {
			v.Workspace = r.Workspace
			return j.kinds[r.Kind]
		}
	}
	return byStatus(v.Status, v.Type)
}

func byStatus(status int, kind string) call.Kind {
	switch {
	case status == 529 || kind == "overloaded_error":
		return call.Overloaded
	case status == http.StatusTooManyRequests && kind == "billing_error":
		return call.SpendCap // the form of Anthropic's own self-hosted gateway
	case status == http.StatusTooManyRequests:
		return call.RateLimited
	case status == http.StatusUnauthorized:
		return call.BadKey
	case status == http.StatusPaymentRequired, kind == "billing_error":
		return call.NoCredit
	case status == http.StatusForbidden:
		return call.Forbidden
	case status == http.StatusRequestTimeout:
		return call.UpstreamFailed
	case status >= 500:
		return call.UpstreamFailed
	}
	return call.BadRequest
}

func (j *Judge) limiter(message string) (call.Limiter, bool) {
	for _, r := range j.limiters {
		if strings.Contains(message, r.Contains) {
			for l := range call.Limiter(call.NumLimiters) {
				if l.String() == r.Limiter {
					return l, true
				}
			}
		}
	}
	return 0, false
}

var limitOf = regexp.MustCompile(`your (organization|workspace)(?:'s rate limit| \([^)]*\)) of ([\d,]+) `)

// limitFigure reads the limit that was exceeded, and whether it is one of the
// workspace alone, from the wordings of 2026 and 2025.
func limitFigure(message string) (limit float64, workspace bool) {
	m := limitOf.FindStringSubmatch(message)
	if m == nil {
		return 0, false
	}
	limit, _ = strconv.ParseFloat(strings.ReplaceAll(m[2], ",", ""), 64) // 0 where it is no number
	return limit, m[1] == "workspace"
}

var ramp = regexp.MustCompile(`current limit is ([\d,]+).*?increase to ([\d,]+)`)

// rampFigures reads the limits of this and the next minute, which the upstream
// gives only in words.
func rampFigures(message string) (now, next float64) {
	m := ramp.FindStringSubmatch(message)
	if m == nil {
		return 0, 0
	}
	now, err1 := strconv.ParseFloat(strings.ReplaceAll(m[1], ",", ""), 64)
	next, err2 := strconv.ParseFloat(strings.ReplaceAll(m[2], ",", ""), 64)
	if err1 != nil || err2 != nil || next <= now {
		return 0, 0
	}
	return now, next
}

var regain = regexp.MustCompile(`regain access on (\d{4}-\d{2}-\d{2})(?: at (\d{2}:\d{2}) utc)?`)

// regainAt reads the date from the message. The upstream gives it nowhere
// else; its tier caps last until the first of the next month, 00:00 UTC
// (anthropic-api.md §1.3).
func regainAt(v call.Verdict, message string, now time.Time) time.Time {
	if m := regain.FindStringSubmatch(message); m != nil {
		clock := m[2]
		if clock == "" {
			clock = "00:00"
		}
		if t, err := time.Parse("2006-01-02 15:04", m[1]+" "+clock); err == nil {
			return t
		}
	}
	if v.Kind == call.SpendCap {
		u := now.UTC()
		return time.Date(u.Year(), u.Month()+1, 1, 0, 0, 0, 0, time.UTC)
	}
	if v.RetryAfter > 0 { // limits of a Claude Code workspace have one
		return now.Add(v.RetryAfter).UTC()
	}
	return time.Time{}
}

// RetryAfter reads retry-after-ms and retry-after (seconds or a date). It is 0
// where there is none, or none that makes sense.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil {
		return span(ms / 1000)
	}
	text := h.Get("Retry-After")
	if s, err := strconv.ParseFloat(text, 64); err == nil {
		return span(s)
	}
	if t, err := http.ParseTime(text); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}

// span turns seconds into a duration, and nonsense into 0.
func span(s float64) time.Duration {
	const year = 366 * 24 * 3600
	if !(s > 0) || s > year {
		return 0
	}
	return time.Duration(s * float64(time.Second))
}

func shorten(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage], "") + "…"
}
