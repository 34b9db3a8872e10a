package config_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/weir-gateway/weir/internal/config"
)

func TestViewHasTheFilesNamesAndNoSecrets(t *testing.T) {
	c, err := config.Load(write(t, "upstream: https://user:hunter2@relay.example\nqueue: {max_wait: 90s}\nkeys: [{name: a, key: 'env:K', upstream: 'http://u:hunter2@other'}]\nbehind_tls_proxy: true"), getenv())
	if err != nil {
		t.Fatal(err)
	}
	c.Clients = []config.Client{{Name: "x", Token: "sk-ant-api-pasted"}}
	view, err := c.View()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(view)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"listen":"127.0.0.1:8787"`, `"max_waiting":100000`, `"max_wait":"1m30s"`, `"key":"env:K"`, `"token":"[secret]"`, `"behind_tls_proxy":true`, "user:xxxxx@", "u:xxxxx@other"} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("no %s in %s", want, raw)
		}
	}
	if strings.Contains(string(raw), "hunter2") || strings.Contains(string(raw), "pasted") {
		t.Errorf("a secret is shown: %s", raw)
	}
}
