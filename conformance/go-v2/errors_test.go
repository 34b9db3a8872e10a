package conformance

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anthropics/anthropic-sdk-go/v2"
	"github.com/anthropics/anthropic-sdk-go/v2/option"
)

// TestErrors checks what the caller's own faults become. None is retried.
func TestErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, purpose string
		change        func(*anthropic.MessageNewParams)
		status        int
		kind          string
	}{
		{"invalid-request", "main", func(p *anthropic.MessageNewParams) { p.MaxTokens = -1 },
			http.StatusBadRequest, "invalid_request_error"},
		{"no-messages", "main", func(p *anthropic.MessageNewParams) { p.Messages = []anthropic.MessageParam{} },
			http.StatusBadRequest, "invalid_request_error"},
		{"bad-key", "nobody", func(*anthropic.MessageNewParams) {},
			http.StatusUnauthorized, "authentication_error"},
		{"unknown-model", "main", func(p *anthropic.MessageNewParams) { p.Model = "claude-nonesuch-9" },
			http.StatusNotFound, "not_found_error"},
		{"oversized", "main", func(p *anthropic.MessageNewParams) {
			p.Messages = []anthropic.MessageParam{
				anthropic.NewUserMessage(anthropic.NewTextBlock(strings.Repeat("weir ", 33<<20/5)))}
		}, http.StatusRequestEntityTooLarge, "request_too_large"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, sent := newClient(tt.purpose)
			params := ask("Say hello.", 64)
			tt.change(&params)
			_, err := client.Messages.New(t.Context(), params)
			e := apiError(t, err)
			if e.StatusCode != tt.status || string(e.Type()) != tt.kind {
				t.Errorf("got %d %s, want %d %s: %v", e.StatusCode, e.Type(), tt.status, tt.kind, err)
			}
			if n := sent.Load(); n != 1 {
				t.Errorf("the SDK sent %d requests, want 1", n)
			}
		})
	}
}

// TestOverloadAbsorbed: the scenario answers 529 at first; nobody sees it.
func TestOverloadAbsorbed(t *testing.T) {
	t.Parallel()
	needGateway(t)
	client, sent := newClient("overload")
	m, err := client.Messages.New(t.Context(), ask("Say hello.", 64))
	if err != nil {
		t.Fatal(err)
	}
	if text(m) == "" || sent.Load() != 1 {
		t.Errorf("text %q after %d requests of the SDK, want an answer to the first", text(m), sent.Load())
	}
	if got := upstream(t, "overload").Requests; got < 2 {
		t.Errorf("%d requests upstream, want the overloaded ones too", got)
	}
}

// TestSpendCap: no SDK may retry what only time or a person can mend.
func TestSpendCap(t *testing.T) {
	t.Parallel()
	needGateway(t)
	for _, tt := range []struct {
		purpose string
		status  int
		kind    string
		words   string
	}{
		{"cap", http.StatusTooManyRequests, "rate_limit_error", "API usage limits"},
		{"owncap", http.StatusBadRequest, "invalid_request_error", "API usage limits"},
		{"credit", http.StatusBadRequest, "invalid_request_error", "credit"},
	} {
		t.Run(tt.purpose, func(t *testing.T) {
			client, sent := newClient(tt.purpose)
			for range 2 { // the first time from the upstream, then from what Weir has learned
				sent.Store(0)
				began := time.Now()
				_, err := client.Messages.New(t.Context(), ask("Say hello.", 64))
				e := apiError(t, err)
				if e.StatusCode != tt.status || string(e.Type()) != tt.kind {
					t.Errorf("got %d %s, want %d %s: %v", e.StatusCode, e.Type(), tt.status, tt.kind, err)
				}
				if !strings.Contains(e.RawJSON(), tt.words) {
					t.Errorf("%s does not say %q", e.RawJSON(), tt.words)
				}
				if n := sent.Load(); n != 1 {
					t.Errorf("the SDK sent %d requests, want 1", n)
				}
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("refused after %v, want at once", took)
				}
			}
		})
	}
}

// TestShortDeadline: a caller that will not wait learns how long it would be.
func TestShortDeadline(t *testing.T) {
	t.Parallel()
	needGateway(t)
	drain(t, "short")
	client, _ := newClient("short", option.WithMaxRetries(0), option.WithHeader("weir-max-wait", "1s"))
	began := time.Now()
	_, err := client.Messages.New(t.Context(), ask("Say hello.", 64))
	e := apiError(t, err)
	if e.StatusCode != http.StatusTooManyRequests || e.Type() != "rate_limit_error" {
		t.Errorf("got %d %s, want 429 rate_limit_error: %v", e.StatusCode, e.Type(), err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("refused after %v, want about 1 s", took)
	}
	after, err := strconv.Atoi(e.Response.Header.Get("Retry-After"))
	if err != nil || after < 1 || after > 60 {
		t.Errorf("retry-after = %q, want 1 to 60 s", e.Response.Header.Get("Retry-After"))
	}
	if got := upstream(t, "short").Requests; got != 1 {
		t.Errorf("%d requests upstream, want only the one that drained the quota", got)
	}
}
