package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-gateway/weir/internal/config"
)

func TestPrompt(t *testing.T) {
	for name, tc := range map[string]struct{ file, fault string }{
		"whole":     {"cache: {prompt: {enable: true, min_repeats: 3, ttl: 1h, except_tenants: [a], except_models: [m]}}", ""},
		"bad-ttl":   {"cache: {prompt: {enable: true, ttl: 10m}}", "cache.prompt.ttl"},
		"one-is-no": {"cache: {prompt: {min_repeats: 1}}", "cache.prompt.min_repeats"},
		"unknown":   {"cache: {prompt: {on: true}}", "cache.prompt"},
	} {
		file := filepath.Join(t.TempDir(), "weir.yaml")
		if err := os.WriteFile(file, []byte(tc.file), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(file, func(string) string { return "" })
		if tc.fault != "" {
			if err == nil || !strings.Contains(err.Error(), tc.fault) {
				t.Errorf("%s: %v, want a fault at %s", name, err, tc.fault)
			}
			continue
		}
		if p := c.Cache.Prompt; err != nil || c.Cache.Answers() || !p.Enable || p.MinRepeats != 3 || p.TTL.D() != time.Hour || len(p.ExceptTenants) != 1 {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}
