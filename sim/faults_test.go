package sim_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/weir-gateway/weir/sim"
)

func TestFaultsThatAreAnswers(t *testing.T) {
	for _, tc := range []struct {
		kind, want, code, retry string
		status                  int
		errType                 string
	}{
		{"overloaded", "Overloaded", "", "true", 529, "overloaded_error"},
		{"api_error", "Internal server error", "", "true", 500, "api_error"},
		{"timeout", "timed out", "", "true", 504, "timeout_error"},
		{"503", "unreachable", "cmek_key_unreachable", "true", 503, "api_error"},
		{"402", "billing", "", "false", 402, "billing_error"},
		{"403", "permission", "", "false", 403, "permission_error"},
		{"409", "conflicts", "", "false", 409, "conflict_error"},
		{"413", "maximum size", "", "false", 413, "request_too_large"},
		{"418", "teapot", "", "false", 418, "invalid_request_error"},
		{"rate_limit", "rate limit", "", "true", 429, "rate_limit_error"},
		{"bad_key", "invalid x-api-key", "", "false", 401, "authentication_error"},
		{"enforced_spend_limit", "monthly API usage threshold", "enforced_spend_limit_reached", "", 429, "rate_limit_error"},
		{"contract_spend_limit", "contract", "contract_spend_limit_reached", "", 429, "rate_limit_error"},
		{"own_spend_limit", "You have reached your specified API usage limits.", "", "false", 400, "invalid_request_error"},
		{"own_workspace_spend_limit", "specified workspace API usage limits.", "", "false", 400, "invalid_request_error"},
		{"no_credit", "credit balance is too low to access the Anthropic API", "", "false", 400, "invalid_request_error"},
		{"organization_disabled", "This organization has been disabled.", "", "false", 400, "invalid_request_error"},
		{"organization_on_hold", "on hold", "organization_on_hold", "false", 400, "invalid_request_error"},
	} {
		t.Run(tc.kind, func(t *testing.T) {
			inBubble(t, sim.Config{}, func(b *bench) {
				r := b.message("hi", "x-sim-fault", tc.kind)
				e := r.error(b.T)
				if r.StatusCode != tc.status || e.Error.Type != tc.errType || e.Error.Details.Code != tc.code || !strings.Contains(e.Error.Message, tc.want) {
					t.Errorf("status %d: %s", r.StatusCode, r.body)
				}
				if got := r.Header.Get("x-should-retry"); got != tc.retry {
					t.Errorf("x-should-retry is %q, want %q", got, tc.retry)
				}
				if r.Header.Get("retry-after") != "" || r.Header.Get("anthropic-ratelimit-requests-limit") != "" {
					t.Errorf("headers %v, want neither retry-after nor limits", r.Header)
				}
				// Time begins in January 2000 in a bubble.
				if strings.Contains(tc.kind, "spend_limit") && !strings.HasSuffix(e.Error.Message, "on 2000-02-01 at 00:00 UTC.") {
					t.Errorf("message %q does not say when it ends", e.Error.Message)
				}
				if got := b.srv.Stats(); len(got.Buckets) != 0 && got.Used(sim.Requests) != 0 {
					t.Errorf("the fault was charged: %+v", got.Buckets)
				}
			})
		})
	}
}

func TestFaultsInAStream(t *testing.T) {
	const whole = "message_start content_block_start ping content_block_delta content_block_stop message_delta message_stop"
	for _, tc := range []struct {
		fault, names string
		broken       bool
		took         time.Duration
	}{
		{"", whole, false, 3 * time.Second},
		{"error_event@0", "error", false, time.Second},
		{"error@3", "message_start content_block_start ping error", false, time.Second},
		{"eof@2", "message_start content_block_start", false, time.Second},
		{"eof", "", false, time.Second},
		{"reset@4", "message_start content_block_start ping content_block_delta", true, time.Second},
		{"slow", whole, false, 13 * time.Second},
	} {
		t.Run(tc.fault, func(t *testing.T) {
			c := sim.Config{Timing: sim.Timing{TTFT: time.Second, TokensPerSecond: 50}}
			inBubble(t, c, func(b *bench) {
				r := b.ask("POST", "/v1/messages", messageBody("hi", `,"stream":true`), "x-sim-fault", tc.fault, "x-sim-output-tokens", "100")
				if got := names(r.events(b.T)); got != tc.names {
					t.Errorf("events are %q, want %q", got, tc.names)
				}
				if broken := r.err != nil; broken != tc.broken {
					t.Errorf("reading ended with %v, want broken %v", r.err, tc.broken)
				}
				if r.took.Round(400*time.Millisecond).Truncate(time.Second) != tc.took {
					t.Errorf("it took %v, want %v", r.took, tc.took)
				}
				time.Sleep(time.Hour)
				if s := b.srv.Stats(); s.Running != 0 {
					t.Errorf("%d are still running", s.Running)
				}
			})
		})
	}
}

func TestErrorEvent(t *testing.T) {
	inBubble(t, sim.Config{}, func(b *bench) {
		events := b.ask("POST", "/v1/messages", messageBody("hi", `,"stream":true`), "x-sim-fault", "error_event@5").events(b.T)
		last := events[len(events)-1]
		if last.data.Type != "error" || last.data.Error.Type != "overloaded_error" || last.data.Error.Message != "Overloaded" {
			t.Errorf("the last event is %+v", last)
		}
		r := b.message("hi", "x-sim-fault", "error_event@5")
		if r.StatusCode != 529 {
			t.Errorf("an answer without events: %d, want 529", r.StatusCode)
		}
	})
}

func TestStallAndMalformed(t *testing.T) {
	c := sim.Config{Scenario: scenario(t, "faults:\n- {kind: stall, requests: [1], after_events: 3, delay: 40s}\n"+
		"- {kind: stall, requests: [2], delay: 20s}\n- {kind: malformed, requests: [3, 4]}\n- {kind: eof, requests: [5]}\n")}
	inBubble(t, c, func(b *bench) {
		stream := messageBody("hi", `,"stream":true`)
		if r := b.ask("POST", "/v1/messages", stream); r.took != 40*time.Second || !strings.Contains(r.body, "message_stop") {
			t.Errorf("a stall midway took %v, want 40s and then the rest", r.took)
		}
		if r := b.message("hi"); r.took != 20*time.Second || r.StatusCode != 200 {
			t.Errorf("a stall before the headers took %v", r.took)
		}
		if r := b.message("hi"); r.StatusCode != 200 || !strings.HasSuffix(r.body, ",,]\"") {
			t.Errorf("malformed: %d %q", r.StatusCode, r.body)
		}
		if r := b.ask("POST", "/v1/messages", stream); !strings.Contains(r.body, ",,]") {
			t.Errorf("malformed event: %q", r.body)
		}
		if r := b.message("hi"); r.StatusCode != 200 || !errors.Is(r.err, io.ErrUnexpectedEOF) {
			t.Errorf("half an answer: %d, error %v", r.StatusCode, r.err)
		}
	})
}

func TestFaultsAreChosen(t *testing.T) {
	for _, tc := range []struct{ name, fault, want string }{
		{"always", "{kind: '500'}", "xxxxxxxxxx"},
		{"at", "{kind: '500', at: 3s}", "...xxxxxxx"},
		{"at-for", "{kind: '500', at: 3s, for: 2s}", "...xx....."},
		{"every", "{kind: '500', every: 3}", "..x..x..x."},
		{"requests", "{kind: '500', requests: [1, 4]}", "x..x......"},
		{"both", "{kind: '500', at: 4s, every: 3}", ".....x..x."},
		{"never", "{kind: '500', probability: 0}", ".........."},
		{"model", "{kind: '500', model: claude-sonnet-5}", "xxxxxxxxxx"},
		{"other-model", "{kind: '500', model: claude-opus}", ".........."},
		{"other-key", "{kind: '500', key: sk-other}", ".........."},
		{"other-endpoint", "{kind: '500', endpoint: count_tokens}", ".........."},
		{"workspace", "{kind: '500', workspace: default}", "xxxxxxxxxx"},
		{"chance", "{kind: '500', probability: 0.5}", "x..xx.x..x"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := sim.Config{Scenario: scenario(t, "seed: 4\nfaults: ["+tc.fault+"]")}
			inBubble(t, c, func(b *bench) {
				var got strings.Builder
				for range 10 {
					got.WriteString(map[int]string{200: ".", 500: "x"}[b.message("hi").StatusCode])
					time.Sleep(time.Second)
				}
				if tc.name == "chance" {
					if n := strings.Count(got.String(), "x"); n < 2 || n > 8 {
						t.Errorf("struck %q, want about half", got.String())
					}
				} else if diff := cmp.Diff(tc.want, got.String()); diff != "" {
					t.Errorf("struck (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestFaultInOnesOwnWords(t *testing.T) {
	c := sim.Config{Scenario: scenario(t, "faults: [{kind: status, status: 429, type: billing_error, message: too dear, "+
		"error_code: odd, retry_after: 7, limit_headers: true, delay: 3s}]")}
	inBubble(t, c, func(b *bench) {
		r := b.message("hi")
		e := r.error(b.T)
		if r.StatusCode != 429 || e.Error.Type != "billing_error" || e.Error.Message != "too dear" || e.Error.Details.Code != "odd" ||
			r.number(t, "retry-after") != 7 || r.remaining(t, "requests") != 1000 || r.took != 3*time.Second {
			t.Errorf("%d after %v: %s %v", r.StatusCode, r.took, r.body, r.Header)
		}
		if r := b.message("hi", "x-sim-fault", "nonsense"); r.StatusCode != 429 {
			t.Errorf("the scenario's fault comes first, got %d", r.StatusCode)
		}
	})
	inBubble(t, sim.Config{}, func(b *bench) {
		if r := b.message("hi", "x-sim-fault", "nonsense"); r.StatusCode != 400 || !strings.Contains(r.body, "nonsense is not a kind of fault") {
			t.Errorf("a misspelt fault: %d %s", r.StatusCode, r.body)
		}
	})
}

func TestResetOnARealSocket(t *testing.T) {
	srv, err := sim.New(sim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(srv)
	defer server.Close()
	req, err := http.NewRequest("POST", server.URL+"/v1/messages", strings.NewReader(messageBody("hi", "")))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("x-api-key", "k")
	req.Header.Set("anthropic-version", "2023-06-01")
	req.Header.Set("x-sim-fault", "reset")
	resp, err := server.Client().Do(req)
	if err == nil {
		resp.Body.Close()
		t.Fatalf("status %d, want a broken connection", resp.StatusCode)
	}
	if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
		t.Errorf("the connection broke with %v, want a reset", err)
	}
	if got := srv.Stats().Status[0]; got != 1 {
		t.Errorf("counted %d broken connections, want 1", got)
	}
}
