package main

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// TestAsk asks through a gateway with whole and split files, and without one.
func TestAsk(t *testing.T) {
	api, err := sim.New(sim.Config{Limits: sim.Limits{Requests: 1000, InputTokens: 400_000, OutputTokens: 80_000}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	upstream := httptest.NewServer(api)
	defer upstream.Close()
	g, err := weir.New(weir.WithUpstream(upstream.URL), weir.WithSplit(weir.Split{Above: 20_000}))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	gateway := httptest.NewServer(g.Handler())
	defer gateway.Close()
	text := strings.Repeat("The river rose in the night. Nobody slept.\n\n", 6000)
	vars := map[string]string{"ANTHROPIC_API_KEY": "sk-ant-api03-x", "ANTHROPIC_BASE_URL": gateway.URL}
	asks := func(code int, args ...string) (out, talk string) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		e := env{stdin: strings.NewReader(text), stdout: &stdout, stderr: &stderr, getenv: func(name string) string { return vars[name] }}
		if got := run(t.Context(), e, append([]string{"ask"}, args...)); got != code {
			t.Errorf("%v: exit %d, want %d: %s", args, got, code, stderr.String())
		}
		return stdout.String(), stderr.String()
	}
	out, talk := asks(exitOK, "What is a weir?")
	if strings.TrimSpace(out) == "" || !strings.Contains(talk, "at most $0.0") || !strings.Contains(talk, "output tokens, $0.0") {
		t.Errorf("answered %q, %q", out, talk)
	}
	out, talk = asks(exitOK, "--file", "-", "--split", "auto", "--json", "Summarise this.")
	var answer askAnswer
	if err := json.Unmarshal([]byte(out), &answer); err != nil || answer.Parts < 3 || answer.Text == "" || answer.Input < 60_000 || answer.Cost <= 0 {
		t.Errorf("%v: %s %s", err, out, talk)
	}
	before := api.Stats().Requests
	out, _ = asks(exitOK, "--file", "-", "--dry-run", "--json", "Summarise this.")
	var plan askPlan
	if err := json.Unmarshal([]byte(out), &plan); err != nil || plan.Input < 60_000 || plan.MaxCost <= 0 || api.Stats().Requests != before {
		t.Errorf("%v: %s", err, out)
	}
	_, talk = asks(exitFailed, "--model", "claude-nobody-1", "What?")
	if !strings.Contains(talk, "claude-nobody-1") {
		t.Errorf("said %q", talk)
	}
	asks(exitUsage)
	asks(exitUsage, "--max-tokens", "0", "x")
	asks(exitFailed, "--split", "maybe", "x")
	asks(exitFailed, "--gateway", "http://127.0.0.1:1", "x")
}

// TestAskWithoutGateway asks the API itself if nobody listens.
func TestAskWithoutGateway(t *testing.T) {
	if listens(t.Context(), localGateway) {
		t.Skip("a gateway runs on this machine")
	}
	api, err := sim.New(sim.Config{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	upstream := httptest.NewServer(api)
	defer upstream.Close()
	vars := map[string]string{"WEIR_UPSTREAM": upstream.URL}
	var stdout, stderr bytes.Buffer
	e := env{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, getenv: func(name string) string { return vars[name] }}
	if code := run(t.Context(), e, []string{"ask", "Hello?"}); code != exitFailed || !strings.Contains(stderr.String(), "ANTHROPIC_API_KEY") {
		t.Errorf("exit %d: %s", code, stderr.String())
	}
	vars["ANTHROPIC_API_KEY"] = "sk-ant-api03-x"
	if code := run(t.Context(), e, []string{"ask", "Hello?"}); code != exitOK || stdout.Len() == 0 {
		t.Errorf("exit %d: %s", code, stderr.String())
	}
}
