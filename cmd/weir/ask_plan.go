package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/weir"
)

// askPlan is what is known before a question is asked, as weir ask --dry-run
// --json prints it.
type askPlan struct {
	Model     string      `json:"model"`
	Input     call.Tokens `json:"input_tokens"` // of all requests
	Counted   bool        `json:"counted"`      // false: it is estimated
	Parts     int         `json:"parts"`        // 0: it would not be split
	Requests  int         `json:"requests"`     // parts, and what makes one answer of theirs
	MaxTokens int64       `json:"max_tokens"`
	MaxOutput call.Tokens `json:"max_output_tokens"` // of all requests
	MaxCost   call.USD    `json:"max_cost_usd"`      // if the answers take all of it
	Priced    bool        `json:"priced"`            // false: the model has no list price, and the dearest counts
	Wait      *float64    `json:"wait_s"`            // until the quota has let it pass; null: the quota is not known
	BoundBy   string      `json:"bound_by,omitempty"`
	Waiting   int         `json:"waiting"`  // calls that wait at the gateway now; they may go first
	TooLong   bool        `json:"too_long"` // for the model or the quota, and it would not be split
}

// foresee says what a question would take.
func (g *askGateway) foresee(ctx context.Context, f askFlags, q askRequest) (askPlan, error) {
	p := weir.Prospect{Header: q.header, Body: q.body, Split: g.splits(ctx)}
	var err error
	if p.Quota, err = g.quota(ctx, f); err != nil {
		return askPlan{}, given(ctx, err)
	}
	if f.count && g.answers {
		if p.Counted, err = g.count(ctx, q); err != nil {
			return askPlan{}, err
		}
	}
	c, err := weir.Foresee(p)
	if no, ok := errors.AsType[*weir.Error](err); ok {
		err = hinted{no, no.Hint}
		if no.Code == call.Malformed.String() {
			err = usageError{err}
		}
	}
	var queue call.QueueReport
	g.tells(ctx, "/api/v1/queue", &queue)
	plan := askPlan{
		Model: f.model, MaxTokens: f.maxTokens, Counted: p.Counted > 0, Input: c.Input, Parts: c.Parts, Requests: c.Calls,
		MaxOutput: c.Output, MaxCost: c.Cost, Priced: c.Priced, BoundBy: c.BoundBy, Waiting: queue.Waiting, TooLong: c.TooLong,
	}
	if c.BoundBy != "" {
		plan.Wait = new(c.Wait.Seconds())
	}
	return plan, err
}

// String is the plan on one line.
func (p askPlan) String() string {
	var b strings.Builder
	if !p.Counted {
		b.WriteString("about ")
	}
	fmt.Fprintf(&b, "%d input tokens for %s", p.Input, p.Model)
	if p.Parts > 0 {
		fmt.Fprintf(&b, " in %d parts and %d requests", p.Parts, p.Requests)
	}
	if p.Priced {
		fmt.Fprintf(&b, "; at most $%s", cents(p.MaxCost))
	} else {
		b.WriteString("; its price is not known")
	}
	switch {
	case p.Wait == nil:
		b.WriteString("; how long it takes is not known")
	case *p.Wait < 1:
		b.WriteString("; there is quota for it now")
	default:
		fmt.Fprintf(&b, "; at least %s, by the quota of %s", rounded(*p.Wait), strings.ReplaceAll(p.BoundBy, "_", " "))
	}
	if p.Waiting > 0 {
		fmt.Fprintf(&b, ", but %d others wait", p.Waiting)
	}
	if p.TooLong {
		b.WriteString("\nweir: that is too long for the model or the quota; with --split auto it would be asked in parts")
	}
	return b.String()
}

// rounded is a time in whole seconds.
func rounded(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second)).Round(time.Second)
}
