// Package config reads the gateway's configuration: defaults, then a YAML
// file, then the environment, then flags. All mistakes are reported at once,
// each with its path and a hint. Secrets are references, never values.
package config

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/weir-gateway/weir/internal/schema"
)

// Config is the whole configuration. Create it with [Load]; the zero Config
// lacks the defaults.
type Config struct {
	Profile  string `yaml:"profile,omitempty" jsonschema:"enum=development,enum=staging,enum=production,description=a set of defaults under this file; none: those of the table"`
	Listen   string `yaml:"listen" jsonschema:"description=address of the data plane"`
	Admin    string `yaml:"admin" jsonschema:"description=address of the admin plane; off turns it off"`
	Upstream string `yaml:"upstream" jsonschema:"description=address of the API; sim: the simulator inside this process"`
	Data     string `yaml:"data,omitempty" jsonschema:"description=folder for what outlives a restart; none: nothing does"`

	Keys    []Key    `yaml:"keys,omitempty" jsonschema:"description=API keys of the pool; none: each caller pays with its own"`
	Clients []Client `yaml:"clients,omitempty" jsonschema:"description=who may use the pool; none: anybody on loopback"`
	Queue   Queue    `yaml:"queue,omitempty"`
	Classes Classes  `yaml:"classes,omitempty" jsonschema:"description=what holds for the requests of each class"`
	Retry   Retry    `yaml:"retry"`
	Degrade Degrade  `yaml:"degrade,omitempty"`
	Split   Split    `yaml:"split,omitempty" jsonschema:"description=requests that are too long and may be answered in parts (weir-split)"`
	Breaker Breaker  `yaml:"breaker,omitempty"`
	Cache   *Cache   `yaml:"cache,omitempty" jsonschema:"description=answers that are kept to be given again and marks for the upstream's prompt cache; none: neither"`
	Alerts  Alerts   `yaml:"alerts"`
	Ledger  Ledger   `yaml:"ledger,omitempty"`
	Load    LoadTest `yaml:"load,omitempty" jsonschema:"description=how weir load tests this gateway"`
	Budgets []Budget `yaml:"budgets,omitempty" jsonschema:"description=sums of money that calls are held to; a call draws on each one that watches it"`

	LogCalls       bool `yaml:"log_calls,omitempty" jsonschema:"description=a line in the log for every call as by --verbose"`
	VerboseHeaders bool `yaml:"verbose_headers,omitempty" jsonschema:"description=answers tell their calls' stories in the header weir-explain and name the keys"`

	// LocalTokens says that the data folder has client tokens as well; whoever
	// has looked sets it.
	LocalTokens bool `yaml:"-"`

	Tenants map[string]Tenant `yaml:"tenants,omitempty" jsonschema:"description=what holds for the requests of one tenant by its name"`

	AdminToken Ref `yaml:"admin_token,omitempty" jsonschema:"description=what lets people and programs into the admin plane; needed off loopback"`

	TLS            *TLS `yaml:"tls,omitempty" jsonschema:"description=certificate of the data plane and of the admin plane off loopback"`
	BehindTLSProxy bool `yaml:"behind_tls_proxy,omitempty" jsonschema:"description=something in front of Weir does TLS"`
}

// Key is one API key of the pool.
type Key struct {
	Name string `yaml:"name" jsonschema:"required,minLength=1,description=for people and logs and metrics"`
	Key  Ref    `yaml:"key" jsonschema:"required,description=the API key"`

	Upstream string `yaml:"upstream,omitempty" jsonschema:"description=address of the API that takes this key such as a relay; default: the upstream above"`

	AdminKey  Ref    `yaml:"admin_key,omitempty" jsonschema:"description=admin key of the same organization: its rate limits are read from the Rate Limits API"`
	Workspace string `yaml:"workspace,omitempty" jsonschema:"description=id of the key's workspace; with admin_key its own limits are read too"`
}

// Client is a holder of a token of this gateway.
type Client struct {
	Name   string `yaml:"name" jsonschema:"required,minLength=1,description=for people and logs and metrics"`
	Token  Ref    `yaml:"token" jsonschema:"required,description=what the client sends in the place of an API key"`
	Tenant string `yaml:"tenant,omitempty" jsonschema:"description=whose share the client draws on; default: its name"`

	MaxTokens MaxTokens `yaml:"max_tokens,omitempty" jsonschema:"description=of the client's requests"`
	Models    []string  `yaml:"models,omitempty" jsonschema:"description=models that the client may use; * stands for anything; default: any"`
}

// Queue bounds the waiting.
type Queue struct {
	MaxWaiting int64           `yaml:"max_waiting,omitempty" jsonschema:"minimum=1,description=calls that may wait at once"`
	MaxBytes   int64           `yaml:"max_bytes,omitempty" jsonschema:"minimum=1,description=of the requests that wait together"`
	MaxWait    schema.Duration `yaml:"max_wait,omitempty" jsonschema:"description=how long a call may wait whose caller names no deadline"`
	AtOnce     int64           `yaml:"at_once,omitempty" jsonschema:"minimum=0,maximum=1000000,description=calls that may be under way at once; one more waits its turn; 0: as many as the quota bears"`
	Batches    Batches         `yaml:"batches,omitempty"`
	CountAbove int64           `yaml:"count_above,omitempty" jsonschema:"minimum=0,description=requests estimated above so many input tokens are counted exactly by count_tokens before they wait; 0: never"`
}

// Batches says whether calls that can wait for hours are answered by Message
// Batches.
type Batches struct {
	Collect bool            `yaml:"collect,omitempty" jsonschema:"description=answer calls of class batch whose weir-max-wait is an hour or more by Message Batches at half the price; needs data and keys"`
	Every   schema.Duration `yaml:"every,omitempty" jsonschema:"description=how often a batch is made; default 1m"`
	Max     int             `yaml:"max,omitempty" jsonschema:"minimum=1,maximum=100000,description=requests of one batch; it is made at once when so many wait; default 1000"`
	Keep    schema.Duration `yaml:"keep,omitempty" jsonschema:"description=how long answers are kept that nobody comes for; default 48h"`
}

// Retry says when an attempt counts as failed, beside the failures that the API
// tells of itself.
type Retry struct {
	Off        bool            `yaml:"off,omitempty" jsonschema:"description=nothing is sent again: the first failure is the caller's"`
	FirstToken schema.Duration `yaml:"first_token,omitempty" jsonschema:"description=how long a stream may take to its first byte; default 5m"`
	Silence    schema.Duration `yaml:"silence,omitempty" jsonschema:"description=how long a stream may pause; default 1m"`
	Whole      schema.Duration `yaml:"whole,omitempty" jsonschema:"description=how long an answer in one piece may take; default 10m"`
	HedgeAfter schema.Duration `yaml:"hedge_after,omitempty" jsonschema:"description=a stream without content after so long is sent to another key as well (one call in a hundred at most); 0: never"`

	StreamAbove int64 `yaml:"stream_above" jsonschema:"minimum=0,description=answers of more max_tokens come from the API as a stream and are put together for a caller that wants one piece; 0: never"`
}

// TLS names a certificate and its key.
type TLS struct {
	Cert string `yaml:"cert" jsonschema:"required,minLength=1,description=PEM file with the certificate"`
	Key  string `yaml:"key" jsonschema:"required,minLength=1,description=PEM file with its key"`
}

// Defaults returns the configuration of a gateway that was told nothing.
func Defaults() Config {
	return Config{
		Listen: "127.0.0.1:8787", Admin: "127.0.0.1:8788", Upstream: theAPI,
		Queue:   Queue{MaxWaiting: 100_000, MaxBytes: 1 << 30, MaxWait: schema.Duration(10 * time.Minute)},
		Retry:   Retry{StreamAbove: defaultStreamAbove},
		Alerts:  defaultAlerts(),
		Breaker: Breaker{Engine: EngineSentinel},
	}
}

// defaultStreamAbove is above what the official SDKs refuse to ask for an answer
// in one piece.
const defaultStreamAbove = 21_333

const theAPI = "https://api.anthropic.com"

// Simulator is the upstream that runs inside the gateway's process.
const Simulator = "sim"

// Off is the admin address that turns the admin plane off.
const Off = "off"

// Faults is the error of a configuration that is not valid: all its mistakes.
type Faults = schema.Error

// Fault is one of them.
type Fault = schema.Fault

// Schema is the JSON Schema of the file, for editors.
func Schema() ([]byte, error) { return schema.Generate(&Config{}) }

// Validate reports what a schema cannot: it is called for the file alone and,
// through [Config.Check], for the configuration in effect.
func (c *Config) Validate() []schema.Fault {
	var faults faultList
	add := faults.add
	if !address(c.Listen) {
		add("listen", fmt.Sprintf("%q is no address", c.Listen), "write host:port, such as 127.0.0.1:8787")
	}
	if c.Admin != Off && !address(c.Admin) {
		add("admin", fmt.Sprintf("%q is no address", c.Admin), "write host:port, such as 127.0.0.1:8788, or off")
	}
	api := func(path, text string) {
		if u, err := url.Parse(text); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			add(path, fmt.Sprintf("%q is no address of an API", Redacted(text)), "write a URL such as https://api.anthropic.com")
		}
	}
	if c.Upstream != Simulator {
		api("upstream", c.Upstream)
	}
	if _, known := profiles[c.Profile]; !known && c.Profile != "" {
		faults = append(faults, noProfile(c.Profile))
	}
	if err := c.AdminToken.check(); c.AdminToken != "" && err != nil {
		add("admin_token", err.Error(), refHint)
	}
	c.validateDegrade(add)
	for i, k := range c.Keys {
		if k.Upstream != "" {
			api(fmt.Sprintf("keys[%d].upstream", i), k.Upstream)
		}
		if err := k.Key.check(); err != nil {
			add(fmt.Sprintf("keys[%d].key", i), err.Error(), refHint)
		}
		if err := k.AdminKey.check(); k.AdminKey != "" && err != nil {
			add(fmt.Sprintf("keys[%d].admin_key", i), err.Error(), refHint)
		}
	}
	for i, cl := range c.Clients {
		if err := cl.Token.check(); err != nil {
			add(fmt.Sprintf("clients[%d].token", i), err.Error(), refHint)
		}
	}
	c.validateMaxTokens(add)
	c.Breaker.validate(add)
	c.Cache.validate(add)
	c.Alerts.validate(add)
	c.Ledger.validate(add)
	c.validateBudgets(add)
	return faults
}

// Check validates the configuration in effect, flags and environment included,
// and guards against opening a pool to the world by accident.
func (c *Config) Check() error {
	faults := faultList(c.Validate())
	add := faults.add
	if c.AsksForTokens() && len(c.Keys) == 0 {
		add("clients", "gateway tokens are of use only with a key of the gateway", "add keys, or set ANTHROPIC_API_KEY")
	}
	c.Cache.check(c.Data, add)
	c.checkProduction(add)
	c.checkDoors(add)
	return faults.err()
}

// CheckDoors reports where everybody could come in by accident, in a configuration
// that has been checked and of which some stays as it was.
func (c *Config) CheckDoors() error {
	var faults faultList
	c.checkDoors(faults.add)
	return faults.err()
}

func (c *Config) checkDoors(add func(path, message, hint string)) {
	if address(c.Listen) && !loopback(c.Listen) {
		if !c.AsksForTokens() {
			add("listen", "everybody who reaches "+c.Listen+" could use the gateway", "make tokens with weir token add, or listen on 127.0.0.1")
		}
		if c.TLS == nil && !c.BehindTLSProxy {
			add("listen", "keys and prompts would cross the network in clear text", "add tls, or set behind_tls_proxy: true if a proxy does it")
		}
	}
	if c.AdminIsPublic() {
		if c.AdminToken == "" {
			add("admin", "everybody who reaches "+c.Admin+" could look into the gateway", "set admin_token, or listen on 127.0.0.1 and reach it through a tunnel")
		}
		if c.TLS == nil && !c.BehindTLSProxy {
			add("admin", "the token would cross the network in clear text", "add tls, or set behind_tls_proxy: true if a proxy does it")
		}
	}
}

// faultList collects faults.
type faultList []Fault

func (l *faultList) add(path, message, hint string) {
	*l = append(*l, Fault{Path: path, Message: message, Hint: hint})
}

// err is nil if there is no fault.
func (l faultList) err() error {
	if len(l) == 0 {
		return nil
	}
	return &schema.Error{File: "configuration", Faults: l}
}

// AsksForTokens reports whether callers need a token of the gateway's own.
func (c *Config) AsksForTokens() bool { return len(c.Clients) > 0 || c.LocalTokens }

// AdminIsPublic reports whether other machines can reach the admin plane.
func (c *Config) AdminIsPublic() bool {
	return c.Admin != Off && address(c.Admin) && !loopback(c.Admin)
}

// address reports whether s is host:port; user:password@host is none.
func address(s string) bool {
	_, port, err := net.SplitHostPort(s)
	return err == nil && port != "" && !strings.Contains(s, "@")
}

// loopback reports whether only this machine can reach the address.
func loopback(s string) bool {
	host, _, _ := net.SplitHostPort(s)
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Ref is a reference to a secret: env:NAME or file:PATH.
type Ref string

const refHint = "write env:NAME or file:PATH, not the secret itself"

func (r Ref) check() error {
	kind, rest, found := strings.Cut(string(r), ":")
	if !found || rest == "" || (kind != "env" && kind != "file") {
		return fmt.Errorf("not a reference to a secret")
	}
	return nil
}

// Resolve reads the secret.
func (r Ref) Resolve(getenv func(string) string) (string, error) {
	if err := r.check(); err != nil {
		return "", fmt.Errorf("%w: %s", err, refHint)
	}
	kind, rest, _ := strings.Cut(string(r), ":")
	if kind == "env" {
		if v := getenv(rest); v != "" {
			return v, nil
		}
		return "", fmt.Errorf("the environment variable %s is empty", rest)
	}
	data, err := os.ReadFile(rest)
	if err != nil {
		return "", err
	}
	if v := strings.TrimSpace(string(data)); v != "" {
		return v, nil
	}
	return "", fmt.Errorf("the file %s is empty", rest)
}
