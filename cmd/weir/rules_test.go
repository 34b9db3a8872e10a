package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/weir-gateway/weir/internal/etcdtest"
)

// oneStrike opens a breaker for an hour after one failure.
func oneStrike(id string) string {
	return fmt.Sprintf(`[{"id":%q,"resource":"*","strategy":2,"threshold":1,"minRequestAmount":1,"statIntervalMs":60000,"retryTimeoutMs":3600000}]`, id)
}

// says reads on until a line has the words in it.
func (r *running) says(t *testing.T, words string) {
	t.Helper()
	for r.lines.Scan() {
		if strings.Contains(r.lines.Text(), words) {
			return
		}
	}
	t.Fatalf("it never said %q", words)
}

// refusedBy makes a call that must be refused by the rule.
func (r *running) refusedBy(t *testing.T, rule string) {
	t.Helper()
	resp := post(t, http.DefaultClient, r.data+"/v1/messages", request)
	var body struct {
		Error struct {
			Details struct{ Weir struct{ Rule string } }
		}
	}
	text, err := io.ReadAll(resp.Body)
	if err == nil {
		err = json.Unmarshal(text, &body)
	}
	if err != nil || body.Error.Details.Weir.Rule != rule {
		t.Fatalf("not refused by %s: %s %s (%v)", rule, resp.Status, text, err)
	}
}

// ready returns what /readyz says; it must say that the gateway is ready.
func (r *running) ready(t *testing.T) string {
	t.Helper()
	resp, err := http.Get(r.admin + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("not ready: %s %s (%v)", resp.Status, text, err)
	}
	return string(text)
}

// failing is an upstream that serves nobody.
func failing(t *testing.T) string {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		io.WriteString(w, `{"type":"error","error":{"type":"api_error","message":"Internal server error"}}`)
	}))
	t.Cleanup(api.Close)
	return api.URL
}

func startWithRules(t *testing.T, breaker string, args ...string) *running {
	t.Helper()
	file := filepath.Join(t.TempDir(), "weir.yaml")
	text := fmt.Sprintf("listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nupstream: %s\nqueue: {max_wait: 100ms}\nbreaker: %s\n", failing(t), breaker)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return start(t, append([]string{"--config", file}, args...)...)
}

func TestServeFollowsAFolderOfRules(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "circuitbreaker.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	weir := startWithRules(t, "{rules: "+dir+"}")
	write(oneStrike("strict"))
	weir.says(t, "rules in force: circuitbreaker.json")
	post(t, http.DefaultClient, weir.data+"/v1/messages", request) // the one strike
	weir.refusedBy(t, "strict")
	write(`[{"id":"half-`)
	weir.says(t, "the old ones stay")
	weir.refusedBy(t, "strict")
	if got := weir.ready(t); !strings.Contains(got, "circuitbreaker.json") {
		t.Errorf("/readyz does not tell of the broken file: %s", got)
	}
	write(oneStrike("stricter"))
	weir.says(t, "rules in force: circuitbreaker.json")
	post(t, http.DefaultClient, weir.data+"/v1/messages", request)
	weir.refusedBy(t, "stricter")
	weir.stop()
	if code := weir.ended(); code != exitOK {
		t.Errorf("exit code %d, want 0", code)
	}
}

// TestServeGuardsItself: rules that guard the gateway come into force together
// with those of circuit breaking, or not at all.
func TestServeGuardsItself(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("flow.json", `[{"id":"closed","resource":"*","threshold":0}]`)
	weir := startWithRules(t, "{rules: "+dir+"}")
	weir.refusedBy(t, "closed")
	write("flow.json", `[]`)
	write("circuitbreaker.json", `[{"resource":"*"}]`)
	weir.says(t, "the old ones stay")
	weir.refusedBy(t, "closed")
	write("circuitbreaker.json", oneStrike("strict"))
	weir.says(t, "rules in force: circuitbreaker.json, flow.json")
	post(t, http.DefaultClient, weir.data+"/v1/messages", request)
	weir.refusedBy(t, "strict")
	weir.stop()
	if code := weir.ended(); code != exitOK {
		t.Errorf("exit code %d, want 0", code)
	}
}

// TestEngines: the rules hold with either engine, and those of the gateway
// itself also without circuit breaking.
func TestEngines(t *testing.T) {
	for setting, want := range map[string]string{"engine: own": "strict", "engine: sentinel": "strict", "off: true": ""} {
		t.Run(setting, func(t *testing.T) {
			dir := t.TempDir()
			write := func(name, text string) {
				t.Helper()
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write("circuitbreaker.json", oneStrike("strict"))
			weir := startWithRules(t, "{"+setting+", rules: "+dir+"}")
			post(t, http.DefaultClient, weir.data+"/v1/messages", request)
			weir.refusedBy(t, want)
			write("flow.json", `[{"id":"closed","resource":"*","threshold":0}]`)
			weir.says(t, "rules in force: circuitbreaker.json, flow.json")
			weir.refusedBy(t, "closed")
			weir.stop()
			weir.ended()
		})
	}
}

// TestSIGHUPReadsTheRules: a file behind a link that leads out of the folder
// changes unseen.
func TestSIGHUPReadsTheRules(t *testing.T) {
	dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "rules")
	if err := errors.Join(
		os.WriteFile(elsewhere, []byte(oneStrike("strict")), 0o600),
		os.Symlink(elsewhere, filepath.Join(dir, "circuitbreaker.json")),
		os.WriteFile(filepath.Join(dir, "weir.yaml"), []byte("listen: 127.0.0.1:0\nadmin: 'off'\nbreaker: {rules: .}\n"), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "weir.yaml")
	weir := start(t, "--config", config, "--admin", "off", "--upstream", failing(t))
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, append(text, "# touched\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	weir.says(t, "weir: reloaded") // so it listens for signals
	if err := os.WriteFile(elsewhere, []byte("[{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // whoever asks again is told again
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Signal(syscall.SIGHUP)
		}
		if err != nil {
			t.Fatal(err)
		}
		weir.says(t, "the old ones stay")
	}
	weir.stop()
	weir.ended()
}

func TestServeFollowsRulesInEtcd(t *testing.T) {
	etcd := etcdtest.Start(t)
	op, err := clientv3.New(clientv3.Config{Endpoints: []string{etcd.Endpoint()}, Logger: zap.NewNop(), DialTimeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer op.Close()
	put := func(text string) {
		t.Helper()
		if _, err := op.Put(t.Context(), "/weir/rules/circuitbreaker.json", text); err != nil {
			t.Fatal(err)
		}
	}
	data, place := t.TempDir(), "{etcd: {endpoints: ['"+etcd.Endpoint()+"']}}"
	weir := startWithRules(t, place, "--data", data)
	put(oneStrike("strict"))
	weir.says(t, "rules in force: circuitbreaker.json")
	post(t, http.DefaultClient, weir.data+"/v1/messages", request)
	weir.refusedBy(t, "strict")
	put(`[{"resource":"*"}]`)
	weir.says(t, "the old ones stay")
	weir.refusedBy(t, "strict")
	etcd.Kill()
	weir.says(t, "cannot be followed")
	weir.refusedBy(t, "strict")
	if got := weir.ready(t); !strings.Contains(got, "the last rules stay in force") {
		t.Errorf("/readyz does not tell that etcd is lost: %s", got)
	}
	weir.stop()
	if code := weir.ended(); code != exitOK {
		t.Errorf("exit code %d, want 0", code)
	}

	weir = startWithRules(t, place, "--data", data) // it remembers the rules
	post(t, http.DefaultClient, weir.data+"/v1/messages", request)
	weir.refusedBy(t, "strict")
	weir.stop()
	if code := weir.ended(); code != exitOK {
		t.Errorf("exit code %d, want 0", code)
	}
}

func TestServeRefusesFaultyRules(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "circuitbreaker.json"), []byte(`[{"resource":"*"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "weir.yaml")
	if err := os.WriteFile(file, []byte("listen: 127.0.0.1:0\nadmin: 'off'\nbreaker: {rules: .}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	code := run(t.Context(), env{strings.NewReader(""), io.Discard, &stderr, noEnvironment}, []string{"serve", "--config", file})
	for _, want := range []string{"weir: error: ", "retryTimeoutMs", "weir: hint: mend the rules"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, stderr.String())
		}
	}
	if code != exitFailed || strings.Contains(stderr.String(), "data plane") {
		t.Errorf("it starts, exit code %d:\n%s", code, stderr.String())
	}
}
