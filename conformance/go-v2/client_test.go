// Package conformance drives the official Go SDK, unmodified, through Weir.
//
// It needs two running processes (make conformance starts them): WEIR_URL is
// what the SDK takes for the API, SIM_URL is the simulator behind it.
package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anthropics/anthropic-sdk-go/v2"
	"github.com/anthropics/anthropic-sdk-go/v2/option"
)

const model = "claude-sonnet-5"

// key returns the API key that the scenario gives this suite for a purpose.
// Each purpose is an organization of its own, so no test disturbs another.
func key(purpose string) string {
	return "sk-ant-api03-" + env("WEIR_SUITE") + "-" + purpose
}

func env(name string) string {
	v := os.Getenv(name)
	if v == "" {
		panic(name + " is not set: run this suite by make conformance")
	}
	return v
}

// needGateway skips what only a gateway can do when the SDK talks to the
// simulator directly.
func needGateway(t *testing.T) {
	t.Helper()
	if os.Getenv("WEIR_DIRECT") != "" {
		t.Skip("WEIR_DIRECT is set: there is no gateway to test")
	}
}

// newClient returns a client of the organization for purpose, and a counter
// of the HTTP requests that the SDK makes, its own retries included.
func newClient(purpose string, opts ...option.RequestOption) (anthropic.Client, *atomic.Int64) {
	var sent atomic.Int64
	all := append([]option.RequestOption{
		option.WithBaseURL(env("WEIR_URL")),
		option.WithAPIKey(key(purpose)),
		option.WithMiddleware(func(r *http.Request, next option.MiddlewareNext) (*http.Response, error) {
			sent.Add(1)
			return next(r)
		}),
	}, opts...)
	return anthropic.NewClient(all...), &sent
}

// ask is a request with one user message.
func ask(text string, maxTokens int64) anthropic.MessageNewParams {
	return anthropic.MessageNewParams{
		Model:     model,
		MaxTokens: maxTokens,
		Messages:  []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(text))},
	}
}

// text is all text of a message.
func text(m *anthropic.Message) string {
	var s string
	for _, block := range m.Content {
		s += block.Text
	}
	return s
}

// apiError returns err as the SDK's error, and fails the test if it is none.
func apiError(t *testing.T, err error) *anthropic.Error {
	t.Helper()
	var e *anthropic.Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v (%T), want an *anthropic.Error", err, err)
	}
	return e
}

// charged is what the simulator has charged the organization of one purpose:
// requests that were let in, and tokens.
type charged struct{ requests, output int }

// upstream asks the simulator what has reached it.
func upstream(t *testing.T, purpose string) (c charged) {
	t.Helper()
	resp, err := http.Get(env("SIM_URL") + "/sim/stats")
	if err != nil {
		t.Fatalf("ask the simulator for its counts: %v", err)
	}
	defer resp.Body.Close()
	var stats struct {
		Buckets []struct {
			Organization, Limiter string
			Admitted              float64
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&stats); err != nil {
		t.Fatalf("read the simulator's counts: %v", err)
	}
	for _, b := range stats.Buckets {
		switch {
		case b.Organization != env("WEIR_SUITE")+"-"+purpose:
		case b.Limiter == "requests":
			c.requests += int(b.Admitted)
		case b.Limiter == "output_tokens":
			c.output += int(b.Admitted)
		}
	}
	return c
}

// tokens makes the simulator answer with n tokens.
func tokens(n int) option.RequestOption {
	return option.WithHeader("x-sim-output-tokens", strconv.Itoa(n))
}

// eventually polls until ok says so, or fails the test after the time.
func eventually(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("not within %v: %s", within, what)
		case <-tick.C:
		}
	}
}
