package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestServeWarns is the whole way of a warning: an answer with little quota
// left, then the hook, the header, the admin plane and the metrics; and other
// thresholds and another hook after a change of the configuration.
func TestServeWarns(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Anthropic-Organization-Id", "org")
		h.Set("Anthropic-Ratelimit-Requests-Limit", "1000")
		h.Set("Anthropic-Ratelimit-Requests-Remaining", "150")
		h.Set("Anthropic-Ratelimit-Requests-Reset", time.Now().Add(time.Minute).UTC().Format(time.RFC3339))
		io.WriteString(w, answer)
	}))
	defer api.Close()
	hook := func() (url string, came chan string) {
		came = make(chan string, 10)
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			came <- r.Header.Get("Weir-Signature") + string(body)
			io.WriteString(w, `{"errcode":0}`)
		}))
		t.Cleanup(srv.Close)
		return srv.URL, came
	}
	first, came := hook()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "weir.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte("alerts: {"+text+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("webhooks: [{name: ops, url: '" + first + "', form: json, secret: 'file:" + secret + "'}]")
	weir := start(t, "--config", file, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--upstream", api.URL)
	post(t, http.DefaultClient, weir.data+"/v1/messages", request)
	if got := <-came; !strings.HasPrefix(got, "t=") || !strings.Contains(got, `"event":"raised"`) || !strings.Contains(got, `"threshold_percent":20`) {
		t.Errorf("the hook got %s", got)
	}
	if got := post(t, http.DefaultClient, weir.data+"/v1/messages", request).Header.Get("Weir-Warning"); got != "requests below 20%" {
		t.Errorf("the header says %q", got)
	}
	for path, want := range map[string]string{
		"/api/v1/warnings": `"zh":{"message":"模型 claude-haiku-4-5：每分钟请求数的额度已低于 20 %`,
		"/api/v1/config":   `"forecast":"1m0s"`,
		"/metrics":         `weir_webhook_total{hook="ops",outcome="failed"} 0`,
	} {
		resp, err := http.Get(weir.admin + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if !strings.Contains(string(body), want) {
			t.Errorf("%s lacks %s: %.2000s", path, want, body)
		}
	}
	second, came := hook()
	write("thresholds: [60, 50, 5], webhooks: [{name: team, url: '" + second + "', form: wecom, lang: zh}]")
	weir.line(t, "weir: reloaded")
	if got := <-came; !strings.Contains(got, `[Weir] 警告: 模型 claude-haiku-4-5：每分钟请求数的额度已低于 50 %`) {
		t.Errorf("the other hook got %s", got)
	}
	weir.stop()
	if code := weir.ended(); code != exitOK {
		t.Errorf("exit code %d, want 0", code)
	}
}
