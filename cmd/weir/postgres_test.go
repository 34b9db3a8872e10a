package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-gateway/weir/internal/pgtest"
)

// TestServeWithPostgres: calls go on while the database is away, and are in it
// afterwards, for a reader who knows the database alone too.
func TestServeWithPostgres(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, answer) }))
	defer api.Close()
	database := pgtest.Start(t)
	dir := t.TempDir()
	url := filepath.Join(dir, "ledger.url")
	if err := os.WriteFile(url, []byte(database.Database(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	configuration := func(name, data string) string {
		file := filepath.Join(dir, name)
		text := fmt.Sprintf("upstream: %s\nlisten: 127.0.0.1:0\nadmin: 127.0.0.1:0\n%sledger: {postgres: 'file:%s'}\n", api.URL, data, url)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	here, elsewhere := configuration("here.yaml", "data: "+filepath.Join(dir, "data")+"\n"), configuration("elsewhere.yaml", "")
	serve := func() {
		g := start(t, "--config", here)
		resp := post(t, http.DefaultClient, g.data+"/v1/messages", request)
		if text, err := io.ReadAll(resp.Body); err != nil || string(text) != answer {
			t.Errorf("got %s, %v", text, err)
		}
		resp.Body.Close()
		g.stop()
		if code := g.ended(); code != exitOK {
			t.Errorf("exit %d", code)
		}
	}
	usage := func(file string) (string, int) {
		var out bytes.Buffer
		code := run(t.Context(), env{nil, &out, &out, noEnv}, []string{"usage", "--config", file, "--csv"})
		return out.String(), code
	}
	for round := range 3 { // with the database, without it, and with it again
		if round == 1 {
			database.Kill()
		}
		if round == 2 {
			database.Up(t)
		}
		serve()
		if round == 1 {
			if text, code := usage(here); code != exitFailed || strings.Contains(text, pgtest.Password) {
				t.Errorf("exit %d: %s", code, text)
			}
		}
	}
	for _, file := range []string{here, elsewhere} {
		if text, code := usage(file); code != exitOK || !strings.Contains(text, "\n3,3,27,0,0,9,") {
			t.Errorf("exit %d: %s", code, text)
		}
	}
	if text, _ := usage(configuration("nowhere.yaml", "data: "+filepath.Join(dir, "other")+"\n")); !strings.Contains(text, "\n3,3,") {
		t.Errorf("with an empty data folder: %s", text)
	}
	var out bytes.Buffer
	run(t.Context(), env{nil, &out, &out, noEnv}, []string{"doctor", "--config", here})
	if !strings.Contains(out.String(), "PostgreSQL answers") {
		t.Errorf("weir doctor says %s", out.String())
	}
}
