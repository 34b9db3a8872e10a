package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// TestTokens makes, uses and revokes a token while the gateway runs.
func TestTokens(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(api.Close)
	data, out := t.TempDir(), make(lines, 100)
	getenv := func(name string) string { return map[string]string{"ANTHROPIC_API_KEY": "sk-ant-api-1"}[name] }
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, env{strings.NewReader(""), out, out, getenv},
			[]string{"serve", "--listen", "127.0.0.1:0", "--admin", "off", "--upstream", api.URL, "--data", data})
	}()
	defer func() { stop(); <-done }()
	address := out.after(t, "weir: data plane ")
	status := func(token string) int {
		t.Helper()
		req, _ := http.NewRequest(http.MethodPost, address+"/v1/messages", strings.NewReader(request))
		req.Header.Set("X-Api-Key", token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	out.await(t, "pool mode")
	if got := status("anything"); got != http.StatusOK {
		t.Errorf("before the first token: %d", got)
	}
	token := strings.TrimSpace(command(t, exitOK, "token", "add", "ci", "--tenant", "team", "--data", data))
	out.await(t, "reloaded")
	if a, b := status("anything"), status(token); a != http.StatusUnauthorized || b != http.StatusOK {
		t.Errorf("with a token in force: %d without it, %d with it", a, b)
	}
	if list := command(t, exitOK, "token", "list", "--json", "--data", data); !strings.Contains(list, `"tenant": "team"`) || strings.Contains(list, token) {
		t.Errorf("listed: %s", list)
	}
	small := strings.TrimSpace(command(t, exitOK, "token", "add", "small", "--models", "claude-sonnet-*,claude-opus-5", "--data", data))
	out.await(t, "reloaded")
	if got := status(small); got != http.StatusForbidden {
		t.Errorf("a token for other models: %d", got)
	}
	for _, row := range []string{`ci +team +\S+ +any\n`, `small +small +\S+ +claude-sonnet-\*,claude-opus-5\n`} {
		if list := command(t, exitOK, "token", "list", "--data", data); !regexp.MustCompile(row).MatchString(list) {
			t.Errorf("no %s in\n%s", row, list)
		}
	}
	command(t, exitOK, "token", "revoke", "ci", "--data", data)
	out.await(t, "reloaded")
	if got := status(token); got != http.StatusUnauthorized {
		t.Errorf("after it was revoked: %d", got)
	}
}

func TestTokenMistakes(t *testing.T) {
	data := t.TempDir()
	command(t, exitUsage, "token", "add", "ci")
	command(t, exitUsage, "token", "add", "--data", data)
	for _, models := range []string{"", "claude-haiku-[", "claude-haiku-*,,"} {
		command(t, exitUsage, "token", "add", "ci", "--models", models, "--data", data)
	}
	command(t, exitOK, "token", "add", "ci", "--data", data)
	command(t, exitFailed, "token", "add", "ci", "--data", data)
	command(t, exitFailed, "token", "revoke", "other", "--data", data)
	if list := command(t, exitOK, "token", "list", "--json", "--data", t.TempDir()); strings.TrimSpace(list) != "[]" {
		t.Errorf("an empty list: %s", list)
	}
}

// command runs one command line and returns its stdout.
func command(t *testing.T, want int, args ...string) string {
	t.Helper()
	var stdout, stderr strings.Builder
	if got := run(t.Context(), env{strings.NewReader(""), &stdout, &stderr, noEnvironment}, args); got != want {
		t.Fatalf("weir %s: exit code %d, want %d: %s", strings.Join(args, " "), got, want, &stderr)
	}
	return stdout.String()
}

// after waits for a line and returns what stands behind prefix in it.
func (l lines) after(t *testing.T, prefix string) string {
	t.Helper()
	for {
		select {
		case got := <-l:
			if _, rest, found := strings.Cut(got, prefix); found {
				rest, _, _ = strings.Cut(rest, "\n")
				return rest
			}
		case <-t.Context().Done():
			t.Fatalf("no line with %q", prefix)
		}
	}
}
