package sim_test

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-gateway/weir/sim"
)

// exact switches off the error of the estimate.
func exact() *sim.Rules { return &sim.Rules{EstimateError: -1} }

func (b *bench) bucket(l sim.Limiter) sim.BucketStats {
	b.Helper()
	for _, s := range b.srv.Stats().Buckets {
		if s.Limiter == l && s.Workspace == "" {
			return s
		}
	}
	b.Fatalf("no bucket for %s", l)
	return sim.BucketStats{}
}

func TestRequestsPerMinute(t *testing.T) {
	inBubble(t, sim.Config{Tier: "free-2024"}, func(b *bench) {
		for i := range 5 {
			if r := b.message("hi"); r.StatusCode != 200 || r.remaining(t, "requests") != 4-i {
				t.Fatalf("request %d: status %d, %d remaining", i, r.StatusCode, r.remaining(t, "requests"))
			}
		}
		r := b.message("hi")
		e := r.error(b.T)
		want := "This request would exceed your organization's rate limit of 5 requests per minute (org: " +
			r.Header.Get("anthropic-organization-id") + ", model: claude-sonnet-5-5). For details, refer to: " +
			"https://docs.claude.com/en/api/rate-limits."
		if r.StatusCode != 429 || e.Error.Type != "rate_limit_error" || !strings.HasPrefix(e.Error.Message, want) {
			t.Errorf("status %d, %s %q, want it to begin with %q", r.StatusCode, e.Error.Type, e.Error.Message, want)
		}
		if got := r.number(t, "retry-after"); got != 12 || r.Header.Get("x-should-retry") != "true" {
			t.Errorf("retry-after %d, x-should-retry %s, want 12 and true", got, r.Header.Get("x-should-retry"))
		}
		if r.remaining(t, "requests") != 0 || r.remaining(t, "input-tokens") != 10_000 {
			t.Errorf("a 429 shows requests %d and input %d", r.remaining(t, "requests"), r.remaining(t, "input-tokens"))
		}
		time.Sleep(12*time.Second - time.Millisecond)
		if r := b.message("hi"); r.StatusCode != 429 {
			t.Errorf("a millisecond early: status %d, want 429", r.StatusCode)
		}
		time.Sleep(time.Millisecond)
		if r := b.message("hi"); r.StatusCode != 200 {
			t.Errorf("after retry-after: status %d, want 200", r.StatusCode)
		}
		if s := b.srv.Stats(); s.Limited[sim.Requests] != 2 || s.Status[429] != 2 || s.Status[200] != 6 || s.Requests != 8 {
			t.Errorf("counted %+v", s)
		}
	})
}

func TestRetryAfterIsTruthful(t *testing.T) {
	c := sim.Config{Limits: sim.Limits{Requests: 1000, InputTokens: 10_000, OutputTokens: 2000}, Rules: exact()}
	inBubble(t, c, func(b *bench) {
		for i := range 30 {
			text := fmt.Sprint(i) + words(500+i*100)
			r := b.message(text, "x-sim-output-tokens", strconv.Itoa(50*i+1))
			for r.StatusCode == 429 {
				wait := time.Duration(r.number(t, "retry-after")) * time.Second
				time.Sleep(wait)
				if r = b.message(text, "x-sim-output-tokens", "10"); r.StatusCode == 429 {
					t.Errorf("request %d does not fit after its retry-after of %v: %s", i, wait, r.body)
				}
			}
		}
		if s := b.srv.Stats(); s.Limited[sim.InputTokens] == 0 {
			t.Errorf("the test met no limit on input: %v", s.Limited)
		}
	})
}

func TestInputIsEstimatedThenCorrected(t *testing.T) {
	c := sim.Config{
		Limits: sim.Limits{InputTokens: 60_000}, Timing: sim.Timing{TTFT: 2 * time.Second},
		Rules: &sim.Rules{EstimateError: 0.3}, Seed: 5,
	}
	inBubble(t, c, func(b *bench) {
		var wg sync.WaitGroup
		var r reply
		wg.Go(func() { r = b.message(words(20_000)) })
		time.Sleep(time.Second)
		early := b.bucket(sim.InputTokens)
		wg.Wait()
		late := b.bucket(sim.InputTokens)
		actual := r.answer(b.T).Usage.Input
		if math.Abs(early.Admitted-float64(actual)) < 100 {
			t.Errorf("the estimate %v is as good as the count %d", early.Admitted, actual)
		}
		if late.Admitted != float64(actual) {
			t.Errorf("charged %v in the end, want %d", late.Admitted, actual)
		}
		// Sampled when it was corrected: nothing refilled after that.
		if got, want := r.remaining(t, "input-tokens"), 60_000-actual+2*1000; math.Abs(float64(got-want)) > 8000 {
			t.Errorf("input remaining is %d, want about %d", got, want)
		}
	})
}

func TestOutputIsChargedAsItStreams(t *testing.T) {
	c := sim.Config{Limits: sim.Limits{OutputTokens: 3000}, Timing: sim.Timing{TTFT: time.Second, TokensPerSecond: 200}}
	for _, stream := range []string{"", `,"stream":true`} {
		inBubble(t, c, func(b *bench) {
			var wg sync.WaitGroup
			var r reply
			wg.Go(func() {
				r = b.ask("POST", "/v1/messages", messageBody("hi", stream), "x-sim-output-tokens", "8000")
			})
			time.Sleep(11 * time.Second)
			// 10 s at 200/s, of which 50/s were refilled.
			if got := b.bucket(sim.OutputTokens); math.Abs(got.Admitted-2000) > 1 || math.Abs(got.Level-1500) > 1 {
				t.Errorf("stream %q after 10 s: charged %v, level %v, want 2000 and 1500", stream, got.Admitted, got.Level)
			}
			time.Sleep(20 * time.Second)
			refused := b.message("hi")
			if refused.StatusCode != 429 || !strings.Contains(refused.body, "3,000 output tokens per minute") {
				t.Errorf("a new request beside an empty bucket: %d %s", refused.StatusCode, refused.body)
			}
			wg.Wait()
			if r.StatusCode != 200 || r.took != 41*time.Second {
				t.Errorf("the running answer ended with %d after %v, want it to be left alone", r.StatusCode, r.took)
			}
		})
	}
}

func TestMaxTokensDoNotCount(t *testing.T) {
	inBubble(t, sim.Config{Tier: "tier1-2025"}, func(b *bench) {
		r := b.ask("POST", "/v1/messages", messageBody("hi", `,"stream":true,"max_tokens":64000`))
		if got := r.remaining(t, "output-tokens"); got != 8000 {
			t.Errorf("output remaining at the start of a stream is %d, want 8000: max_tokens has no cost", got)
		}
	})
}

func TestLegacyReserve(t *testing.T) {
	c := sim.Config{
		Limits: sim.Limits{OutputTokens: 8000}, Rules: &sim.Rules{LegacyReserve: true},
		Timing: sim.Timing{TTFT: time.Second},
	}
	inBubble(t, c, func(b *bench) {
		body := messageBody("hi", `,"stream":true,"max_tokens":5000`)
		r := b.ask("POST", "/v1/messages", body, "x-sim-output-tokens", "300")
		if got := r.remaining(t, "output-tokens"); got != 3000 {
			t.Errorf("output remaining at the start is %d, want 8000 - 5000", got)
		}
		if got := b.bucket(sim.OutputTokens); got.Admitted != 300 {
			t.Errorf("charged %v in the end, want the 300 that were said", got.Admitted)
		}
	})
}

func TestLargerThanTheBucket(t *testing.T) {
	for _, debt := range []bool{false, true} {
		c := sim.Config{Tier: "tier1-2025", Rules: &sim.Rules{AdmitDebt: debt, EstimateError: -1}}
		inBubble(t, c, func(b *bench) {
			r := b.message(words(50_000))
			if got := r.StatusCode == 200; got != debt {
				t.Errorf("debt %v: status %d", debt, r.StatusCode)
			}
			if !debt {
				return
			}
			if r.remaining(t, "input-tokens") != 0 {
				t.Errorf("in debt %d remain, want 0", r.remaining(t, "input-tokens"))
			}
			reset, err := time.Parse(time.RFC3339, r.Header.Get("anthropic-ratelimit-input-tokens-reset"))
			if wait := reset.Sub(b.srv.Now()); err != nil || wait < 90*time.Second {
				t.Errorf("full in %v, want the debt in it", wait)
			}
		})
	}
}

func TestPromptTooLong(t *testing.T) {
	c := sim.Config{Tier: "scale", Timing: sim.Timing{TTFT: 3 * time.Second}}
	inBubble(t, c, func(b *bench) {
		body := strings.Replace(messageBody(words(300_000), ""), "claude-sonnet-5-5", "claude-haiku-4-5", 1)
		var wg sync.WaitGroup
		var r reply
		wg.Go(func() { r = b.ask("POST", "/v1/messages", body) })
		time.Sleep(time.Second)
		if got := b.bucket(sim.InputTokens).Admitted; got < 200_000 {
			t.Errorf("charged %v while it is looked at, want the estimate", got)
		}
		wg.Wait()
		if !regexp.MustCompile(`^prompt is too long: \d+ tokens > 200000 maximum$`).MatchString(r.error(b.T).Error.Message) {
			t.Errorf("%d %s", r.StatusCode, r.body)
		}
		if got := b.bucket(sim.InputTokens).Admitted; got != 0 {
			t.Errorf("charged %v in the end, want 0", got)
		}
	})
}

func TestRampLimit(t *testing.T) {
	c := sim.Config{Rules: &sim.Rules{EstimateError: -1, Ramp: &sim.Ramp{Base: 10_000, Step: 5000}}}
	inBubble(t, c, func(b *bench) {
		time.Sleep(20 * time.Second)
		var r reply
		for r = b.message(words(3000)); r.StatusCode == 200; r = b.message(words(3000)) {
		}
		e := r.error(b.T)
		if e.Error.Details.Code != "ramp_limit_exceeded" || r.number(t, "retry-after") != 40 ||
			!strings.Contains(e.Error.Message, "current limit is 10,000 input tokens per minute, which will increase to 15,000 at the next minute boundary") {
			t.Errorf("retry-after %s: %s", r.Header.Get("retry-after"), r.body)
		}
		time.Sleep(40 * time.Second)
		sum := 0
		for r = b.message(words(3000)); r.StatusCode == 200; r = b.message(words(3000)) {
			sum += r.answer(b.T).Usage.Input
		}
		if sum < 11_000 || sum > 15_000 || !strings.Contains(r.body, "increase to 20,000") {
			t.Errorf("%d tokens were admitted in the next minute, want up to 15,000: %s", sum, r.body)
		}
		time.Sleep(time.Hour)
		for r = b.message(words(3000)); r.StatusCode == 200; r = b.message(words(3000)) {
		}
		if !strings.Contains(r.body, "current limit is 10,000") {
			t.Errorf("after an hour of idleness the limit is not back at its base: %s", r.body)
		}
		if got := b.srv.Stats().Limited[sim.RampLimit]; got != 3 {
			t.Errorf("counted %d ramp limits, want 3", got)
		}
	})
}

func TestConcurrencyLimit(t *testing.T) {
	c := sim.Config{Rules: &sim.Rules{MaxConcurrent: 2}, Timing: sim.Timing{TTFT: time.Minute}}
	inBubble(t, c, func(b *bench) {
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { b.message("hi") })
		}
		time.Sleep(time.Second)
		r := b.message("hi")
		if r.StatusCode != 429 || !strings.HasPrefix(r.error(b.T).Error.Message, "Number of concurrent connections has exceeded your rate limit") {
			t.Errorf("%d %s", r.StatusCode, r.body)
		}
		if got := b.srv.Stats().Running; got != 2 {
			t.Errorf("%d are running, want 2", got)
		}
		wg.Wait()
		if r := b.message("hi"); r.StatusCode != 200 {
			t.Errorf("after they ended: %d", r.StatusCode)
		}
	})
}

func TestBurstWindow(t *testing.T) {
	c := sim.Config{Limits: sim.Limits{Requests: 60}, Rules: &sim.Rules{BurstWindow: sim.Duration(10 * time.Second)}}
	inBubble(t, c, func(b *bench) {
		n := 0
		for ; b.message("hi").StatusCode == 200; n++ {
		}
		if n != 10 {
			t.Errorf("%d requests at once, want a sixth of the 60 per minute", n)
		}
		if r := b.message("hi"); r.remaining(t, "requests") != 50 || r.number(t, "retry-after") != 1 {
			t.Errorf("remaining %d, retry-after %d: the headers know of the minute only", r.remaining(t, "requests"), r.number(t, "retry-after"))
		}
	})
}

func TestClientLeavesMidStream(t *testing.T) {
	c := sim.Config{Limits: sim.Limits{OutputTokens: 600_000}, Timing: sim.Timing{TTFT: time.Second, TokensPerSecond: 100}}
	inBubble(t, c, func(b *bench) {
		ctx, cancel := context.WithTimeout(b.Context(), 6*time.Second)
		defer cancel()
		_, err := b.tryWithin(ctx, messageBody("hi", `,"stream":true,"max_tokens":8000`), "8000")
		if err == nil {
			t.Fatal("the stream ended before the client left")
		}
		time.Sleep(time.Minute)
		if got := b.bucket(sim.OutputTokens).Admitted; got < 450 || got > 550 {
			t.Errorf("charged %v, want the 500 or so that were said until the client left", got)
		}
		if got := b.srv.Stats().Running; got != 0 {
			t.Errorf("%d are still running", got)
		}
	})
}
