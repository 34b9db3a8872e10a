package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// startSim runs weir sim and returns its address and what ends it.
func startSim(t *testing.T, args ...string) (url string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	talk, stderr := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, env{strings.NewReader(""), io.Discard, stderr, os.Getenv}, append([]string{"sim", "--listen", "127.0.0.1:0"}, args...))
		stderr.Close()
	}()
	line, err := bufio.NewReader(talk).ReadString('\n')
	if err != nil {
		cancel()
		t.Fatalf("it said %q and ended with %d", line, <-code)
	}
	go io.Copy(io.Discard, talk)
	_, url, _ = strings.Cut(strings.TrimSpace(line), " is at ")
	return url, func() int { cancel(); return <-code }
}

func TestSimServesUntilToldToStop(t *testing.T) {
	url, stop := startSim(t, "--tier", "free-2024", "--seed", "7", "--speed", "2")
	req, err := http.NewRequest(http.MethodGet, url+"/v1/models?limit=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("x-api-key", "sk-ant-any")
	req.Header.Set("anthropic-version", "2023-06-01")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), `"has_more":true`) {
		t.Errorf("%d %s, error %v", resp.StatusCode, body, err)
	}
	if code := stop(); code != exitOK {
		t.Errorf("exit code %d, want 0", code)
	}
	if resp, err := http.DefaultClient.Get(url); err == nil {
		resp.Body.Close()
		t.Error("it still answers after its end")
	}
}

func TestSimRefusesWhatItCannotDo(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("tming: 1\nseed: x\nfaults: [{kind: 7}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"tier", []string{"--tier", "gold"}, exitUsage, []string{`tier "gold" is not known`, "tier1-2025"}},
		{"scenario", []string{"--scenario", "nowhere"}, exitUsage, []string{"nowhere", "overload"}},
		{"three-mistakes", []string{"--scenario", bad}, exitUsage, []string{"tming: unknown key", "seed: is a string", "faults[0].kind"}},
		{"speed", []string{"--speed", "-1"}, exitUsage, []string{"speed -1 is out of range"}},
		{"address", []string{"--listen", "nowhere:x"}, exitFailed, []string{"listen", "weir: hint: "}},
		{"flag", []string{"--colour"}, exitUsage, []string{"unknown flag"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var stderr strings.Builder
			code := run(t.Context(), env{strings.NewReader(""), io.Discard, &stderr, os.Getenv}, append([]string{"sim"}, tc.args...))
			if code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			for _, want := range tc.want {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("it said %q, want %q in it", stderr.String(), want)
				}
			}
		})
	}
}
