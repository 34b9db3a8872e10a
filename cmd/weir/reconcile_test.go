package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weir-gateway/weir/internal/reconcile"
	"github.com/weir-gateway/weir/sim"
)

// audited is a simulator, and the configuration of a gateway that pays with a
// key of it and has its admin key.
func audited(t *testing.T) (api *httptest.Server, file string) {
	t.Helper()
	srv, err := sim.New(sim.Config{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	api = httptest.NewServer(srv)
	t.Cleanup(api.Close)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"key": "sk-ant-api03-one", "admin": "sk-ant-admin01-one",
		"weir.yaml": fmt.Sprintf("upstream: %s\nlisten: 127.0.0.1:0\nadmin: \"off\"\ndata: %s\nkeys: [{name: main, key: 'file:%s', admin_key: 'file:%s'}]\n",
			api.URL, filepath.Join(dir, "data"), filepath.Join(dir, "key"), filepath.Join(dir, "admin")),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return api, filepath.Join(dir, "weir.yaml")
}

// ask sends a call and reads the whole answer.
func ask(t *testing.T, url, model string, n int) {
	t.Helper()
	cached := strings.Repeat("the same long beginning of all questions ", 400)
	body := fmt.Sprintf(`{"model":%q,"max_tokens":200,"stream":%t,"system":[{"type":"text","text":%q,"cache_control":{"type":"ephemeral"%s}}],"messages":[{"role":"user","content":"question %d"}]}`,
		model, n%2 == 0, cached, []string{"", `,"ttl":"1h"`}[n%3%2], n)
	req, err := http.NewRequestWithContext(t.Context(), "POST", url+"/v1/messages", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", "sk-ant-api03-one")
	req.Header.Set("Anthropic-Version", "2023-06-01")
	req.Header.Set("X-Sim-Output-Tokens", fmt.Sprint(10+n))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s: %s, %v", resp.Status, text, err)
	}
}

func reconcileNow(t *testing.T, file string) (r reconcile.Report) {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(t.Context(), env{nil, &out, &errs, noEnv}, []string{"usage", "--config", file, "--reconcile", "--json"}); code != exitOK {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestReconcile: what went through the gateway is what the upstream charges, to
// the last picodollar; what went around it, and nothing else, is the difference.
func TestReconcile(t *testing.T) {
	api, file := audited(t)
	models := []string{"claude-opus-5", "claude-haiku-4-5", "claude-sonnet-4-6", "claude-haiku-5-5"}
	serve := func(calls int) {
		t.Helper()
		g := start(t, "--config", file, "--admin", "off")
		for n := range calls {
			ask(t, g.data, models[n%len(models)], n)
		}
		g.stop()
		if code := g.ended(); code != exitOK {
			t.Fatalf("exit %d", code)
		}
	}
	serve(40)
	r := reconcileNow(t, file)
	if len(r.Rows) != len(models) || r.Differs() || len(r.Why) != 0 || r.Total.Ours.Cost == 0 || r.Total.Ours.CacheRead == 0 || r.Total.Ours.CacheWrite == 0 || r.Total.Ours.Output == 0 {
		t.Fatalf("through the gateway: %+v", r)
	}
	before := r.Total.Theirs
	for n := range 3 { // as somebody else with the same key does
		ask(t, api.URL, "claude-opus-5", n)
	}
	around := reconcileNow(t, file).Total.Theirs.Less(before)
	r = reconcileNow(t, file)
	for _, l := range r.Rows {
		if l.Model == "claude-opus-5" && l.Difference != around || l.Model != "claude-opus-5" && l.Difference != (reconcile.Figures{}) {
			t.Errorf("%s: %+v, want %+v of Opus alone", l.Model, l.Difference, around)
		}
	}
	if around.Output != 10+11+12 || around.Cost == 0 || !slices.ContainsFunc(r.Why, func(s string) bool { return strings.Contains(s, "around the gateway") }) {
		t.Errorf("%+v, %q", around, r.Why)
	}
	var out bytes.Buffer
	if code := run(t.Context(), env{nil, &out, &out, noEnv}, []string{"usage", "--config", file, "--reconcile"}); code != exitOK || !strings.Contains(out.String(), "why they may differ:\n- more was used") {
		t.Errorf("exit %d: %s", code, out.String())
	}
	out.Reset()
	if code := run(t.Context(), env{nil, &out, &out, noEnv}, []string{"usage", "--config", file, "--reconcile", "--csv"}); code != exitOK || strings.Count(out.String(), ",difference,0,0,0,0,0.00\n") != 3 {
		t.Errorf("exit %d: %s", code, out.String())
	}
}

func TestReconcileRefuses(t *testing.T) {
	_, file := audited(t)
	dir := booked(t)
	wrong := filepath.Join(filepath.Dir(file), "admin")
	for name, tt := range map[string]struct {
		admin string
		args  []string
		code  int
		want  string
	}{
		"no-admin-key": {"", []string{"--data", dir}, exitFailed, "keys[].admin_key"},
		"wrong-key":    {"sk-ant-admin-invalid", []string{"--config", file, "--data", dir}, exitFailed, "refused the admin key"},
		"by":           {"", []string{"--data", dir, "--by", "day"}, exitUsage, "neither --by"},
	} {
		if err := os.WriteFile(wrong, []byte(tt.admin), 0o600); err != nil {
			t.Fatal(err)
		}
		var errs bytes.Buffer
		if code := run(t.Context(), env{nil, &errs, &errs, noEnv}, append([]string{"usage", "--reconcile"}, tt.args...)); code != tt.code || !strings.Contains(errs.String(), tt.want) {
			t.Errorf("%s: exit %d, %s", name, code, errs.String())
		}
	}
}
