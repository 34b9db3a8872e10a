package refusals

import (
	"fmt"
	"strings"
)

const preamble = `# What clients make of refusals

Every way in which Weir refuses a request, and what the clients that people use make of it. This page is written by
` + "`make conformance`" + ` (its flag -update) from a run of the unmodified clients against the real front door; every further run
fails if one of its numbers of requests is no longer true, or if a call takes longer than promised.

## The promises

An SDK of Anthropic retries twice on its own. *Requests* is how many it makes then, and *within* how long its call may take
in all: the time that Weir holds each request, the retry-after that it is told (a quarter more, for jitter), and 2 s.
*Served* means that the client comes back when it was told to, and gets its answer. "API's own words" are passed on as they
are, without Weir's details; everything else is in English or Chinese, as the caller asks.

| refusal | when | status | type | error_code | the client is told | requests | within |
|---|---|---|---|---|---|---|---|
`

const middle = `
## What the clients did

Requests, and the seconds until the call returned: the larger figures of two calls, one in English and one in Chinese. Claude Code
is a test client by its measured rules, in virtual time: it retries up to ten times, drops its betas one by one on a 400, and
gives up at the third 529. Where there is a dash, the client never makes such a request.

`

// Table is the document of a run.
func Table(results Results) string {
	var b strings.Builder
	b.WriteString(promises())
	b.WriteString(middle)
	b.WriteString("| refusal | " + strings.Join(Clients, " | ") + " |\n|---" + strings.Repeat("|---", len(Clients)) + "|\n")
	for _, c := range Cases() {
		b.WriteString("| " + c.Name)
		for _, client := range Clients {
			b.WriteString(" | " + cell(results[c.Name], client))
		}
		b.WriteString(" |\n")
	}
	return b.String()
}

// promises is the part of the document that needs no run.
func promises() string {
	var b strings.Builder
	b.WriteString(preamble)
	for _, c := range Cases() {
		e := c.Expect
		status, code := fmt.Sprint(e.Status), e.Code
		if e.Status == 200 {
			status = "an event"
		}
		if code == "" {
			code = "—"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %d | %.1f s |\n",
			c.Name, c.When, status, e.Type, code, told(e), e.Requests, e.Within)
	}
	return b.String()
}

// told says what the answer tells the client to do.
func told(e Expect) string {
	switch {
	case e.Status == 200:
		return "that nothing more comes"
	case e.Served:
		return fmt.Sprintf("to come back within %d s: served", e.RetryAfter)
	case e.RetryAfter > 0:
		return fmt.Sprintf("to come back within %d s", e.RetryAfter)
	case e.Requests > 1:
		return "to try again"
	}
	return "not to come back"
}

func cell(by map[string]Result, client string) string {
	r, ok := by[client]
	if !ok {
		return "—"
	}
	return fmt.Sprintf("%d · %.1f s", r.Requests, r.Seconds)
}
