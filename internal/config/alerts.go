package config

import (
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/schema"
)

// Alerts says when people are warned, and how.
type Alerts struct {
	Thresholds []int           `yaml:"thresholds" jsonschema:"description=percent of a bucket left; the first is worth a notice and the last is critical; an empty list: none"`
	Forecast   schema.Duration `yaml:"forecast" jsonschema:"description=warn of a bucket that will be empty so soon; 0s: never"`
	Budget     int             `yaml:"budget" jsonschema:"minimum=0,maximum=100,description=percent of a budget that is spent; 0: never"`
	Every      schema.Duration `yaml:"every" jsonschema:"description=how long a hook is not told of the same matter again"`
	Webhooks   []Webhook       `yaml:"webhooks,omitempty"`
}

// Webhook is where warnings are posted.
type Webhook struct {
	Name   string   `yaml:"name" jsonschema:"required,minLength=1,description=for logs and metrics"`
	URL    Address  `yaml:"url" jsonschema:"required,description=env:NAME or file:PATH; or a URL that begins with https://"`
	Form   string   `yaml:"form" jsonschema:"required,enum=json,enum=slack,enum=feishu,enum=dingtalk,enum=wecom,description=of the messages; whose they are to be"`
	Secret Ref      `yaml:"secret,omitempty" jsonschema:"description=signs the messages; of use with json and feishu and dingtalk"`
	Lang   string   `yaml:"lang,omitempty" jsonschema:"enum=en,enum=zh,description=of its messages; default: en"`
	Levels []string `yaml:"levels,omitempty" jsonschema:"enum=notice,enum=warning,enum=critical,description=that it is told of; default: all"`
}

// defaultAlerts are the alerts of a gateway that was told nothing.
func defaultAlerts() Alerts {
	return Alerts{
		Thresholds: []int{20, 10, 5}, Forecast: schema.Duration(time.Minute),
		Budget: 80, Every: schema.Duration(15 * time.Minute),
	}
}

// Address is the URL of a webhook, or a reference to it. It may hold a token,
// so that it is shown without its path.
type Address string

// Resolve returns the URL.
func (a Address) Resolve(getenv func(string) string) (string, error) {
	if Ref(a).check() != nil {
		return string(a), nil
	}
	return Ref(a).Resolve(getenv)
}

// MarshalYAML writes the reference, or the URL without what may be a secret.
func (a Address) MarshalYAML() (any, error) {
	if Ref(a).check() == nil {
		return string(a), nil
	}
	if u, err := url.Parse(string(a)); err == nil && u.Host != "" {
		return u.Scheme + "://" + u.Host + "/" + hidden, nil
	}
	return hidden, nil
}

// check accepts a reference, an https URL, and http on this machine.
func (a Address) check() error {
	if Ref(a).check() == nil {
		return nil
	}
	u, err := url.Parse(string(a))
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("neither a URL nor a reference to one")
	case u.Scheme == "http" && !loopback(hostPort(u)):
		return fmt.Errorf("the address would cross the network in clear text, and it is a credential")
	}
	return nil
}

// hostPort is u's host with a port, as loopback takes it.
func hostPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	return u.Host + ":80"
}

func (a *Alerts) validate(add func(path, message, hint string)) {
	for i, t := range a.Thresholds {
		if t < 1 || t > 90 {
			add(fmt.Sprintf("alerts.thresholds[%d]", i), fmt.Sprintf("%d is no percentage from 1 to 90", t), "write what is left, such as [20, 10, 5]")
		}
	}
	names := map[string]bool{}
	for i, w := range a.Webhooks {
		path := fmt.Sprintf("alerts.webhooks[%d]", i)
		if names[w.Name] {
			add(path+".name", "two webhooks are named "+w.Name, "logs and metrics need names of their own")
		}
		names[w.Name] = true
		if err := w.URL.check(); w.URL != "" && err != nil {
			add(path+".url", err.Error(), "write env:NAME, file:PATH, or a URL that begins with https://")
		}
		if w.Secret == "" {
			continue
		}
		if err := w.Secret.check(); err != nil {
			add(path+".secret", err.Error(), refHint)
		}
		if slices.Contains([]string{"slack", "wecom"}, w.Form) {
			add(path+".secret", w.Form+" knows no signature", "leave the secret out: the URL is the credential")
		}
	}
}

// Told returns the levels that the hook is told of; none: all.
func (w Webhook) Told() (levels []call.WarningLevel) {
	for _, word := range w.Levels {
		var l call.WarningLevel
		if l.UnmarshalText([]byte(word)) == nil { // the schema knows no others
			levels = append(levels, l)
		}
	}
	return levels
}
