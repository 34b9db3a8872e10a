package sim_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/weir-gateway/weir/sim"
)

func TestModels(t *testing.T) {
	type page struct {
		Data []struct {
			Type, ID, Lifecycle string
			MaxInput            int `json:"max_input_tokens"`
			Max                 int `json:"max_tokens"`
		}
		First string `json:"first_id"`
		Last  string `json:"last_id"`
		More  bool   `json:"has_more"`
	}
	inBubble(t, sim.Config{}, func(b *bench) {
		get := func(query string) (p page) {
			t.Helper()
			r := b.ask("GET", "/v1/models"+query, "")
			if err := json.Unmarshal([]byte(r.body), &p); err != nil || r.StatusCode != 200 {
				t.Fatalf("%s: %d %s", query, r.StatusCode, r.body)
			}
			return p
		}
		all := get("?limit=1000")
		if len(all.Data) < 15 || all.More || all.First != all.Data[0].ID || all.Data[0].Type != "model" || all.Data[0].MaxInput == 0 {
			t.Fatalf("all models: %+v", all)
		}
		var walked []string
		for p := get("?limit=4"); ; p = get("?limit=4&after_id=" + p.Last) {
			for _, m := range p.Data {
				walked = append(walked, m.ID)
			}
			if !p.More {
				break
			}
		}
		for i, m := range all.Data {
			if i >= len(walked) || walked[i] != m.ID || m.Lifecycle == "retired" {
				t.Fatalf("walked by pages: %v, want all of %+v", walked, all.Data)
			}
		}
		back := get("?limit=2&before_id=" + all.Data[5].ID)
		if len(back.Data) != 2 || back.Data[1].ID != all.Data[4].ID || !back.More {
			t.Errorf("the page before number 5: %+v", back)
		}
		if r := b.ask("GET", "/v1/models/claude-haiku-4-5", ""); !strings.Contains(r.body, `"claude-haiku-4-5-20251001"`) {
			t.Errorf("one model by its alias: %s", r.body)
		}
		if r := b.ask("GET", "/v1/models/gpt", ""); r.StatusCode != 404 || r.error(t).Error.Message != "model: gpt" {
			t.Errorf("no such model: %d %s", r.StatusCode, r.body)
		}
		for _, query := range []string{"?limit=0", "?limit=1001", "?limit=x", "?after_id=nope", "?after_id=a&before_id=b"} {
			if r := b.ask("GET", "/v1/models"+query, ""); r.StatusCode != 400 {
				t.Errorf("%s: %d, want 400", query, r.StatusCode)
			}
		}
	})
}

func TestCountTokens(t *testing.T) {
	inBubble(t, sim.Config{Tier: "free-2024"}, func(b *bench) {
		var got struct {
			Input int `json:"input_tokens"`
		}
		body := strings.Replace(messageBody(words(1000), ""), `"max_tokens":8192,`, "", 1)
		r := b.ask("POST", "/v1/messages/count_tokens", body)
		if err := json.Unmarshal([]byte(r.body), &got); err != nil || got.Input < 800 || got.Input > 1200 {
			t.Errorf("%d %s, want about 1000 tokens", r.StatusCode, r.body)
		}
		if u := b.message(words(1000)).answer(t).Usage; u.Input != got.Input {
			t.Errorf("counted %d, used %d", got.Input, u.Input)
		}
		for range 99 {
			b.ask("POST", "/v1/messages/count_tokens", body)
		}
		if r := b.ask("POST", "/v1/messages/count_tokens", body); r.StatusCode != 429 || r.number(t, "retry-after") != 1 {
			t.Errorf("above the limit of token counting: %d", r.StatusCode)
		}
		if r := b.message("hi"); r.remaining(t, "requests") != 3 {
			t.Errorf("%d requests remain, want 3: counting has a pool of its own", r.remaining(t, "requests"))
		}
	})
}

func TestGzippedRequest(t *testing.T) {
	inBubble(t, sim.Config{}, func(b *bench) {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		io.WriteString(z, messageBody("hi", ""))
		z.Close()
		if r := b.ask("POST", "/v1/messages", packed.String(), "content-encoding", "gzip"); r.StatusCode != 200 {
			t.Errorf("%d %s", r.StatusCode, r.body)
		}
		if r := b.ask("POST", "/v1/messages", "no gzip", "content-encoding", "gzip"); r.error(t).Error.Details.Code != "request_body_encoding_invalid" {
			t.Errorf("%d %s", r.StatusCode, r.body)
		}
		packed.Reset()
		z, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
		if err != nil {
			t.Fatal(err)
		}
		z.Write(make([]byte, 32<<20+1))
		z.Close()
		if r := b.ask("POST", "/v1/messages", packed.String(), "content-encoding", "gzip"); r.StatusCode != 413 ||
			r.error(t).Error.Details.Code != "request_body_too_large_after_decoding" {
			t.Errorf("a bomb: %d %s", r.StatusCode, r.body)
		}
	})
}

func TestUsed(t *testing.T) {
	c := sim.Config{Limits: sim.Limits{Requests: 60}, StartFill: new(0.1)}
	inBubble(t, c, func(b *bench) {
		b.message("hi") // 5 of 6 left
		b.srv.ResetStats()
		for range 60 { // exactly what refills
			time.Sleep(time.Second)
			b.message("hi")
		}
		if got := b.srv.Stats().Used(sim.Requests); math.Abs(got-1) > 1e-9 {
			t.Errorf("used %v beside a standing stock of 5, want 1", got)
		}
		time.Sleep(time.Minute)
		s := b.srv.Stats()
		if got, want := s.Used(sim.Requests), 60.0/120; math.Abs(got-want) > 1e-9 {
			t.Errorf("used %v after an idle minute, want %v", got, want)
		}
		if l, used := s.Binding(); l != sim.Requests || used != s.Used(sim.Requests) {
			t.Errorf("the binding limiter is %s with %v", l, used)
		}
		b.srv.ResetStats()
		if s := b.srv.Stats(); s.Requests != 0 || s.Used(sim.Requests) != 0 || !s.Since.Equal(s.At) {
			t.Errorf("after the reset: %+v", s)
		}
		var over struct{ Buckets []map[string]any }
		if r := b.ask("GET", "/sim/stats", ""); json.Unmarshal([]byte(r.body), &over) != nil || len(over.Buckets) != 3 {
			t.Errorf("/sim/stats: %s", r.body)
		}
	})
}

func TestSeed(t *testing.T) {
	run := func(seed uint64) (text string) {
		c := sim.Config{Seed: seed, Timing: sim.Timing{Output: sim.Output{Median: 50, Sigma: 1}}}
		inBubble(t, c, func(b *bench) {
			for range 5 {
				r := b.message("hi")
				text += r.body + r.Header.Get("request-id")
			}
		})
		return text
	}
	if diff := cmp.Diff(run(1), run(1)); diff != "" {
		t.Errorf("two runs of one seed differ:\n%s", diff)
	}
	if run(1) == run(2) {
		t.Error("two seeds give the same run")
	}
}

func TestLog(t *testing.T) {
	var lines bytes.Buffer
	c := sim.Config{Logger: slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	inBubble(t, c, func(b *bench) { b.message("secret words", "x-api-key", "sk-ant-secret") })
	if got := lines.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "status=200") || strings.Contains(got, "secret") {
		t.Errorf("the log is %q", got)
	}
}

// TestManyAtOnce runs everything beside everything on the real clock, for the
// race detector and for the books.
func TestManyAtOnce(t *testing.T) {
	srv, err := sim.New(sim.Config{
		Limits: sim.Limits{Requests: 100_000, InputTokens: 1_000_000, OutputTokens: 1_000_000},
		Rules:  &sim.Rules{EstimateError: 0.2, BurstWindow: sim.Duration(10 * time.Second)},
		Scenario: scenario(t, `
organizations: [{name: a, workspaces: [{name: w, keys: [k0], limits: {requests: 50000}}], keys: [k1]}]
faults: [{kind: eof, every: 7}, {kind: '529', every: 11}]`),
	})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(i)))
			for range 100 {
				body := turn(part("s", 2000, mark5m), part(fmt.Sprint(rng.IntN(5)), rng.IntN(2000)+10, ""))
				if rng.IntN(2) == 0 {
					body = strings.Replace(body, `"max_tokens"`, `"stream":true,"max_tokens"`, 1)
				}
				req := httptest.NewRequest(http.MethodPost, "/v1/messages", strings.NewReader(body))
				req.Header.Set("x-api-key", fmt.Sprint("k", rng.IntN(2)))
				req.Header.Set("anthropic-version", "2026-10-21")
				srv.ServeHTTP(httptest.NewRecorder(), req)
				srv.Stats()
			}
		})
	}
	wg.Wait()
	s := srv.Stats()
	if s.Requests != 800 || s.Running != 0 || s.Status[529] == 0 {
		t.Errorf("counted %+v", s)
	}
	for _, b := range s.Buckets {
		refilled := b.Admitted + b.Overflow + b.Level - b.LevelAtStart
		if most := b.Limit / 60 * s.At.Sub(s.Since).Seconds(); refilled < 0 || refilled > most*1.01+1 {
			t.Errorf("%s of %q: booked %v, at most %v refilled", b.Limiter, b.Workspace, refilled, most)
		}
	}
}
