package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-gateway/weir/internal/config"
	"github.com/weir-gateway/weir/internal/schema"
)

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func getenv(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestNoFileAtAll(t *testing.T) {
	c, err := config.Load("", getenv())
	if err != nil || c.Check() != nil || len(c.Keys) != 0 || c.Listen != "127.0.0.1:8787" {
		t.Errorf("got %+v, %v, %v", c, err, c.Check())
	}
	c, _ = config.Load("", getenv("ANTHROPIC_API_KEY", "sk-ant-api-1"))
	if len(c.Keys) != 1 {
		t.Error("a key in the environment means pool mode")
	}
}

func TestPrecedence(t *testing.T) {
	file := write(t, "listen: 127.0.0.1:1\nadmin: 127.0.0.1:2\nqueue: {max_wait: 90s}\n")
	c, err := config.Load(file, getenv("WEIR_ADMIN", "127.0.0.1:3"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:1" || c.Admin != "127.0.0.1:3" || c.Queue.MaxWait.D().Seconds() != 90 || c.Queue.MaxWaiting != 100_000 {
		t.Errorf("got %+v", c)
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	file := write(t, "lisen: x\nadmin: nowhere\nqueue: {max_waiting: -4}\nkeys:\n- name: a\n  key: sk-ant-api-123\n")
	_, err := config.Load(file, getenv())
	invalid, ok := errors.AsType[*schema.Error](err)
	if !ok || len(invalid.Faults) != 4 {
		t.Fatalf("got %v, want four faults", err)
	}
	for _, want := range []string{"lisen", "listen", "admin", "max_waiting", "keys[0].key", "env:NAME"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not mentioned in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "sk-ant-api-123") {
		t.Error("a secret was printed")
	}
}

func TestWhatMayFail(t *testing.T) {
	c, err := config.Load(write(t, `
keys: [{name: a, key: 'env:K', upstream: 'https://relay.example'}]
retry: {first_token: 90s, silence: 20s, hedge_after: 15s}
degrade: {fallback: {claude-opus-5: [claude-sonnet-5]}}
`), getenv())
	if err != nil || c.Check() != nil {
		t.Fatal(err, c.Check())
	}
	if c.Retry.FirstToken.D() != 90*time.Second || c.Keys[0].Upstream != "https://relay.example" || c.Degrade.Fallback["claude-opus-5"][0] != "claude-sonnet-5" {
		t.Errorf("got %+v", c)
	}
	for text, path := range map[string]string{
		"keys: [{name: a, key: 'env:K', upstream: relay}]": "keys[0].upstream",
		"degrade: {fallback: {m: []}}":                     "degrade.fallback.m",
		"degrade: {fallback: {m: [m]}}":                    "degrade.fallback.m",
		"retry: {silence: soon}":                           "retry.silence",
	} {
		if _, err := config.Load(write(t, text), getenv()); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestOpenToTheWorld(t *testing.T) {
	for name, tc := range map[string]struct {
		text   string
		faults int
	}{
		"loopback":    {"listen: localhost:1", 0},
		"all-open":    {"listen: 0.0.0.0:1", 2},
		"any-host":    {"listen: ':8787'", 2},
		"tokens":      {"listen: 0.0.0.0:1\nkeys: [{name: k, key: 'env:K'}]\nclients: [{name: c, token: 'env:T'}]", 1},
		"behind":      {"listen: 0.0.0.0:1\nbehind_tls_proxy: true\nkeys: [{name: k, key: 'env:K'}]\nclients: [{name: c, token: 'env:T'}]", 0},
		"admin":       {"admin: 0.0.0.0:1", 2},
		"admin-token": {"admin: 0.0.0.0:1\nadmin_token: env:T", 1},
		"admin-proxy": {"admin: 0.0.0.0:1\nadmin_token: env:T\nbehind_tls_proxy: true", 0},
		"admin-plain": {"admin: 0.0.0.0:1\nbehind_tls_proxy: true", 1},
		"admin-value": {"admin_token: open-sesame-open-sesame", -1},
		"admin-off":   {"admin: 'off'", 0},
		"no-keys":     {"clients: [{name: c, token: 'env:T'}]", 1},
	} {
		c, err := config.Load(write(t, tc.text), getenv())
		if tc.faults < 0 && err != nil {
			continue // the file alone tells
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		n := 0
		if invalid, ok := errors.AsType[*schema.Error](c.Check()); ok {
			n = len(invalid.Faults)
		}
		if n != tc.faults {
			t.Errorf("%s: %d faults, want %d: %v", name, n, tc.faults, c.Check())
		}
	}
}

func TestSecretReferences(t *testing.T) {
	file := write(t, "  sk-ant-api-file\n")
	for ref, want := range map[config.Ref]string{
		"env:K": "sk-ant-api-env", config.Ref("file:" + file): "sk-ant-api-file",
	} {
		if got, err := ref.Resolve(getenv("K", "sk-ant-api-env")); err != nil || got != want {
			t.Errorf("%s: got %q, %v", ref, got, err)
		}
	}
	for _, ref := range []config.Ref{"env:MISSING", "file:/does/not/exist", "plain", "env:"} {
		if got, err := ref.Resolve(getenv()); err == nil {
			t.Errorf("%s: got %q", ref, got)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("listen: 127.0.0.1:1\nkeys: [{name: a, key: 'env:K'}]")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := config.Load(write(t, text), getenv())
		if err == nil {
			_ = c.Check()
		}
	})
}

func TestMaxTokens(t *testing.T) {
	c, err := config.Load(write(t, `
keys: [{name: a, key: 'env:K'}]
clients: [{name: web, token: 'env:T', max_tokens: {cap: 9}}]
classes: {interactive: {max_tokens: {default: 100, cap: 200}}, batch: {max_tokens: {default: 7}}}
tenants: {acme: {max_tokens: {cap: 8}}}
retry: {stream_above: 0}
`), getenv())
	if err != nil || c.Check() != nil {
		t.Fatal(err, c.Check())
	}
	if c.Classes.Interactive.MaxTokens != (config.MaxTokens{Default: 100, Cap: 200}) || c.Classes.Batch.MaxTokens.Default != 7 ||
		c.Clients[0].MaxTokens.Cap != 9 || c.Tenants["acme"].MaxTokens.Cap != 8 || c.Retry.StreamAbove != 0 {
		t.Errorf("got %+v", c)
	}
	view, err := c.View()
	if err != nil || view["classes"] == nil || view["tenants"] == nil || view["retry"].(map[string]any)["stream_above"] != 0 {
		t.Errorf("shown as %v, %v", view, err)
	}
	if c := config.Defaults(); c.Retry.StreamAbove != 21_333 {
		t.Errorf("streams above %d by default", c.Retry.StreamAbove)
	}
	_, err = config.Load(write(t, `
classes: {interactive: {max_tokens: {default: 2, cap: 1}}, normal: {max_tokens: {cap: 0}}, urgent: {}}
tenants: {acme: {max_tokens: {default: 2, cap: 1}}}
clients: [{name: web, token: 'env:T', max_tokens: {default: 2, cap: 1}}]
retry: {stream_above: -1}
`), getenv())
	for _, path := range []string{"classes.interactive.max_tokens", "classes.normal.max_tokens.cap", "urgent", "tenants.acme.max_tokens", "clients[0].max_tokens", "retry.stream_above", "raise the cap"} {
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s is not mentioned in:\n%v", path, err)
		}
	}
}
