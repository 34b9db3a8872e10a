package config_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/config"
)

func TestAlerts(t *testing.T) {
	c, err := config.Load("", getenv())
	if a := c.Alerts; err != nil || !slices.Equal(a.Thresholds, []int{20, 10, 5}) || a.Forecast.D() != time.Minute || a.Budget != 80 || a.Every.D() != 15*time.Minute {
		t.Errorf("defaults: %+v, %v", a, err)
	}
	c, err = config.Load(write(t, `
alerts:
  thresholds: [30]
  forecast: 0s
  budget: 90
  every: 1h
  webhooks:
  - {name: ops, url: 'https://hooks.example/services/T0KEN', form: slack, levels: [warning, critical]}
  - {name: group, url: 'env:HOOK', form: feishu, secret: 'env:SIGN', lang: zh}
  - {name: own, url: 'http://127.0.0.1:9/x', form: json}
`), getenv())
	if err != nil || c.Check() != nil {
		t.Fatal(err, c.Check())
	}
	hooks := c.Alerts.Webhooks
	if !slices.Equal(c.Alerts.Thresholds, []int{30}) || c.Alerts.Forecast != 0 || !slices.Equal(hooks[0].Told(), []call.WarningLevel{call.Urgent, call.Critical}) || hooks[1].Told() != nil {
		t.Errorf("got %+v", c.Alerts)
	}
	for i, want := range []string{"https://hooks.example/services/T0KEN", "https://hook.example/secret", "http://127.0.0.1:9/x"} {
		if got, err := hooks[i].URL.Resolve(getenv("HOOK", "https://hook.example/secret")); err != nil || got != want {
			t.Errorf("%s: %q, %v", hooks[i].Name, got, err)
		}
	}
	view, err := c.View()
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := json.Marshal(view)
	for _, want := range []string{`"thresholds":[30]`, `"url":"https://hooks.example/[secret]"`, `"url":"env:HOOK"`, `"secret":"env:SIGN"`} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("no %s in %s", want, raw)
		}
	}
	if strings.Contains(string(raw), "T0KEN") {
		t.Errorf("a token is shown: %s", raw)
	}
}

func TestNoThresholds(t *testing.T) {
	c, err := config.Load(write(t, "alerts: {thresholds: []}"), getenv())
	if err != nil || c.Alerts.Thresholds == nil || len(c.Alerts.Thresholds) != 0 {
		t.Errorf("got %#v, %v", c.Alerts.Thresholds, err)
	}
}

func TestMistakesInAlerts(t *testing.T) {
	for text, path := range map[string]string{
		"thresholds: [20, 0]": "alerts.thresholds[1]",
		"forecast: soon":      "alerts.forecast",
		"budget: 101":         "alerts.budget",
		"webhooks: [{name: a, url: 'https://a', form: fax}]":                                        "alerts.webhooks[0].form",
		"webhooks: [{name: a, form: json}]":                                                         "alerts.webhooks[0].url",
		"webhooks: [{name: a, url: 'ftp://a', form: json}]":                                         "alerts.webhooks[0].url",
		"webhooks: [{name: a, url: 'http://a.example/T0KEN', form: json}]":                          "clear text",
		"webhooks: [{name: a, url: 'https://a', form: json, secret: T0KEN}]":                        "alerts.webhooks[0].secret",
		"webhooks: [{name: a, url: 'https://a', form: wecom, secret: 'env:S'}]":                     "knows no signature",
		"webhooks: [{name: a, url: 'https://a', form: json}, {name: a, url: 'env:B', form: slack}]": "alerts.webhooks[1].name",
		"webhooks: [{name: a, url: 'https://a', form: json, levels: [loud]}]":                       "alerts.webhooks[0].levels",
		"webhooks: [{name: a, url: 'https://a', form: json, lang: fr}]":                             "alerts.webhooks[0].lang",
	} {
		_, err := config.Load(write(t, "alerts: {"+text+"}"), getenv())
		if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "T0KEN") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
