package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-gateway/weir/internal/batch"
	"github.com/weir-gateway/weir/sim"
)

// simulated serves a simulator.
func simulated(t *testing.T, c sim.Config) string {
	t.Helper()
	api, err := sim.New(c)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return server.URL
}

// weirBatch runs weir batch in this process.
func weirBatch(ctx context.Context, args ...string) (code int, out, talk string) {
	var stdout, stderr bytes.Buffer
	code = run(ctx, env{nil, &stdout, &stderr, noEnvironment}, append([]string{"batch"}, args...))
	return code, stdout.String(), stderr.String()
}

func TestBatchCommand(t *testing.T) {
	url := simulated(t, sim.Config{Tier: "custom"})
	t.Run("queue", func(t *testing.T) {
		in := requestFile(t, 20)
		code, out, talk := weirBatch(t.Context(), in, "--gateway", url+"/v1/", "--json")
		var s batchSummary
		if err := json.Unmarshal([]byte(out), &s); err != nil || code != exitOK || s.Succeeded != 20 || s.Mode != modeQueue {
			t.Errorf("exit %d: %s %s", code, out, talk)
		}
		onceEach(t, s.Out, 20)
		if code, out, _ := weirBatch(t.Context(), in, "--gateway", url, "--json"); code != exitOK || !strings.Contains(out, `"before": 20`) {
			t.Errorf("again: exit %d: %s", code, out)
		}
	})
	t.Run("batches", func(t *testing.T) {
		in := requestFile(t, 20)
		code, out, talk := weirBatch(t.Context(), in, "--gateway", url, "--mode", "batches", "--batch-size", "7", "--out", "-")
		if code != exitOK || strings.Count(out, "\n") != 20 || !strings.Contains(out, `"service_tier":"batch"`) || !strings.Contains(talk, "20 of 20") {
			t.Errorf("exit %d: %s %s", code, out, talk)
		}
	})
	t.Run("auto", func(t *testing.T) {
		_, out, talk := weirBatch(t.Context(), requestFile(t, autoBatches), "--gateway", url, "--json")
		if !strings.Contains(out, `"mode": "batches"`) {
			t.Errorf("%s %s", out, talk)
		}
	})
	t.Run("some-fail", func(t *testing.T) {
		in := requestFile(t, 3)
		data, _ := os.ReadFile(in)
		data = bytes.Replace(data, []byte("claude-haiku-4-5"), []byte("claude-none"), 1)
		if err := os.WriteFile(in, data, 0o600); err != nil {
			t.Fatal(err)
		}
		code, _, talk := weirBatch(t.Context(), in, "--gateway", url)
		if code != exitFailed || !strings.Contains(talk, "2 succeeded, 1 errored") {
			t.Errorf("exit %d: %s", code, talk)
		}
	})
}

func TestBatchInterrupted(t *testing.T) {
	url := simulated(t, sim.Config{Tier: "custom", Timing: sim.Timing{Batch: time.Hour}})
	in := requestFile(t, 20)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	code, _, talk := weirBatch(ctx, in, "--gateway", url, "--mode", "batches")
	if code != exitFailed || !strings.Contains(talk, "hint: run the same command again to go on") {
		t.Errorf("exit %d: %s", code, talk)
	}
	if code, _, talk := weirBatch(t.Context(), in, "--gateway", url, "--mode", "queue"); code != exitFailed || !strings.Contains(talk, "--mode batches") {
		t.Errorf("what is in batches must not be asked for: exit %d: %s", code, talk)
	}
}

func TestBatchRefuses(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.jsonl")
	if err := os.WriteFile(bad, []byte("{}\nx\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := requestFile(t, 1)
	for name, tc := range map[string]struct {
		args []string
		code int
		want []string
	}{
		"no-file":    {nil, exitUsage, []string{"one file"}},
		"missing":    {[]string{"nowhere.jsonl"}, exitUsage, []string{"nowhere.jsonl"}},
		"bad-lines":  {[]string{bad}, exitUsage, []string{"line 1", "line 2", "nothing was sent"}},
		"bad-flags":  {[]string{good, "--mode", "fast", "--gateway", "x", "--concurrency", "0", "--batch-size", "0"}, exitUsage, []string{"--mode", "--gateway", "--concurrency", "--batch-size"}},
		"both-print": {[]string{good, "--json", "--out", "-"}, exitUsage, []string{"--json"}},
		"not-ours":   {[]string{good, "--out", good}, exitFailed, []string{"line 1 is not a result"}},
		"bad-key":    {[]string{good, "--gateway", simulated(t, sim.Config{Scenario: &sim.Scenario{Faults: []sim.Fault{{Kind: sim.FaultBadKey}}}})}, exitFailed, []string{"nothing more can be answered", "again"}},
	} {
		code, _, talk := weirBatch(t.Context(), tc.args...)
		for _, want := range tc.want {
			if code != tc.code || !strings.Contains(talk, want) {
				t.Errorf("%s: exit %d, %q is not in %s", name, code, want, talk)
			}
		}
	}
}

func TestBatchBar(t *testing.T) {
	s := batch.State{Total: 400, Before: 100, Done: 100, Failed: 3, UnderWay: 32, Took: 50 * time.Second, Note: "waiting after status 529: Overloaded"}
	const want = "[############............] 200 of 400 (50 %), 3 failed, 32 under way, 2.0 a second, 1m40s left; waiting after status 529: Overloaded"
	if got := batchBar(s, true); got != want {
		t.Errorf("got %s", got)
	}
	if got := batchBar(batch.State{Total: 4}, false); got != "0 of 4 (0 %), 0 failed, 0 under way" {
		t.Errorf("got %s", got)
	}
}
