package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/question"
)

// askAnswer is what weir ask --json prints.
type askAnswer struct {
	Text      string      `json:"text"`
	Model     string      `json:"model"`
	Stop      string      `json:"stop_reason"`
	Input     call.Tokens `json:"input_tokens"`
	CacheRead call.Tokens `json:"cache_read_tokens"`
	CacheMade call.Tokens `json:"cache_write_tokens"`
	HourMade  call.Tokens `json:"cache_write_1h_tokens"` // part of the above
	Output    call.Tokens `json:"output_tokens"`
	Tier      string      `json:"service_tier,omitempty"`
	Cost      call.USD    `json:"cost_usd"`
	Priced    bool        `json:"priced"`
	Parts     int         `json:"parts"`              // 0: it was not split
	Degraded  string      `json:"degraded,omitempty"` // the header weir-degraded
	Warning   string      `json:"warning,omitempty"`  // the header weir-warning
	RequestID string      `json:"request_id"`
	Seconds   float64     `json:"seconds"`
}

func newAskAnswer(a question.Answer, h http.Header, took time.Duration) askAnswer {
	out := askAnswer{
		Text: a.Text, Model: a.Model, Stop: a.Stop, Tier: a.Tier, Parts: a.Parts,
		Input: a.Usage.Input, CacheRead: a.Usage.CacheRead, CacheMade: a.Usage.CacheWrite, HourMade: a.Usage.HourWrite, Output: a.Usage.Output,
		Degraded: a.Degraded, Warning: h.Get("Weir-Warning"), RequestID: h.Get("Weir-Request-Id"), Seconds: took.Seconds(),
	}
	out.Cost, out.Priced = a.Cost(time.Now())
	return out
}

// tell says for people what the answer took.
func (a askAnswer) tell(w io.Writer) {
	line := fmt.Sprintf("%d input and %d output tokens", a.Input+a.CacheRead+a.CacheMade, a.Output)
	if a.CacheRead+a.CacheMade > 0 {
		line += fmt.Sprintf(" (%d from the prompt cache, %d into it)", a.CacheRead, a.CacheMade)
	}
	if a.Parts > 0 {
		line += fmt.Sprintf(" in %d parts", a.Parts)
	}
	cost := "of unknown price"
	if a.Priced {
		cost = "$" + cents(a.Cost)
	}
	fmt.Fprintf(w, "weir: %s, %s, %.1f s\n", line, cost, a.Seconds)
	if a.Degraded != "" {
		fmt.Fprintf(w, "weir: the answer is a simpler one: %s\n", a.Degraded)
	}
	if a.Warning != "" {
		fmt.Fprintf(w, "weir: warning: %s\n", a.Warning)
	}
	if a.Tier != "" && !strings.EqualFold(a.Tier, "standard") {
		fmt.Fprintf(w, "weir: service tier %s\n", a.Tier)
	}
	if a.Stop == "max_tokens" {
		fmt.Fprintln(w, "weir: the answer was cut off by --max-tokens")
	}
}
