package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// askAsAnySDK sends a request with any key.
func askAsAnySDK(t *testing.T, address, body string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+"/v1/messages", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Api-Key", "sk-ant-any")
	req.Header.Set("Anthropic-Version", "2023-06-01")
	return http.DefaultClient.Do(req)
}

// TestDevelopmentNeedsNothing is the first answer from a clean clone: no file,
// no key of the gateway's, an empty environment.
func TestDevelopmentNeedsNothing(t *testing.T) {
	weir := start(t, "--profile", "development", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	resp, err := askAsAnySDK(t, weir.data, strings.Replace(request, `"max_tokens":10,`, "", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	var message struct {
		Type  string `json:"type"`
		Usage struct {
			Input int `json:"input_tokens"`
		} `json:"usage"`
	}
	if err != nil || resp.StatusCode != 200 || json.Unmarshal(body, &message) != nil || message.Type != "message" || message.Usage.Input == 0 {
		t.Fatalf("got %s, %v: %s", resp.Status, err, body)
	}
	weir.stop()
	if code := weir.ended(); code != exitOK {
		t.Errorf("exit code %d, want 0", code)
	}
}

func TestDevelopmentFailsFastAndThreeAtOnce(t *testing.T) {
	var inside, over, asked atomic.Int32
	full, release := make(chan struct{}), make(chan struct{})
	once := sync.OnceFunc(func() { close(full) })
	let := sync.OnceFunc(func() { close(release) })
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked.Add(1)
		if strings.Contains(string(body), "fail") {
			w.WriteHeader(529)
			io.WriteString(w, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`)
			return
		}
		if strings.Contains(string(body), "hold") {
			switch n := inside.Add(1); {
			case n == 3:
				once()
			case n > 3:
				over.Add(1)
			}
			<-release
			inside.Add(-1)
		}
		io.WriteString(w, answer)
	}))
	defer api.Close()
	defer let() // before the server's end, which waits for the calls
	weir := start(t, "--profile", "development", "--listen", "127.0.0.1:0", "--admin", "off", "--upstream", api.URL)
	began := time.Now()
	resp := post(t, http.DefaultClient, weir.data+"/v1/messages", strings.Replace(request, "hi", "fail", 1))
	if resp.StatusCode != 529 || asked.Load() != 1 || time.Since(began) > 5*time.Second {
		t.Errorf("the failure was %s after %d attempts in %v, want the first one at once", resp.Status, asked.Load(), time.Since(began))
	}
	for range 4 { // an account that is not known yet takes few calls at once
		resp, err := askAsAnySDK(t, weir.data, request)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	done := make(chan int, 6)
	for range 6 {
		go func() {
			resp, err := askAsAnySDK(t, weir.data, strings.Replace(request, "hi", "hold", 1))
			if err != nil {
				done <- 0
				return
			}
			defer resp.Body.Close()
			_, _ = io.Copy(io.Discard, resp.Body)
			done <- resp.StatusCode
		}()
	}
	select {
	case <-full:
	case status := <-done:
		t.Fatalf("a call ended with %d before three were under way", status)
	}
	let()
	for range 6 {
		if status := <-done; status != 200 {
			t.Errorf("a call ended with %d, want 200", status)
		}
	}
	if over.Load() != 0 {
		t.Errorf("%d calls were let in beside three others", over.Load())
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml")
	os.WriteFile(good, []byte("queue: {max_wait: 90s}\nkeys: [{name: a, key: 'env:NOT_SET'}]\n"), 0o600)
	loose := filepath.Join(dir, "loose.yaml")
	os.WriteFile(loose, []byte("profile: production\ndata: /var/lib/weir\nretry: {off: true}\nkeys: [{name: a, key: 'env:NOT_SET'}]\n"), 0o600)
	os.WriteFile(bad, []byte("lissten: x\nupstream: api\nqueue: {max_waiting: -5}\n"), 0o600)
	for _, c := range []struct {
		name     string
		args     []string
		code     int
		out, err []string
	}{
		{"defaults", nil, exitOK, []string{"listen: 127.0.0.1:8787\n", "max_waiting: 100000\n"}, nil},
		{"file", []string{"--config", good}, exitOK, []string{"max_wait: 1m30s # file\n", "keys: # file\n", "key: env:NOT_SET"}, []string{"weir: warning: keys[0].key: ", "NOT_SET"}},
		{"profile", []string{"--profile", "development", "--listen", "127.0.0.1:9"}, exitOK, []string{"upstream: sim # profile\n", "listen: 127.0.0.1:9 # flag\n"}, nil},
		{"json", []string{"--config", good, "--json"}, exitOK, []string{`"valid": true`, `"queue.max_wait": "file"`}, nil},
		{"faults", []string{"--config", bad}, exitFailed, nil, []string{"lissten", "upstream", "queue.max_waiting"}},
		{"faults-json", []string{"--config", bad, "--json"}, exitFailed, []string{`"valid": false`, `"path": "queue.max_waiting"`, `"line": 3`}, nil},
		{"production", []string{"--profile", "production"}, exitFailed, nil, []string{"keys: ", "data: ", "/var/lib/weir"}},
		{"no-such-profile", []string{"--profile", "prod"}, exitUsage, nil, []string{"profile", "staging"}},
		{"usage", []string{"--profil", "staging"}, exitUsage, nil, []string{"--help"}},
		{"no-such-key", []string{"--set", "foo=1"}, exitUsage, nil, []string{"foo: unknown key"}},
		{"with-alone", []string{"--with", "headroom=0.1"}, exitUsage, nil, []string{"weir: hint: add --explain"}},
		{"no-such-file", []string{"--config", filepath.Join(dir, "none.yaml")}, exitFailed, nil, []string{"none.yaml", "weir: hint: "}},
		{"warnings", []string{"--config", loose, "--json"}, exitOK, []string{`"path": "retry.off"`, `"path": "budgets"`, `"path": "keys[0].key"`}, []string{"weir: warning: retry.off: ", "weir: warning: alerts.webhooks: "}},
		{"schema", []string{"--schema"}, exitOK, []string{`"$schema"`, `"profile"`}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			code := run(t.Context(), env{strings.NewReader(""), &stdout, &stderr, noEnvironment}, append([]string{"check"}, c.args...))
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, want := range c.out {
				if !strings.Contains(stdout.String(), want) {
					t.Errorf("no %q in:\n%s", want, stdout.String())
				}
			}
			for _, want := range c.err {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("no %q in:\n%s", want, stderr.String())
				}
			}
		})
	}
}
