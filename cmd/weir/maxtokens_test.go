package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-gateway/weir/internal/config"
)

// TestMaxTokensOfTheFile: what the file says of classes, tenants and clients
// holds, and a changed file takes its place.
func TestMaxTokensOfTheFile(t *testing.T) {
	var asked string
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		asked = string(raw)
		io.WriteString(w, `{"type":"message","usage":{"input_tokens":1,"output_tokens":1}}`)
	}))
	defer api.Close()
	getenv := func(name string) string {
		return map[string]string{"K": "sk-ant-api-1", "A": "token-a", "B": "token-b", "WEIR_UPSTREAM": api.URL}[name]
	}
	load := func(text string) config.Config {
		t.Helper()
		file := filepath.Join(t.TempDir(), "weir.yaml")
		if err := os.WriteFile(file, []byte("keys: [{name: k, key: 'env:K'}]\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(file, getenv)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := load(`
clients: [{name: a, token: 'env:A', max_tokens: {cap: 70}}, {name: b, token: 'env:B', tenant: team}]
classes: {normal: {max_tokens: {default: 50, cap: 90}}, interactive: {max_tokens: {cap: 80}}, batch: {max_tokens: {cap: 60}}}
tenants: {team: {max_tokens: {default: 40}}}
`)
	g, err := newGateway(c, env{getenv: getenv}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	ask := func(token, class, body string) string {
		t.Helper()
		r := httptest.NewRequest("POST", "/v1/messages", strings.NewReader(body))
		r.Header.Set("X-Api-Key", token)
		r.Header.Set("Weir-Class", class)
		w := httptest.NewRecorder()
		g.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
		return asked
	}
	const much, none = `{"model":"m","max_tokens":100,"messages":[]}`, `{"model":"m","messages":[]}`
	for _, tc := range []struct{ token, class, body, want string }{
		{"token-a", "normal", much, `"max_tokens":70`}, {"token-b", "normal", much, `"max_tokens":90`},
		{"token-b", "interactive", much, `"max_tokens":80`}, {"token-b", "batch", much, `"max_tokens":60`},
		{"token-a", "normal", none, `"max_tokens":50`}, {"token-b", "normal", none, `"max_tokens":40`},
	} {
		if got := ask(tc.token, tc.class, tc.body); !strings.Contains(got, tc.want) {
			t.Errorf("%s, %s: asked %s, want %s", tc.token, tc.class, got, tc.want)
		}
	}
	if err := g.SetMaxTokens(maxTokensOf(load(""))); err != nil {
		t.Fatal(err)
	}
	if got := ask("token-a", "batch", much); got != much {
		t.Errorf("with nothing configured it asked %s", got)
	}
}
