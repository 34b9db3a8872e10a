package config_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/weir-gateway/weir/internal/config"
)

func TestCache(t *testing.T) {
	c, err := config.Load("", getenv())
	if err != nil || c.Cache != nil {
		t.Errorf("there is a cache by default: %+v, %v", c.Cache, err)
	}
	c, err = config.Load(write(t, "cache: {}"), getenv())
	if err != nil || c.Cache == nil || c.Cache.Default != "" || c.Cache.Disk != nil {
		t.Errorf("got %+v, %v", c.Cache, err)
	}
	c, err = config.Load(write(t, `
data: /var/lib/weir
cache:
  default: on
  max_bytes: 1048576
  max_age: 10m
  share: true
  secret: env:S
  disk: {max_bytes: 2097152}
  redis: {address: 'rediss://redis.example:6379/2', username: weir, password: 'env:P', prefix: w}
`), getenv())
	if err != nil || c.Check() != nil {
		t.Fatal(err, c.Check())
	}
	if k := c.Cache; k.Default != "on" || k.MaxBytes != 1<<20 || k.MaxAge.D() != 10*time.Minute || !k.Share || k.Disk.MaxBytes != 2<<20 || k.Redis.Prefix != "w" {
		t.Errorf("got %+v", k)
	}
	view, err := c.View()
	raw, _ := json.Marshal(view)
	if err != nil || !strings.Contains(string(raw), `"password":"env:P"`) {
		t.Errorf("%s, %v", raw, err)
	}
}

func TestMistakesInTheCache(t *testing.T) {
	for text, path := range map[string]string{
		"default: sometimes":                      "cache.default",
		"max_bytes: 10":                           "cache.max_bytes",
		"max_age: soon":                           "cache.max_age",
		"secret: T0KEN":                           "cache.secret",
		"disk: {max_bytes: 1}":                    "cache.disk.max_bytes",
		"disk: {}":                                "cache.disk",
		"redis: {}":                               "cache.redis.address",
		"redis: {address: here}":                  "cache.redis.address",
		"redis: {address: 'http://a:1'}":          "cache.redis.address",
		"redis: {address: '127.0.0.1:1'}":         "cache.redis",
		"redis: {address: 'redis://u:T0KEN@a:1'}": "cache.redis.address",
		"redis: {address: '127.0.0.1:1', password: 'T0KEN'}": "cache.redis.password",
		"on: true": "cache.on",
	} {
		c, err := config.Load(write(t, "cache: {"+text+"}"), getenv())
		if err == nil {
			err = c.Check()
		}
		if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "T0KEN") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestAnswersAreAskedFor: marks for prompts alone make no cache of answers.
func TestAnswersAreAskedFor(t *testing.T) {
	for name, tc := range map[string]struct {
		cache *config.Cache
		want  bool
	}{
		"none":         {nil, false},
		"empty":        {&config.Cache{}, true},
		"prompt alone": {&config.Cache{Prompt: &config.Prompt{Enable: true}}, false},
		"both":         {&config.Cache{Prompt: &config.Prompt{Enable: true}, Default: "on"}, true},
	} {
		if got := tc.cache.Answers(); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
