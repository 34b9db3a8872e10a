package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCompare(t *testing.T) {
	name := filepath.Join(t.TempDir(), "refusals.md")
	if err := os.WriteFile(name, []byte("| a | 3 · 2.1 s |\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for run, same := range map[string]bool{
		"| a | 3 · 2.1 s |\n":                    true,
		"| a | 3 · 12.0 s |\n":                   true, // its suite knows how long it may take
		"| a | 4 · 2.1 s |\n":                    false,
		"| a | 3 · 2.1 s |\n| b | 1 · 0.0 s |\n": false,
		"": false,
	} {
		if err := compare(name, run); (err == nil) != same {
			t.Errorf("%q: %v", run, err)
		}
	}
}
