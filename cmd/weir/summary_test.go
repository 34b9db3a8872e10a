package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-gateway/weir/internal/config"
)

func TestSummary(t *testing.T) {
	for name, c := range map[string]struct {
		s      config.Sources
		getenv map[string]string
		want   string
	}{
		"defaults": {want: "upstream https://api.anthropic.com, pass-through mode: each caller pays with its own key; waits of at most 10m0s"},
		"development": {
			s: config.Sources{Profile: "development"},
			want: "upstream the simulator in this process, whose answers are made up and cost nothing, pass-through mode: any key will do; " +
				"profile development: waits of at most 30s, at most 3 calls at once, no retries, budget development of $5.00 a day, what is spent is kept in memory alone",
		},
		"with-a-key": {
			s: config.Sources{Profile: "development"}, getenv: map[string]string{"ANTHROPIC_API_KEY": "sk-ant-api-1", "WEIR_DATA": "/d"},
			want: "upstream https://api.anthropic.com, pool mode: calls are paid with ANTHROPIC_API_KEY; " +
				"profile development: waits of at most 30s, at most 3 calls at once, no retries, budget development of $5.00 a day",
		},
		"password": {
			s: config.Sources{Profile: "staging"}, getenv: map[string]string{"WEIR_UPSTREAM": "https://u:hunter2@relay.example"},
			want: "upstream https://u:xxxxx@relay.example, pass-through mode: each caller pays with its own key; " +
				"profile staging: waits of at most 2m0s, a dry run of the ladder",
		},
	} {
		c.s.Getenv = func(name string) string { return c.getenv[name] }
		got, err := c.s.Load()
		if err != nil || summary(got) != c.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, summary(got), c.want)
		}
	}
}

// TestABudgetNeedsNoFolder: what is spent counts as long as the gateway runs.
func TestABudgetNeedsNoFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(file, []byte("profile: development\nbudgets: [{name: development, limit: 0.001, period: day}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	weir := start(t, "--config", file, "--listen", "127.0.0.1:0", "--admin", "off")
	for n := range 100 {
		resp, err := askAsAnySDK(t, weir.data, request)
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode == 200 {
			continue
		}
		var body struct {
			Error struct {
				Details struct {
					Code string `json:"error_code"`
				}
			}
		}
		if err := json.Unmarshal(raw, &body); err != nil || body.Error.Details.Code != "budget_spent" || n < 3 || resp.Header.Get("X-Should-Retry") != "false" {
			t.Errorf("call %d: %d, %v: %s", n+1, resp.StatusCode, err, raw)
		}
		if !strings.Contains(string(raw), "development") {
			t.Errorf("it does not name the budget: %s", raw)
		}
		return
	}
	t.Error("a hundred calls were let out for a tenth of a cent")
}
