package sim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weir-gateway/weir/sim"
)

const (
	mark5m = `,"cache_control":{"type":"ephemeral"}`
	mark1h = `,"cache_control":{"type":"ephemeral","ttl":"1h"}`
)

// part is a text block of about n tokens with a mark, or "".
func part(name string, n int, mark string) string {
	return `{"type":"text","text":"` + name + " " + words(n) + `"` + mark + `}`
}

// turn is a request with a system prompt and the blocks of one user message.
func turn(system string, blocks ...string) string {
	return `{"model":"claude-sonnet-5-5","max_tokens":100,"system":[` + system + `],"messages":[{"role":"user","content":[` +
		strings.Join(blocks, ",") + `]}]}`
}

func (b *bench) usage(body string, headers ...string) usage {
	b.Helper()
	return b.ask("POST", "/v1/messages", body, headers...).answer(b.T).Usage
}

func TestCacheIsWrittenThenRead(t *testing.T) {
	inBubble(t, sim.Config{Rules: exact()}, func(b *bench) {
		body := turn(part("s", 3000, mark5m), part("q", 50, ""))
		first := b.usage(body)
		if first.Write < 2500 || first.Created.Short != first.Write || first.Read != 0 || first.Input < 20 {
			t.Errorf("first: %+v, want about 3000 written", first)
		}
		charged := b.bucket(sim.InputTokens).Admitted
		if charged != float64(first.Input+first.Write) {
			t.Errorf("charged %v, want input and cache writes", charged)
		}
		second := b.usage(turn(part("s", 3000, mark5m), part("another", 70, "")))
		if second.Read != first.Write || second.Write != 0 {
			t.Errorf("second: %+v, want %d read", second, first.Write)
		}
		if got := b.bucket(sim.InputTokens).Admitted - charged; got != float64(second.Input) {
			t.Errorf("charged %v more, want %d: cache reads are free", got, second.Input)
		}
	})
}

func TestCacheExpires(t *testing.T) {
	for mark, ttl := range map[string]time.Duration{mark5m: 5 * time.Minute, mark1h: time.Hour} {
		inBubble(t, sim.Config{}, func(b *bench) {
			body := turn(part("s", 3000, mark), part("q", 50, ""))
			if u := b.usage(body); mark == mark1h && u.Created.Long != u.Write {
				t.Errorf("written %+v, want it for an hour", u)
			}
			for range 3 {
				time.Sleep(ttl - time.Second)
				if u := b.usage(body); u.Read == 0 {
					t.Errorf("just before %v it is gone, although reading refreshes it", ttl)
				}
			}
			time.Sleep(ttl + time.Second)
			if u := b.usage(body); u.Read != 0 || u.Write == 0 {
				t.Errorf("after %v: %+v, want it written again", ttl, u)
			}
		})
	}
}

func TestCacheGrowsWithTheConversation(t *testing.T) {
	inBubble(t, sim.Config{}, func(b *bench) {
		before := 0
		var blocks []string
		for i := range 12 {
			blocks = append(blocks, part(fmt.Sprint(i), 500, ""))
			last := part(fmt.Sprint(i), 500, mark5m) // the mark wanders to the end
			u := b.usage(turn(part("s", 2000, mark5m), append(blocks[:i:i], last)...))
			if i > 0 && (u.Read != before || u.Write < 300 || u.Write > 600) {
				t.Errorf("turn %d: %+v, want %d read and about 500 written", i, u, before)
			}
			before = u.Read + u.Write
		}
	})
}

func TestCacheLooksBackTwentyBlocks(t *testing.T) {
	for _, tc := range []struct {
		blocks int
		found  bool
	}{{20, true}, {21, false}} {
		inBubble(t, sim.Config{}, func(b *bench) {
			var blocks []string
			for i := range tc.blocks {
				blocks = append(blocks, part(fmt.Sprint(i), 10, ""))
			}
			blocks[len(blocks)-1] = part("end", 10, mark5m)
			b.usage(turn(part("s", 3000, mark5m), part("q", 10, "")))
			u := b.usage(turn(part("s", 3000, ""), blocks...))
			if got := u.Read > 0; got != tc.found {
				t.Errorf("%d blocks behind the entry: %+v, want found %v", tc.blocks, u, tc.found)
			}
		})
	}
}

func TestCacheMinimumAndAutomaticCaching(t *testing.T) {
	inBubble(t, sim.Config{}, func(b *bench) {
		if u := b.usage(turn(part("s", 500, mark5m), part("q", 20, ""))); u.Write != 0 {
			t.Errorf("500 tokens were cached (%+v), the model's minimum is 1024", u)
		}
		body := `{"model":"claude-sonnet-5-5","max_tokens":9,"cache_control":{"type":"ephemeral"},"messages":[` +
			`{"role":"user","content":[` + part("q", 3000, "") + `]}]}`
		first, second := b.usage(body), b.usage(body)
		if first.Write < 2500 || first.Input > 10 || second.Read != first.Write {
			t.Errorf("automatic caching: %+v, then %+v", first, second)
		}
	})
}

func TestCacheIsReadableOnlyAfterTheAnswerBegins(t *testing.T) {
	inBubble(t, sim.Config{Timing: sim.Timing{TTFT: 5 * time.Second}}, func(b *bench) {
		body := turn(part("s", 3000, mark5m), part("q", 50, ""))
		done := make(chan usage, 2)
		for range 2 {
			go func() { done <- b.usage(body) }()
		}
		if x, y := <-done, <-done; x.Write == 0 || y.Write == 0 {
			t.Errorf("parallel cold requests: %+v and %+v, want both to pay for the write", x, y)
		}
	})
}

func TestCacheIsApartForEachWorkspace(t *testing.T) {
	s, err := sim.LoadScenario("workspaces")
	if err != nil {
		t.Fatal(err)
	}
	inBubble(t, sim.Config{Scenario: s}, func(b *bench) {
		body := turn(part("s", 3000, mark5m), part("q", 50, ""))
		b.usage(body, "x-api-key", "sk-ant-production")
		if u := b.usage(body, "x-api-key", "sk-ant-research"); u.Read != 0 {
			t.Errorf("another workspace reads it: %+v", u)
		}
		if u := b.usage(body, "x-api-key", "sk-ant-production"); u.Read == 0 {
			t.Errorf("its own workspace does not read it: %+v", u)
		}
	})
}

func TestCacheReadsCountWhereTheySay(t *testing.T) {
	s, err := sim.LoadScenario("workspaces")
	if err != nil {
		t.Fatal(err)
	}
	overlay := func(b *bench) float64 {
		for _, line := range b.srv.Stats().Buckets {
			if line.Workspace != "" && line.Limiter == sim.InputTokens {
				return line.Admitted
			}
		}
		return 0
	}
	inBubble(t, sim.Config{Scenario: s, Rules: exact()}, func(b *bench) {
		body := turn(part("s", 3000, mark5m), part("q", 50, ""))
		key := []string{"x-api-key", "sk-ant-research"}
		first := b.usage(body, key...)
		second := b.usage(body, key...)
		if got, want := overlay(b), first.Write+first.Input+second.Read+second.Input; got != float64(want) {
			t.Errorf("the workspace was charged %v, want %d with cache reads", got, want)
		}
	})
	old := sim.Config{Rules: &sim.Rules{ServeRetired: true, EstimateError: -1}}
	inBubble(t, old, func(b *bench) {
		body := strings.Replace(turn(part("s", 3000, mark5m), part("q", 50, "")), "claude-sonnet-5-5", "claude-3-5-haiku-latest", 1)
		b.usage(body)
		before := b.bucket(sim.InputTokens).Admitted
		u := b.usage(body)
		if got := b.bucket(sim.InputTokens).Admitted - before; u.Read == 0 || got != float64(u.Read+u.Input) {
			t.Errorf("Haiku 3.5 charged %v for %+v, want cache reads to count", got, u)
		}
	})
}

func TestWorkspaceLimitsApplyOnTop(t *testing.T) {
	s, err := sim.LoadScenario("workspaces")
	if err != nil {
		t.Fatal(err)
	}
	inBubble(t, sim.Config{Scenario: s, Rules: exact()}, func(b *bench) {
		key := []string{"x-api-key", "sk-ant-research"}
		r := b.message(words(60_000), key...)
		if got := r.number(t, "anthropic-ratelimit-tokens-limit"); got != 120_000 {
			t.Errorf("tokens-limit is %d, want the workspace's 100,000 + 20,000", got)
		}
		if got := r.number(t, "anthropic-ratelimit-input-tokens-limit"); got != 2_000_000 {
			t.Errorf("input-tokens-limit is %d, want the organization's", got)
		}
		r = b.message(words(60_000), key...)
		if want := "your workspace's rate limit of 100,000 input tokens per minute"; r.StatusCode != 429 || !strings.Contains(r.body, want) {
			t.Errorf("%d %s, want %s", r.StatusCode, r.body, want)
		}
		if r := b.message(words(60_000), "x-api-key", "sk-ant-acme"); r.StatusCode != 200 {
			t.Errorf("the rest of the organization: %d", r.StatusCode)
		}
		id := r.Header.Get("anthropic-workspace-id")
		if r := b.message("hi", "x-api-key", "sk-ant-acme", "anthropic-workspace-id", id); r.Header.Get("anthropic-workspace-id") != id {
			t.Error("the request's anthropic-workspace-id does not select the workspace")
		}
	})
}
