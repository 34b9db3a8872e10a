package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// examined runs weir doctor and returns the state of each check by its name.
func examined(t *testing.T, want int, getenv func(string) string, args ...string) map[string]finding {
	t.Helper()
	var stdout, stderr strings.Builder
	if got := run(t.Context(), env{strings.NewReader(""), &stdout, &stderr, getenv}, append([]string{"doctor", "--json"}, args...)); got != want {
		t.Errorf("exit code %d, want %d: %s%s", got, want, &stdout, &stderr)
	}
	var list []finding
	if err := json.Unmarshal([]byte(stdout.String()), &list); err != nil {
		t.Fatal(err)
	}
	found := map[string]finding{}
	for _, f := range list {
		if f.State != well && f.Advice == "" {
			t.Errorf("%s says nothing to do: %+v", f.Check, f)
		}
		found[f.Check] = f
	}
	return found
}

func TestDoctor(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		switch {
		case req.URL.Path == "/v1/organizations/rate_limits":
			_, _ = w.Write([]byte(`{"data":[]}`))
		case req.Header.Get("X-Api-Key") == "sk-ant-api-good":
			w.Header().Set("Anthropic-Organization-Id", "org-1")
			_, _ = w.Write([]byte(`{"input_tokens":8}`))
		default:
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}`))
		}
	}))
	t.Cleanup(api.Close)
	dir := t.TempDir()
	file := filepath.Join(dir, "weir.yaml")
	text := "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nupstream: " + api.URL + "\ndata: " + dir + "/data\n" +
		"keys:\n- {name: good, key: 'env:GOOD', admin_key: 'env:ADMIN'}\n- {name: revoked, key: 'env:BAD'}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	getenv := func(name string) string {
		return map[string]string{"GOOD": "sk-ant-api-good", "BAD": "sk-ant-api-bad", "ADMIN": "sk-ant-admin-1"}[name]
	}
	found := examined(t, exitFailed, getenv, "--config", file)
	for check, want := range map[string]string{
		"configuration": well, "secrets": well, "store": well, "listen": well, "admin": well,
		"key good": well, "key revoked": broken, "clock": doubt, "limits of good": well,
	} {
		if found[check].State != want {
			t.Errorf("%s: %+v, want %s", check, found[check], want)
		}
	}
	if !strings.Contains(found["key revoked"].Found, "invalid x-api-key") {
		t.Errorf("the upstream's words are missing: %+v", found["key revoked"])
	}
}

func TestDoctorOfWhatCannotWork(t *testing.T) {
	found := examined(t, exitFailed, noEnvironment, "--listen", "nowhere")
	if found["configuration"].State != broken {
		t.Errorf("%+v", found)
	}
	taken := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(taken.Close)
	found = examined(t, exitFailed, noEnvironment, "--listen", taken.Listener.Addr().String(), "--admin", "off",
		"--upstream", "http://127.0.0.1:1", "--data", "/proc/none")
	for _, check := range []string{"listen", "store", "api"} {
		if found[check].State != broken {
			t.Errorf("%s: %+v", check, found[check])
		}
	}
}
