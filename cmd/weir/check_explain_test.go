package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const explainedFile = `degrade:
  protect: {tenants: [checkout], models: [claude-haiku-*]}
  fallback: {claude-opus-5: [claude-sonnet-5]}
  ladder:
    - {rung: thinking, enter: headroom < 0.2, leave: headroom > 0.5}
    - {rung: fallback, enter: queue_wait > duration("5s"), classes: [batch], dwell: 1m}
    - {rung: trim, enter: 10 / waiting > 2}
`

func explained(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(file, []byte(explainedFile), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, talk strings.Builder
	code = run(t.Context(), env{stdout: &out, stderr: &talk, getenv: func(string) string { return "" }}, append([]string{"check", "--config", file, "--explain"}, args...))
	return code, out.String(), talk.String()
}

func TestCheckExplains(t *testing.T) {
	for name, c := range map[string]struct {
		with string
		want [3]string
		says string
	}{
		"short":     {"headroom=0.1,queue_wait=8s,class=batch,waiting=4,model=claude-opus-5", [3]string{"enters", "enters", "leaves"}, "1. thinking: no thinking\n   in force\n   enter   true   headroom < 0.2\n   leave   false  headroom > 0.5\n   with    headroom = 0.1\n"},
		"by-input":  {"input=0.1,waiting=1", [3]string{"enters", "elsewhere", "enters"}, "not for such calls"},
		"between":   {"headroom=0.3,class=batch", [3]string{"stays", "leaves", "stays"}, "fault   evaluate \"10 / waiting > 2\": division by zero"},
		"protected": {"headroom=0.1,model=claude-haiku-4-5,class=batch,waiting=1", [3]string{"protected", "protected", "protected"}, "protected models: claude-haiku-*\nprotected tenants: checkout\n"},
		"chain":     {"queue_wait=1m,class=batch,model=claude-opus-5,waiting=1", [3]string{"leaves", "enters", "enters"}, "the next model of its chain: claude-sonnet-5\n"},
	} {
		code, out, talk := explained(t, "--with", c.with)
		if code != 0 || !strings.Contains(out, c.says) {
			t.Errorf("%s: %d %s\n%s\nwant %s", name, code, talk, out, c.says)
		}
		_, out, _ = explained(t, "--json", "--with", c.with)
		var got explainedLadder
		if err := json.Unmarshal([]byte(out), &got); err != nil || len(got.Rungs) != len(c.want) {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		for i, r := range got.Rungs {
			if r.Verdict != c.want[i] {
				t.Errorf("%s: rung %s %s, want %s", name, r.Rung, r.Verdict, c.want[i])
			}
		}
	}
}

func TestCheckExplainsFaultsOfItsFlags(t *testing.T) {
	code, _, talk := explained(t, "--with", "headroom=much,class=first,now=noon,depth=3,breaker=ajar")
	for _, want := range []string{"headroom=much: want a number", "class=first: want interactive", "now=noon: want a time such as", "depth=3: want one of headroom, input", "breaker=ajar: want closed"} {
		if code != 2 || !strings.Contains(talk, want) {
			t.Errorf("%d, no %q in %s", code, want, talk)
		}
	}
}
