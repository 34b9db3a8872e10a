// Package refusals brings about every refusal that a client of Weir can meet,
// for whoever wants to see what that client makes of it. Each [Case] has the
// real front door in a state in which it refuses: a queue that is full, an
// account that is blocked, an upstream that is down. Nothing is canned.
//
// [Open] builds one such house, in memory or on loopback. [Server] does it for
// clients in other languages, and keeps what they report; [Table] is the
// document that comes of it, docs/refusals.md.
package refusals

import (
	"strings"
	"time"
)

// Case is one refusal, and what it promises.
type Case struct {
	Name   string `json:"name"`
	When   string `json:"when"` // how it comes about, for people
	Ask    Ask    `json:"ask"`
	Expect Expect `json:"expect"`

	state state
}

// Ask is the request that meets the refusal, for an SDK to make in its way.
type Ask struct {
	Key     string            `json:"key"`    // "": send none
	Bearer  bool              `json:"bearer"` // send the key as Authorization
	Headers map[string]string `json:"headers"`
	Model   string            `json:"model"`
	Filler  int               `json:"filler"` // bytes of text
	Stream  bool              `json:"stream"`
	Prefix  string            `json:"prefix"` // of the path, at the end of the base URL
	Models  bool              `json:"models"` // list the models, instead of asking one
}

// Expect is what the client of a refusal may count on.
type Expect struct {
	Status     int     `json:"status"` // 200: the refusal is an event of a stream that has begun
	Type       string  `json:"type"`
	Code       string  `json:"code"`
	Own        bool    `json:"own"`         // in Weir's words, in the language asked for
	Facts      bool    `json:"facts"`       // with details.weir: what can be done, and by whom
	Served     bool    `json:"served"`      // the client comes back when told, and is answered
	RetryAfter int     `json:"retry_after"` // the longest in seconds; 0: it is told not to come back
	Hold       float64 `json:"hold_s"`      // how long Weir may keep one request
	Requests   int     `json:"requests"`    // that an SDK with its two retries makes
	Within     float64 `json:"within_s"`    // until an SDK's call has returned
}

// Longest is the longest retry-after that every client obeys.
const Longest = 60

// slack is what machines and networks may add to a promised time.
const slack = 2 * time.Second

// backoff is the longest that an SDK waits where it is not told for how long.
const backoff = 1 * time.Second

// settle fills in what follows from the rest: an SDK comes back twice, unless
// it is told not to or is served before.
func (e Expect) settle(asked Ask) Expect {
	e.Facts = e.Own && !strings.HasPrefix(e.Code, "stream_") // a stream that broke off was not refused
	if e.Requests == 0 {
		e.Requests = 1
		if e.RetryAfter > 0 {
			e.Requests = 3
		}
	}
	wait := max(float64(e.RetryAfter), backoff.Seconds())
	// SDKs may wait up to a quarter longer than they are told.
	e.Within = float64(e.Requests)*e.Hold + float64(e.Requests-1)*1.25*wait + slack.Seconds()
	e.Within += float64(asked.Filler) / (8 << 20) // to write and read the body
	return e
}

// Cases lists every refusal. Their names are unique.
func Cases() []Case {
	var all []Case
	for _, group := range [][]Case{requestCases(), waitCases(), accountCases(), upstreamCases(), streamCases(), gatewayCases()} {
		for _, c := range group {
			if c.Ask.Model == "" && c.Expect.Code != "malformed_request" {
				c.Ask.Model = model
			}
			if c.Ask.Key == "" && c.Expect.Code != "no_api_key" {
				c.Ask.Key = key
			}
			if c.Ask.Headers == nil {
				c.Ask.Headers = map[string]string{}
			}
			c.Expect = c.Expect.settle(c.Ask)
			all = append(all, c)
		}
	}
	return all
}

const (
	model = "claude-sonnet-5"
	key   = "sk-ant-api03-refusals"
)
