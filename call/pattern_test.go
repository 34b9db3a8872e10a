package call_test

import (
	"testing"

	"github.com/weir-gateway/weir/call"
)

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"core", "core", true},
		{"core", "core-1", false},
		{"core-*", "core-1", true},
		{"core-*", "core-eu/berlin", true},
		{"*", "team/a", true},
		{"team/*", "team/a/b", true},
		{"team/*", "team", false},
		{"claude-haiku-*", "claude-opus-5", false},
		{"claude-?-5", "claude-x-5", true},
		{"team-[ab]", "team-b", true},
		{"team[", "team[", false},
	} {
		if got := call.Fits([]string{"none", c.pattern}, c.name); got != c.want {
			t.Errorf("%s fits %s: %t, want %t", c.pattern, c.name, got, c.want)
		}
	}
	for pattern, want := range map[string]bool{"a*": true, "team[": false, "": false, `a\`: false} {
		if got := call.IsPattern(pattern); got != want {
			t.Errorf("%q is a pattern: %t, want %t", pattern, got, want)
		}
	}
	c := call.Call{Models: [][]string{{"*"}}}
	if !c.May("anthropic/claude-haiku-4-5") {
		t.Error("* does not stand for anything")
	}
}
