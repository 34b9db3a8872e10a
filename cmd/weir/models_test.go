package main

import (
	"errors"
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

// TestModelsOfTheFile: what the file says of the models of clients and tenants
// holds, and a changed file takes its place at the next call.
func TestModelsOfTheFile(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"type":"message","usage":{"input_tokens":1,"output_tokens":1}}`)
	}))
	defer api.Close()
	e := env{getenv: func(name string) string {
		return map[string]string{"K": "sk-ant-api-1", "A": "token-a", "B": "token-b", "WEIR_UPSTREAM": api.URL}[name]
	}}
	load := func(text string) config.Config {
		t.Helper()
		file := filepath.Join(t.TempDir(), "weir.yaml")
		if err := os.WriteFile(file, []byte("keys: [{name: k, key: 'env:K'}]\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(file, e.getenv)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	g, err := newGateway(load(`
clients: [{name: a, token: 'env:A', models: ['claude-haiku-*']}, {name: b, token: 'env:B', tenant: team}]
tenants: {team: {models: [claude-sonnet-5]}, nobody: {models: []}}
`), e, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	ask := func(token, model, tenant string) int {
		r := httptest.NewRequest("POST", "/v1/messages", strings.NewReader(`{"model":"`+model+`","max_tokens":9,"messages":[]}`))
		r.Header.Set("X-Api-Key", token)
		r.Header.Set("Weir-Tenant", tenant)
		w := httptest.NewRecorder()
		g.Handler().ServeHTTP(w, r)
		return w.Code
	}
	const haiku, sonnet = "claude-haiku-4-5", "claude-sonnet-5"
	type row struct {
		token, model, tenant string
		want                 int
	}
	check := func(rows ...row) {
		t.Helper()
		for _, c := range rows {
			if got := ask(c.token, c.model, c.tenant); got != c.want {
				t.Errorf("%s asks %s as %q: %d, want %d", c.token, c.model, c.tenant, got, c.want)
			}
		}
	}
	check(row{"token-a", haiku, "", 200}, row{"token-a", sonnet, "", 403}, row{"token-b", haiku, "", 403}, row{"token-b", sonnet, "", 200},
		row{"token-b", haiku, "a", 403}, row{"token-a", haiku, "nobody", 403}, row{"token-a", haiku, "team", 403})
	next := load("clients: [{name: a, token: 'env:A'}, {name: b, token: 'env:B', models: [" + haiku + "]}]\n")
	clients, err := resolveClients(next, e)
	r := reloader{gateway: g}
	if err := errors.Join(err, r.setClients(clients, modelsOf(next))); err != nil {
		t.Fatal(err)
	}
	check(row{"token-a", sonnet, "", 200}, row{"token-a", haiku, "nobody", 200}, row{"token-b", haiku, "", 200}, row{"token-b", sonnet, "team", 403})
}
