package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/weir-gateway/weir/internal/config"
)

// lines hands each write on, so that a test can wait for one.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

func (l lines) await(t *testing.T, want string) {
	t.Helper()
	for {
		select {
		case got := <-l:
			if strings.Contains(got, want) {
				return
			}
		case <-t.Context().Done():
			t.Fatalf("no line with %q", want)
		}
	}
}

func TestReload(t *testing.T) {
	file := filepath.Join(t.TempDir(), "weir.yaml")
	write := func(text string) {
		t.Helper()
		next := file + ".new"
		if err := os.WriteFile(next, []byte("listen: 127.0.0.1:0\nadmin: 'off'\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, file); err != nil { // as careful programs do
			t.Fatal(err)
		}
	}
	write("keys: [{name: first, key: 'env:K'}]\n")
	out := make(lines, 100)
	getenv := func(name string) string { return map[string]string{"K": "sk-ant-api-1"}[name] }
	stop := beside(t.Context(), func(ctx context.Context) error {
		return serve(ctx, env{nil, out, out, getenv}, serveFlags{file: file})
	})
	out.await(t, "paid with first")
	write("keys: [{name: second, key: 'env:K'}]\n")
	out.await(t, "reloaded, pool mode: calls are paid with second")
	write("keys: [{name: third, key: 'env:MISSING'}]\n")
	out.await(t, "the old configuration stays")
	write("keys: [{name: fourth, key: 'env:K'}]\n")
	out.await(t, "paid with fourth")
	stop()
}

// TestConfigurationFollowsReloads: the admin plane shows what is in effect, and
// where it comes from.
func TestConfigurationFollowsReloads(t *testing.T) {
	file := filepath.Join(t.TempDir(), "weir.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("profile: development\n")
	weir := start(t, "--config", file, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	shown := func() (c struct {
		Profile  string
		Upstream string
		Queue    struct {
			AtOnce int `json:"at_once"`
		}
		Alerts  struct{ Budget int }
		Origins map[string]string
	}) {
		t.Helper()
		resp, err := http.Get(weir.admin + "/api/v1/config")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(&c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	if c := shown(); c.Profile != "development" || c.Upstream != "sim" || c.Origins["upstream"] != "profile" || c.Origins["listen"] != "flag" {
		t.Errorf("at first: %+v", c)
	}
	write("profile: development\nalerts: {budget: 33}\nqueue: {at_once: 7}\n")
	weir.line(t, "weir: reloaded, ")
	if c := shown(); c.Alerts.Budget != 33 || c.Origins["alerts.budget"] != "file" || c.Queue.AtOnce != 3 || c.Origins["queue.at_once"] != "profile" {
		t.Errorf("after a reload: %+v", c)
	}
	write("profile: staging\n")
	weir.line(t, "weir: error: another profile")
	if c := shown(); c.Profile != "development" || c.Alerts.Budget != 33 {
		t.Errorf("after a refused reload: %+v", c)
	}
	weir.stop()
	weir.ended()
}

// TestReloadThroughLinks: Kubernetes replaces a link on the way to the file.
func TestReloadThroughLinks(t *testing.T) {
	dir := t.TempDir()
	file, data := filepath.Join(dir, "weir.yaml"), filepath.Join(dir, "..data")
	version := func(name, key string) {
		t.Helper()
		text := "listen: 127.0.0.1:0\nadmin: 'off'\nkeys: [{name: " + key + ", key: 'env:K'}]\n"
		for _, err := range []error{
			os.Mkdir(filepath.Join(dir, name), 0o700),
			os.WriteFile(filepath.Join(dir, name, "weir.yaml"), []byte(text), 0o600),
			os.Symlink(name, data+".new"),
			os.Rename(data+".new", data),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	version("..1", "first")
	if err := os.Symlink(filepath.Join("..data", "weir.yaml"), file); err != nil {
		t.Fatal(err)
	}
	out := make(lines, 100)
	getenv := func(name string) string { return map[string]string{"K": "sk-ant-api-1"}[name] }
	stop := beside(t.Context(), func(ctx context.Context) error {
		return serve(ctx, env{nil, out, out, getenv}, serveFlags{file: file})
	})
	out.await(t, "paid with first")
	version("..2", "second")
	out.await(t, "reloaded, pool mode: calls are paid with second")
	stop()
}

// TestReloadOpensNoDoor: what the file would have listen on loopback alone is on
// every address until the next start.
func TestReloadOpensNoDoor(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "weir.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte("keys: [{name: k, key: 'env:K'}]\nbehind_tls_proxy: true\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e, f := env{getenv: func(string) string { return "" }}, serveFlags{file: file}
	write("listen: 0.0.0.0:8787\nclients: [{name: a, token: 'env:A'}]\n")
	was, err := effective(e, f)
	if err != nil {
		t.Fatal(err)
	}
	r := &reloader{env: e, flags: f, shown: new(atomic.Pointer[config.Explained])}
	r.shown.Store(&was)
	write("listen: 127.0.0.1:8787\n")
	if _, _, err := r.next(); err == nil || !strings.Contains(err.Error(), "0.0.0.0:8787 could use the gateway") {
		t.Errorf("without clients: %v", err)
	}
	tokens := tokensFile(filepath.Join(dir, "other"))
	if err := errors.Join(os.MkdirAll(filepath.Dir(tokens), 0o700), os.WriteFile(tokens, []byte("{}"), 0o600)); err != nil {
		t.Fatal(err)
	}
	write("data: " + filepath.Join(dir, "other") + "\n")
	if _, _, err := r.next(); err == nil {
		t.Error("the tokens of a folder that takes a new start let callers in")
	}
	write("listen: 127.0.0.1:8787\nclients: [{name: b, token: 'env:A'}]\n")
	if next, later, err := r.next(); err != nil || next.Config.Listen != "0.0.0.0:8787" || len(later) != 1 {
		t.Errorf("with clients: %v, later %v", err, later)
	}
}
