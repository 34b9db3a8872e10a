package weir_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// book is a text of about so many words in chapters.
func book(words int) string {
	var b strings.Builder
	for n := 0; n < words; n += 21 {
		if n%21_000 == 0 {
			fmt.Fprintf(&b, "# Chapter %d\n\n", n/21_000+1)
		}
		fmt.Fprintf(&b, "The river rose in the night of day %d, and nobody in the village slept. In the morning it fell again slowly.", n)
		b.WriteString([]string{" ", "\n\n"}[n/21%2])
	}
	return b.String()
}

// summary is a request for a summary of a text.
func summary(text, more string) string {
	quoted, _ := json.Marshal(text)
	return `{"model":"claude-haiku-4-5","max_tokens":1000,` + more + `"messages":[{"role":"user","content":[` +
		`{"type":"text","text":"Summarise this."},{"type":"text","text":` + string(quoted) + `}]}]}`
}

// split sends a request that may be split.
func (b *lodge) split(ctx context.Context, t *testing.T, request, wish string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, "POST", "http://weir/v1/messages", strings.NewReader(request))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"X-Api-Key": "any", "Anthropic-Version": "2023-06-01", "Weir-Split": wish, "Weir-Max-Wait": "1h",
	} {
		req.Header.Set(name, value)
	}
	resp, err := b.door.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(raw)
}

// summaryReply is what the tests look at of an answer.
type summaryReply struct {
	Type       string
	StopReason string `json:"stop_reason"`
	Content    []struct{ Type, Text string }
	Usage      struct {
		InputTokens  int64 `json:"input_tokens"`
		OutputTokens int64 `json:"output_tokens"`
	}
}

func parseReply(t *testing.T, body string) (r summaryReply) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &r); err != nil || r.Type != "message" {
		t.Fatalf("%v: %.500s", err, body)
	}
	return r
}

func newAPI(t *testing.T, l sim.Limits) *sim.Server {
	t.Helper()
	api, err := sim.New(sim.Config{Limits: l, Seed: 1, Timing: sim.Timing{TTFT: 2 * time.Second, TokensPerSecond: 80}})
	if err != nil {
		t.Fatal(err)
	}
	return api
}

// TestBook summarises a book of three million tokens through a model of 200,000
// under 400,000 input tokens a minute.
func TestBook(t *testing.T) {
	atFullSize(t)
	const quota = 400_000
	synctest.Test(t, func(t *testing.T) {
		api := newAPI(t, sim.Limits{Requests: 1000, InputTokens: quota, OutputTokens: 80_000})
		b := newLodge(t, api)
		began := time.Now()
		resp, body := b.split(t.Context(), t, summary(book(2_350_000), ""), "auto; merge=reduce")
		took := time.Since(began)
		if resp.StatusCode != 200 {
			t.Fatalf("%d %.500s", resp.StatusCode, body)
		}
		r, stats := parseReply(t, body), api.Stats()
		allowed := time.Duration(float64(r.Usage.InputTokens-quota) / quota * float64(time.Minute)) // the bucket was full
		ratio := float64(took) / float64(allowed)
		t.Logf("%d tokens in %s parts took %v, the quota allows %v: ratio %.3f; 429s %v", r.Usage.InputTokens,
			resp.Header.Get("Weir-Split"), took, allowed, ratio, stats.Limited)
		if r.Usage.InputTokens < 3_000_000 || ratio > 1.1 || len(r.Content) != 1 {
			t.Errorf("%d tokens, ratio %.3f", r.Usage.InputTokens, ratio)
		}
		for limiter, n := range stats.Limited {
			if n > 0 {
				t.Errorf("%d 429s for %s", n, limiter)
			}
		}
	})
}

func TestSplitMerges(t *testing.T) {
	for _, tc := range []struct {
		wish, more string
		split      bool
		blocks     int // 0: one a part
	}{
		{"auto; merge=concat", "", true, 1},
		{"auto; merge=list", "", true, 0},
		{"auto", "", true, 1},
		{"auto", `"tools":[{"name":"x","input_schema":{"type":"object"}}],`, false, 0},
		{"off", "", false, 0},
	} {
		t.Run(tc.wish+tc.more, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newAPI(t, sim.Limits{Requests: 1000, InputTokens: 2_000_000, OutputTokens: 400_000})
				b := newLodge(t, api, weir.WithSplit(weir.Split{Parallel: 2}))
				resp, body := b.split(t.Context(), t, summary(book(300_000), tc.more), tc.wish)
				parts := resp.Header.Get("Weir-Split")
				if !tc.split {
					if parts != "" || resp.StatusCode != 400 {
						t.Errorf("%d, %q parts", resp.StatusCode, parts)
					}
					return
				}
				r := parseReply(t, body)
				want := max(1, tc.blocks)
				if tc.blocks == 0 {
					fmt.Sscan(parts, &want)
				}
				if len(r.Content) != want || parts == "" || r.Usage.InputTokens < 300_000 || r.Usage.OutputTokens < 1 {
					t.Errorf("%s parts: %d blocks, usage %+v", parts, len(r.Content), r.Usage)
				}
			})
		})
	}
}

// TestSplitStreams asks for a stream: it is kept alive, says that it was split,
// and ends as any other.
func TestSplitStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newLodge(t, newAPI(t, sim.Limits{Requests: 1000, InputTokens: 400_000, OutputTokens: 80_000}))
		_, body := b.split(t.Context(), t, summary(book(600_000), `"stream":true,`), "auto; merge=concat")
		for _, want := range []string{ping, "/6; eta=", ": weir-split: 6\n", "event: message_start\n", "event: message_stop\n"} {
			if !strings.Contains(body, want) {
				t.Errorf("no %q in %.300q … %q", want, body, body[max(0, len(body)-300):])
			}
		}
	})
}

// TestSplitLearnsTheBucket sends what the window holds but the bucket does not,
// which nobody knows before the first answer. That it was sent whole first is told
// once, not by each part.
func TestSplitLearnsTheBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := &journal{}
		b := newLodge(t, newAPI(t, sim.Limits{Requests: 1000, InputTokens: 50_000, OutputTokens: 10_000}), weir.WithObserver(events))
		resp, body := b.split(t.Context(), t, summary(book(80_000), ""), "auto")
		if resp.StatusCode != 200 || resp.Header.Get("Weir-Split") == "" {
			t.Errorf("%d %.300s", resp.StatusCode, body)
		}
		told := 0
		for _, e := range events.list {
			for _, a := range e.Story {
				if a.Status == http.StatusTooManyRequests {
					told++
				}
			}
		}
		if page := scrape(t, b.gateway); told != 1 || !strings.Contains(page, "weir_upstream_attempts_total{kind=\"rate_limited\"} 1\n") {
			t.Errorf("a 429 is told %d times: %s", told, page)
		}
	})
}

// TestSplitIsCancelled leaves while parts wait: nothing stays behind.
func TestSplitIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newAPI(t, sim.Limits{Requests: 1000, InputTokens: 400_000, OutputTokens: 80_000})
		b := newLodge(t, api)
		ctx, leave := context.WithTimeout(t.Context(), 30*time.Second)
		defer leave()
		req, _ := http.NewRequestWithContext(ctx, "POST", "http://weir/v1/messages", strings.NewReader(summary(book(600_000), "")))
		req.Header.Set("X-Api-Key", "any")
		req.Header.Set("Anthropic-Version", "2023-06-01")
		req.Header.Set("Weir-Split", "auto")
		if resp, err := b.door.RoundTrip(req); err == nil {
			resp.Body.Close()
			t.Fatal("it was answered")
		}
		time.Sleep(time.Minute)
		for _, lane := range b.gateway.Queue().Lanes {
			if lane.InFlight+lane.Waiting > 0 {
				t.Errorf("still there: %+v", lane)
			}
		}
	})
}

// TestSplitFails lets one part fail for good: the answer is that failure. One that
// is overloaded for a moment, or too long, is asked for again.
func TestSplitFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scenario, err := sim.ParseScenario("t.yaml", []byte(`faults: [{kind: "413", requests: [3]}, {kind: overloaded, requests: [2]}, {kind: "400", requests: [5]}]`))
		if err != nil {
			t.Fatal(err)
		}
		api, err := sim.New(sim.Config{Scenario: scenario, Limits: sim.Limits{Requests: 1000, InputTokens: 2_000_000, OutputTokens: 400_000}})
		if err != nil {
			t.Fatal(err)
		}
		b := newLodge(t, api)
		resp, body := b.split(t.Context(), t, summary(book(600_000), ""), "auto")
		if resp.StatusCode != 400 || resp.Header.Get("Weir-Split") == "" {
			t.Errorf("%d %.300s", resp.StatusCode, body)
		}
	})
}
