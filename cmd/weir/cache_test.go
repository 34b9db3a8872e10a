package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/weir-gateway/weir/call"
)

// TestServeWithACache keeps answers over a restart, forgets them when it is told
// to, and shows what was saved.
func TestServeWithACache(t *testing.T) {
	var asked atomic.Int64
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, strings.Replace(answer, `"usage"`, `"role":"assistant","model":"claude-haiku-4-5","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","usage"`, 1))
	}))
	defer api.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "weir.yaml")
	config := "upstream: " + api.URL + "\nlisten: 127.0.0.1:0\nadmin: 127.0.0.1:0\ndata: " + filepath.Join(dir, "data") + "\ncache: {default: on, disk: {}}\n"
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func(weir *running, want string) {
		t.Helper()
		resp := post(t, client, weir.data+"/v1/messages", request)
		raw, _ := io.ReadAll(resp.Body)
		if got := resp.Header.Get("Weir-Cache"); got != want || !strings.Contains(string(raw), "hello") {
			t.Errorf("weir-cache %s, want %s: %d %s", got, want, resp.StatusCode, raw)
		}
	}
	weir := start(t, "--config", file)
	ask(weir, "miss")
	ask(weir, "hit")
	weir.stop()
	weir.ended()

	weir = start(t, "--config", file)
	ask(weir, "hit")
	resp, err := client.Get(weir.admin + "/api/v1/cache")
	if err != nil {
		t.Fatal(err)
	}
	var report call.CacheReport
	if err := json.NewDecoder(resp.Body).Decode(&report); err != nil || report.Hits != 1 || report.Saved != 12 || report.SavedUSD == 0 || report.Stores[0].Bytes == 0 {
		t.Errorf("%+v, %v", report, err)
	}
	resp.Body.Close()
	del, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, weir.admin+"/api/v1/cache?all=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err = client.Do(del); err != nil || resp.StatusCode != 204 {
		t.Fatal(resp.Status, err)
	}
	resp.Body.Close()
	ask(weir, "miss")
	if asked.Load() != 2 {
		t.Errorf("the upstream was asked %d times", asked.Load())
	}
	if err := os.WriteFile(file, []byte(strings.Replace(config, "disk: {}", "disk: {}, max_age: 1ns", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	weir.line(t, "weir: reloaded")
	ask(weir, "miss")
	weir.stop()
	weir.ended()
}
