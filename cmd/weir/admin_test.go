package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAdminBehindALogin reaches an admin plane that wants its token, as a
// scraper does.
func TestAdminBehindALogin(t *testing.T) {
	folder := t.TempDir()
	secret := strings.Repeat("s3", 12)
	file := filepath.Join(folder, "weir.yaml")
	os.WriteFile(filepath.Join(folder, "token"), []byte(secret+"\n"), 0o600)
	os.WriteFile(file, fmt.Appendf(nil, "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nadmin_token: file:%s\n", filepath.Join(folder, "token")), 0o600)
	weir := start(t, "--config", file)
	for token, want := range map[string]int{"": 401, "wrong": 401, secret: 200} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, weir.admin+"/metrics", nil)
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("with %q: %d, want %d", token, resp.StatusCode, want)
		}
	}
	weir.stop()
	if code := weir.ended(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}
