package weir_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/weir"
)

// herald writes down what it is told of warnings.
type herald struct {
	mu    sync.Mutex // guards lines
	lines []string
}

// Tell implements [call.Notifier].
func (h *herald) Tell(raised, cleared []call.Warning) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range raised {
		h.lines = append(h.lines, string(w.Kind)+" "+w.Level.String())
	}
	for _, w := range cleared {
		h.lines = append(h.lines, "over "+string(w.Kind))
	}
}

// Report implements [call.Notifier].
func (h *herald) Report() []call.WebhookReport {
	return []call.WebhookReport{{Hook: "ops", Outcome: "sent", Count: 3}}
}

func (h *herald) said() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.lines, ", ")
}

// running runs the gateway for the length of a test in a bubble.
func running(t *testing.T, g *weir.Gateway) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- g.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
}

// scarce answers with so much of the input tokens left for one model, and
// plenty of everything for the others.
func scarce(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	left := "90000"
	if strings.Contains(string(body), "claude-haiku-4-5") {
		left = "8000"
	}
	h := w.Header()
	h.Set("Anthropic-Organization-Id", "org")
	h.Set("Anthropic-Ratelimit-Input-Tokens-Limit", "100000")
	h.Set("Anthropic-Ratelimit-Input-Tokens-Remaining", left)
	h.Set("Anthropic-Ratelimit-Input-Tokens-Reset", time.Now().Add(time.Minute).UTC().Format(time.RFC3339))
	io.WriteString(w, answer)
}

func TestQuotaWarnings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var watched, told herald
		h := newHouse(t, scarce, weir.WithNotifier(&told), weir.WithWarnings(weir.Warnings{Observer: watched.Tell}),
			weir.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))))
		running(t, h.gateway)
		warned := func(body string) string {
			resp, _ := h.post(t, body)
			return resp.Header.Get("Weir-Warning")
		}
		if got := warned(request); got != "" {
			t.Errorf("before anything was known: %q", got)
		}
		time.Sleep(2 * time.Second)
		if got := warned(request); got != "input_tokens below 10%" {
			t.Errorf("a low bucket: %q", got)
		}
		if got := warned(strings.Replace(request, "haiku-4-5", "opus-4-7", 1)); got != "" {
			t.Errorf("another model: %q", got)
		}
		resp, err := h.gateway.Transport().RoundTrip(newPost(t, "http://any/v1/messages", request))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("Weir-Warning"); got != "input_tokens below 10%" {
			t.Errorf("by the side door: %q", got)
		}
		list := h.gateway.Warnings()
		if len(list) != 1 || list[0].ID != "quota/org//claude-haiku-4-5/input_tokens" || list[0].Level != call.Urgent {
			t.Errorf("%+v", list)
		}
		if err := h.gateway.SetWarnings(weir.Warnings{Thresholds: []int{200}}); err == nil {
			t.Error("a threshold of 200 % is taken")
		}
		for _, want := range []string{`weir_warnings{kind="quota_low",level="warning"} 1`, `weir_webhook_total{hook="ops",outcome="sent"} 3`} {
			if !strings.Contains(scrape(t, h.gateway), want) {
				t.Errorf("metrics lack %s", want)
			}
		}
		time.Sleep(3 * time.Minute)
		if got := warned(request); got != "" || len(h.gateway.Warnings()) != 0 {
			t.Errorf("a full bucket: %q, %+v", got, h.gateway.Warnings())
		}
		const want = "quota_low warning, over quota_low"
		if watched.said() != want || told.said() != want {
			t.Errorf("told %q and %q, want %q", watched.said(), told.said(), want)
		}
		synctest.Wait() // nobody writes to the log now
		for _, line := range []string{`msg="warning raised"`, `msg="warning cleared"`, "has fallen below 10 %"} {
			if strings.Count(log.String(), line) != 1 {
				t.Errorf("%s is not in the log once:\n%s", line, &log)
			}
		}
	})
}

// TestRefusalsWarn: whoever is refused reads in the header why.
func TestRefusalsWarn(t *testing.T) {
	for name, tc := range map[string]struct {
		upstream http.HandlerFunc
		want     string
	}{
		"account": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}`)
		}, "account blocked: no_credit"},
		"key": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}`)
		}, "key refused"},
		"breaker": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, "breaker open: failing; until="},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t, tc.upstream, weir.WithAPIKey("main", "sk-ant-api03-x"))
				running(t, h.gateway)
				for range 10 {
					h.post(t, request, "Weir-Max-Wait", "5s")
				}
				time.Sleep(2 * time.Second)
				resp, text := h.post(t, request, "Weir-Max-Wait", "1s")
				if got := resp.Header.Get("Weir-Warning"); resp.StatusCode < 400 || !strings.HasPrefix(got, tc.want) {
					t.Errorf("%s %q %s", resp.Status, got, text)
				}
			})
		})
	}
}

// TestPingsWarn: a stream that waits for quota is warned with its first ping,
// which is when its header goes out.
func TestPingsWarn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Anthropic-Ratelimit-Requests-Limit", "5")
			w.Header().Set("Anthropic-Ratelimit-Requests-Remaining", "0")
			w.Header().Set("Anthropic-Ratelimit-Requests-Reset", time.Now().Add(time.Minute).UTC().Format(time.RFC3339))
			if body, _ := io.ReadAll(r.Body); strings.Contains(string(body), `"stream":true`) {
				serveEvents(w, events)
				return
			}
			io.WriteString(w, answer)
		}, weir.WithAPIKey("main", "sk-ant-api03-x"))
		running(t, h.gateway)
		h.post(t, request)
		resp, text := h.post(t, streamed)
		if got := resp.Header.Get("Weir-Warning"); !strings.HasPrefix(text, ping) || got != "requests below 5%" {
			t.Errorf("%q with %q", got, text)
		}
	})
}
