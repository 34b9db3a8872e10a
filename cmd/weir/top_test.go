package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/weir-gateway/weir/call"
)

// TestTopOfARunningGateway reads a real gateway, which has answered one call.
func TestTopOfARunningGateway(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Anthropic-Organization-Id", "org-of-mine")
		header.Set("Anthropic-Ratelimit-Requests-Limit", "50")
		header.Set("Anthropic-Ratelimit-Requests-Remaining", "40")
		header.Set("Anthropic-Ratelimit-Requests-Reset", "2026-01-01T00:00:00Z")
		io.WriteString(w, answer)
	}))
	defer api.Close()
	weir := start(t, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--upstream", api.URL)
	io.Copy(io.Discard, post(t, http.DefaultClient, weir.data+"/v1/messages", request).Body)
	top := func(args ...string) (int, string, string) {
		var stdout, stderr strings.Builder
		code := run(t.Context(), env{strings.NewReader(""), &stdout, &stderr, noEnvironment}, append([]string{"top"}, args...))
		return code, stdout.String(), stderr.String()
	}
	admin := strings.TrimPrefix(weir.admin, "http://")
	for _, tt := range []struct {
		name string
		args []string
		code int
		says []string // on stdout, or on stderr if it fails
	}{
		{"once", []string{"--once", "--admin", weir.admin}, exitOK, []string{"Weir", "org-of-mine", "requests", "✓ answered", "claude-haiku-4-5"}},
		{"no-terminal", []string{"--admin", admin}, exitOK, []string{"org-of-mine"}},
		{"chinese", []string{"--once", "--lang", "zh", "--admin", admin + "/"}, exitOK, []string{"已答复", "请求数"}},
		{"json", []string{"--json", "--admin", admin}, exitOK, []string{`"quota"`, `"requests"`}},
		{"nobody-there", []string{"--once", "--admin", "127.0.0.1:1"}, exitFailed, []string{"weir: error: read the gateway", "weir: hint: is weir serve running?"}},
		{"nobody-there-json", []string{"--json", "--admin", "127.0.0.1:1"}, exitFailed, []string{"weir: hint: is weir serve running?"}},
		{"no-admin-plane", []string{"--once", "--admin", weir.data}, exitFailed, []string{"404", "weir: hint: "}},
		{"bad-address", []string{"--admin", "ftp://x"}, exitUsage, []string{"--admin"}},
		{"bad-language", []string{"--lang", "fr"}, exitUsage, []string{"--lang"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := top(tt.args...)
			said := stdout
			if tt.code != exitOK {
				said = stderr
			}
			if code != tt.code || (tt.code != exitOK && stdout != "") {
				t.Errorf("exit code %d, want %d; stdout %q", code, tt.code, stdout)
			}
			for _, want := range tt.says {
				if !strings.Contains(said, want) {
					t.Errorf("it does not say %q:\n%s%s", want, stdout, stderr)
				}
			}
		})
	}
	_, figures, _ := top("--json", "--admin", admin)
	var doc struct {
		Quota    call.QuotaReport
		Queue    call.QueueReport
		Requests struct{ Requests []any }
	}
	if err := json.Unmarshal([]byte(figures), &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Quota.Buckets) != 1 || doc.Quota.Buckets[0].Limit != 50 || len(doc.Queue.Lanes) != 1 || len(doc.Requests.Requests) == 0 {
		t.Errorf("%s", figures)
	}
	weir.stop()
	weir.ended()
}
