package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-gateway/weir/sim"
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

// TestSplitReloads changes what is split while the gateway runs.
func TestSplitReloads(t *testing.T) {
	api, err := sim.New(sim.Config{Limits: sim.Limits{Requests: 1000, InputTokens: 400_000, OutputTokens: 80_000}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	upstream := httptest.NewServer(api)
	defer upstream.Close()
	file := filepath.Join(t.TempDir(), "weir.yaml")
	write := func(split string) {
		text := "listen: 127.0.0.1:0\nadmin: 'off'\nupstream: " + upstream.URL + "\nsplit: {" + split + "}\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	out := make(lines, 100)
	stop := beside(t.Context(), func(ctx context.Context) error {
		return serve(ctx, env{nil, out, out, func(string) string { return "" }}, serveFlags{file: file})
	})
	defer stop()
	url := out.after(t, "data plane ")
	text := strings.Repeat("The river rose in the night. ", 500)
	for _, want := range []string{"", "4"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/messages", strings.NewReader(
			`{"model":"claude-haiku-4-5","max_tokens":10,"messages":[{"role":"user","content":"`+text+`"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"X-Api-Key": "sk-ant-api03-x", "Anthropic-Version": "2023-06-01", "Weir-Split": "auto; merge=concat"} {
			req.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("Weir-Split"); got != want || resp.StatusCode != http.StatusOK {
			t.Errorf("%d, split in %q, want %q", resp.StatusCode, got, want)
		}
		if want == "" {
			write("above: 2000, part: 1000, class: batch")
			out.await(t, "reloaded")
		}
	}
}
