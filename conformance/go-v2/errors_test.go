package conformance

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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

// TestFailureMidStream: once the client has content nobody may retry; it gets
// what came and a plain error.
func TestFailureMidStream(t *testing.T) {
	t.Parallel()
	client, sent := newClient("main")
	stream := client.Messages.NewStreaming(t.Context(), ask("Say hello.", 200), tokens(100),
		option.WithHeader("x-sim-fault", "error_event@4"))
	defer stream.Close()
	content := false
	for stream.Next() {
		switch stream.Current().Type {
		case "content_block_delta":
			content = true
		case "message_stop":
			t.Error("a stream that failed ends with message_stop")
		}
	}
	if e := apiError(t, stream.Err()); e.Type() != "overloaded_error" {
		t.Errorf("error type %q, want overloaded_error: %v", e.Type(), e)
	}
	if !content || sent.Load() != 1 {
		t.Errorf("content %t after %d requests, want some after 1", content, sent.Load())
	}
}

// TestOverloadAbsorbed: the scenario answers nearly half of the requests for
// this model with 529; nobody sees it.
func TestOverloadAbsorbed(t *testing.T) {
	t.Parallel()
	needGateway(t)
	const n = 16
	params := ask("Say hello.", 64)
	params.Model = "claude-haiku-4-5"
	client, sent := newClient("overload")
	var attempts atomic.Int64
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			var resp *http.Response
			m, err := client.Messages.New(t.Context(), params, option.WithResponseInto(&resp))
			if err != nil || text(m) == "" {
				t.Errorf("no answer: %v", err)
				return
			}
			tried, _ := strconv.Atoi(resp.Header.Get("Weir-Attempts"))
			attempts.Add(int64(tried))
		})
	}
	wg.Wait()
	if sent.Load() != n {
		t.Errorf("the SDK sent %d requests, want %d", sent.Load(), n)
	}
	if attempts.Load() <= n {
		t.Errorf("weir-attempts add up to %d, want more than %d: many requests meet a 529", attempts.Load(), n)
	}
}

// capped matches the upstream's words and Weir's.
var capped = regexp.MustCompile(`API usage limits|spend (cap|limit)`)

// TestSpendCap: no SDK may retry what only time or a person can mend.
func TestSpendCap(t *testing.T) {
	t.Parallel()
	needGateway(t)
	for _, tt := range []struct {
		purpose string
		status  int
		kind    string
		words   *regexp.Regexp
	}{
		{"cap", http.StatusTooManyRequests, "rate_limit_error", capped},
		{"owncap", http.StatusBadRequest, "invalid_request_error", capped},
		{"credit", http.StatusBadRequest, "invalid_request_error", regexp.MustCompile(`credit`)},
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
				if !tt.words.MatchString(e.RawJSON()) {
					t.Errorf("%s does not say %v", e.RawJSON(), tt.words)
				}
				if n := sent.Load(); n != 1 {
					t.Errorf("the SDK sent %d requests, want 1", n)
				}
				if took := time.Since(began); took > 20*time.Second {
					t.Errorf("refused after %v, want at once", took)
				}
			}
		})
	}
}

// TestShortDeadline: a caller that will not wait learns how long it would be,
// and that is true.
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
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("refused after %v, want about 1 s", took)
	}
	after, err := strconv.Atoi(e.Response.Header.Get("Retry-After"))
	if err != nil || after < 2 || after > 60 {
		t.Fatalf("retry-after = %q, want 2 to 60 s", e.Response.Header.Get("Retry-After"))
	}
	if got := upstream(t, "short").requests; got != 1 {
		t.Errorf("%d requests upstream, want only the one that drained the quota", got)
	}
	select {
	case <-time.After(time.Duration(after) * time.Second):
	case <-t.Context().Done():
	}
	if _, err := client.Messages.New(t.Context(), ask("Say hello.", 64), option.WithHeader("weir-max-wait", "5s")); err != nil {
		t.Errorf("after the %d s of retry-after: %v", after, err)
	}
}
