package config_test

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-gateway/weir/internal/config"
)

func TestPrecedenceOfAProfile(t *testing.T) {
	file := write(t, "profile: development\nlisten: 127.0.0.1:1\nqueue: {at_once: 5}\nadmin: 127.0.0.1:2\n")
	e, err := config.Sources{
		File: file, Getenv: getenv("WEIR_ADMIN", "127.0.0.1:3", "WEIR_DATA", "/env"),
		Flags: func(c *config.Config) { c.Data = "/flag" },
	}.Explain()
	if err != nil {
		t.Fatal(err)
	}
	c := e.Config
	if c.Queue.MaxWait.D() != 30*time.Second || c.Queue.AtOnce != 5 || c.Admin != "127.0.0.1:3" || c.Data != "/flag" || !c.Retry.Off {
		t.Errorf("got %+v", c)
	}
	for path, want := range map[string]string{
		"queue.max_wait": "profile", "retry.off": "profile", "budgets": "profile", "upstream": "profile",
		"queue.at_once": "file", "listen": "file", "profile": "file",
		"admin": "environment", "data": "flag", "queue.max_waiting": "",
	} {
		if got := e.Origins[path]; got != want {
			t.Errorf("%s is from %q, want %q", path, got, want)
		}
	}
	text, err := e.YAML()
	for _, want := range []string{"max_wait: 30s # profile\n", "at_once: 5 # file\n", "budgets: # profile\n", "data: /flag # flag\n", "max_waiting: 100000\n"} {
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("no %q in %v\n%s", want, err, text)
		}
	}
}

func TestWhoNamesTheProfile(t *testing.T) {
	file := write(t, "profile: development\n")
	for name, c := range map[string]struct {
		s    config.Sources
		want string
	}{
		"none":        {config.Sources{Getenv: getenv()}, ""},
		"file":        {config.Sources{File: file, Getenv: getenv()}, "development"},
		"environment": {config.Sources{File: file, Getenv: getenv("WEIR_PROFILE", "staging")}, "staging"},
		"flag":        {config.Sources{File: file, Profile: "production", Getenv: getenv("WEIR_PROFILE", "staging")}, "production"},
	} {
		got, err := c.s.Load()
		if err != nil || got.Profile != c.want || got.Retry.Off != (c.want == "development") {
			t.Errorf("%s: profile %q, %v", name, got.Profile, err)
		}
	}
	for name, s := range map[string]config.Sources{
		"flag": {Profile: "prod", Getenv: getenv()}, "environment": {Getenv: getenv("WEIR_PROFILE", "prod")},
		"file": {File: write(t, "profile: prod\n"), Getenv: getenv()},
	} {
		if _, err := s.Load(); err == nil || !strings.Contains(err.Error(), "profile") {
			t.Errorf("%s: an unknown profile is taken: %v", name, err)
		}
	}
}

func TestEveryValueOfAProfileCanBeOverridden(t *testing.T) {
	c, err := config.Sources{Profile: "development", Getenv: getenv(), File: write(t, `
upstream: https://relay.example
queue: {max_wait: 1h, at_once: 0}
retry: {off: false}
classes: {normal: {max_tokens: {default: 7}}}
budgets: []
`)}.Load()
	if err != nil || c.Check() != nil {
		t.Fatal(err, c.Check())
	}
	if c.Upstream != "https://relay.example" || c.Queue.MaxWait.D() != time.Hour || c.Queue.AtOnce != 0 || c.Retry.Off ||
		c.Classes.Normal.MaxTokens.Default != 7 || c.Classes.Batch.MaxTokens.Default != 1024 || len(c.Budgets) != 0 {
		t.Errorf("got %+v", c)
	}
}

func TestEveryValueCanBeSetFromOutside(t *testing.T) {
	e, err := config.Sources{
		Profile: "development", File: write(t, "queue: {at_once: 5}\n"),
		Getenv: getenv("WEIR_SET", "queue.at_once=6\nretry.off=false\nbudgets=[]\n"),
		Set:    []string{"queue.at_once=7", "classes.batch.max_tokens.default=9", "alerts.thresholds=[50, 5]", "queue.max_wait=1h"},
	}.Explain()
	if err != nil {
		t.Fatal(err)
	}
	c := e.Config
	if c.Queue.AtOnce != 7 || c.Queue.MaxWait.D() != time.Hour || c.Retry.Off || len(c.Budgets) != 0 ||
		c.Classes.Batch.MaxTokens.Default != 9 || !slices.Equal(c.Alerts.Thresholds, []int{50, 5}) {
		t.Errorf("got %+v", c)
	}
	if e.Origins["queue.at_once"] != "flag" || e.Origins["alerts.thresholds"] != "flag" {
		t.Errorf("origins %v", e.Origins)
	}
	for _, wrong := range []string{"queue.at_once", "queue=[", "=3", "queue.at_onc=3", "queue.at_once=many", "profile=production", "keys=sk-ant-api-secret"} {
		for _, s := range []config.Sources{{Set: []string{wrong}, Getenv: getenv()}, {Getenv: getenv("WEIR_SET", wrong)}} {
			if _, err := s.Load(); err == nil || strings.Contains(err.Error(), "sk-ant-api-secret") {
				t.Errorf("%s: %v", wrong, err)
			}
		}
	}
}

func TestTheSimulatorUnlessToldOtherwise(t *testing.T) {
	const api = "https://api.anthropic.com"
	for name, c := range map[string]struct {
		file, upstream, key, want string
	}{
		"nothing":            {want: config.Simulator},
		"key":                {key: "sk-ant-api-1", want: api},
		"upstream":           {upstream: "http://127.0.0.1:1", want: "http://127.0.0.1:1"},
		"file":               {file: "upstream: http://127.0.0.1:2", want: "http://127.0.0.1:2"},
		"key-in-file":        {file: "keys: [{name: a, key: 'env:K'}]", want: api},
		"simulator-with-key": {file: "upstream: sim", key: "sk-ant-api-1", want: config.Simulator},
	} {
		got, err := config.Sources{
			Profile: "development", File: write(t, c.file), Getenv: getenv("WEIR_UPSTREAM", c.upstream, "ANTHROPIC_API_KEY", c.key),
		}.Load()
		if err != nil || got.Check() != nil || got.Upstream != c.want {
			t.Errorf("%s: upstream %q, want %q (%v, %v)", name, got.Upstream, c.want, err, got.Check())
		}
	}
}

func TestWhatProductionDemands(t *testing.T) {
	c, err := config.Sources{Profile: "production", Getenv: getenv("WEIR_UPSTREAM", "sim")}.Load()
	if err != nil {
		t.Fatal(err)
	}
	faults, ok := errors.AsType[*config.Faults](c.Check())
	if !ok || len(faults.Faults) != 3 {
		t.Fatalf("got %v, want faults of keys, data and upstream", c.Check())
	}
	c, err = config.Sources{Profile: "production", Getenv: getenv("WEIR_DATA", "/d", "ANTHROPIC_API_KEY", "k")}.Load()
	if err != nil || c.Check() != nil {
		t.Fatal(err, c.Check())
	}
	var told []string
	for _, w := range c.Warnings() {
		told = append(told, w.Path)
	}
	if got := strings.Join(told, " "); got != "alerts.webhooks budgets clients" {
		t.Errorf("it warns of %s", got)
	}
}

// TestStagingIsProductionThatTells: a test under load is worth what the two have
// in common.
func TestStagingIsProductionThatTells(t *testing.T) {
	origins := map[string]map[string]string{}
	views := map[string]map[string]any{}
	for _, name := range []string{"staging", "production"} {
		e, err := config.Sources{Profile: name, Getenv: getenv()}.Explain()
		if err != nil {
			t.Fatal(err)
		}
		if views[name], err = e.Config.View(); err != nil {
			t.Fatal(err)
		}
		origins[name] = e.Origins
	}
	var differ []string
	for _, path := range slices.Sorted(maps.Keys(origins["staging"])) {
		if _, same := origins["production"][path]; !same {
			differ = append(differ, path)
		}
	}
	if got := strings.Join(differ, " "); got != "alerts.every degrade.dry_run load.max_cost load.ramp log_calls verbose_headers" {
		t.Errorf("staging alone sets %s", got)
	}
	for path := range origins["production"] {
		if _, same := origins["staging"][path]; !same {
			t.Errorf("production alone sets %s", path)
		}
	}
	for _, part := range []string{"queue", "retry", "breaker", "ledger"} {
		if got, want := views["staging"][part], views["production"][part]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v in staging, %v in production", part, got, want)
		}
	}
}

func TestProfilesAreConfigurations(t *testing.T) {
	for _, name := range []string{"development", "staging", "production"} {
		text, err := config.ProfileText(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := config.Load(write(t, string(text)), getenv()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
