package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	text := strings.Repeat("The river rose in the night. Nobody slept.\n\n", 200)
	name := filepath.Join(t.TempDir(), "book.md")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	split := func(code int, args ...string) string {
		var out, talk bytes.Buffer
		e := env{stdin: strings.NewReader(text), stdout: &out, stderr: &talk, getenv: func(string) string { return "" }}
		if got := run(t.Context(), e, append([]string{"split"}, args...)); got != code {
			t.Errorf("%v: exit %d, want %d: %s", args, got, code, talk.String())
		}
		return out.String()
	}
	var printed struct{ Parts []splitPart }
	if err := json.Unmarshal([]byte(split(exitOK, "-", "--json", "--tokens", "500", "--overlap", "50")), &printed); err != nil {
		t.Fatal(err)
	}
	joined := ""
	for i, p := range printed.Parts {
		joined += p.Text[p.Overlap:]
		if p.Tokens > 500 || (p.Overlap == 0) != (i == 0) {
			t.Errorf("part %d has %d tokens, %d bytes of overlap", p.Part, p.Tokens, p.Overlap)
		}
	}
	if joined != text || len(printed.Parts) < 3 {
		t.Errorf("%d parts do not make the text", len(printed.Parts))
	}
	folder := filepath.Join(t.TempDir(), "parts")
	joined = ""
	for file := range strings.FieldsSeq(split(exitOK, name, "--out", folder, "--tokens", "500")) {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		joined += string(raw)
	}
	if joined != text {
		t.Error("the files do not make the text")
	}
	split(exitFailed, name, "--out", folder, "--tokens", "500") // they are there already
	split(exitUsage, name, "--tokens", "0")
	split(exitUsage, name+"x")
	if table := split(exitOK, name, "--tokens", "500"); !strings.Contains(table, "tokens") {
		t.Errorf("printed %q", table)
	}
}

// TestSplitInput gives weir split what it can and cannot read.
func TestSplitInput(t *testing.T) {
	for name, tc := range map[string]struct {
		input string
		args  []string
		code  int
		says  string
	}{
		"empty":      {"", []string{"-"}, exitOK, ""},
		"empty-json": {"", []string{"-", "--json"}, exitOK, ""},
		"pdf":        {"%PDF-1.7\n\x00", []string{"-"}, exitFailed, "pdftotext"},
		"utf-16":     {"\xff\xfea\x00b\x00", []string{"-"}, exitFailed, "iconv"},
		"latin-1":    {"caf\xe9 and more.", []string{"-"}, exitOK, ""},
		"as-json":    {"caf\xe9 and more.", []string{"-", "--json"}, exitFailed, "--out"},
		"folder":     {"", []string{t.TempDir()}, exitUsage, "name a text file"},
		"two-files":  {"", []string{"a", "b"}, exitUsage, "one file"},
		"overlap":    {"a", []string{"-", "--tokens", "10", "--overlap", "6"}, exitUsage, "half of --tokens"},
		"both":       {"a", []string{"-", "--json", "--out", "x"}, exitUsage, "exclude each other"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, talk bytes.Buffer
			e := env{stdin: strings.NewReader(tc.input), stdout: &out, stderr: &talk, getenv: func(string) string { return "" }}
			if code := run(t.Context(), e, append([]string{"split"}, tc.args...)); code != tc.code || !strings.Contains(talk.String(), tc.says) {
				t.Errorf("exit %d, want %d: %s", code, tc.code, talk.String())
			}
			if tc.says == "" == (out.Len() == 0) {
				t.Errorf("printed %q", out.String())
			}
		})
	}
}
