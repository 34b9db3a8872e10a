package config

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Breaker says which rules guard the upstream and the gateway itself.
type Breaker struct {
	Off    bool   `yaml:"off,omitempty" jsonschema:"description=no circuit breaking; rules of the other kinds stay in force"`
	Engine string `yaml:"engine,omitempty" jsonschema:"enum=sentinel,enum=own,description=what counts for circuit breaking"`
	Rules  string `yaml:"rules,omitempty" jsonschema:"description=folder of rule documents in Sentinel's JSON; relative to this file"`
	Etcd   *Etcd  `yaml:"etcd,omitempty" jsonschema:"description=rule documents in etcd instead of a folder"`
}

// The engines of circuit breaking.
const (
	EngineSentinel = "sentinel"
	EngineOwn      = "own"
)

// Etcd says where rule documents are in etcd.
type Etcd struct {
	Endpoints []string `yaml:"endpoints" jsonschema:"required,minItems=1,description=addresses of the cluster: host:port or URLs"`
	Prefix    string   `yaml:"prefix,omitempty" jsonschema:"description=of the keys; the key of a document is PREFIX/NAME; default: /weir/rules"`
	Username  string   `yaml:"username,omitempty" jsonschema:"description=of the cluster; goes with password"`
	Password  Ref      `yaml:"password,omitempty" jsonschema:"description=of the user"`
	CA        string   `yaml:"ca,omitempty" jsonschema:"description=PEM file with the authority of the cluster's certificate; none: the machine's authorities"`
	Cert      string   `yaml:"cert,omitempty" jsonschema:"description=PEM file with the certificate that is shown to the cluster"`
	Key       string   `yaml:"key,omitempty" jsonschema:"description=PEM file with the key of cert"`
}

func (b *Breaker) validate(add func(path, message, hint string)) {
	if b.Etcd == nil {
		return
	}
	if b.Rules != "" {
		add("breaker", "rules and etcd exclude each other", "name one place for the rules")
	}
	e := b.Etcd
	for i, endpoint := range e.Endpoints {
		path := fmt.Sprintf("breaker.etcd.endpoints[%d]", i)
		kind, err := scheme(endpoint)
		first, _ := scheme(e.Endpoints[0])
		switch {
		case err != nil:
			add(path, err.Error(), "write host:port, such as 127.0.0.1:2379, or a URL such as https://etcd.example:2379")
		case kind != first: // the client would treat it as it does the first
			add(path, "not of the same kind as the first", "write all of them with the same scheme, or all without")
		case kind == "http://" && e.CA+e.Cert != "":
			add(path, "certificates are of no use in clear text", "write https://")
		}
	}
	if e.Prefix != "" && strings.Trim(e.Prefix, "/") == "" {
		add("breaker.etcd.prefix", "no prefix", "write one such as /weir/rules, or leave it out")
	}
	if (e.Username == "") != (e.Password == "") {
		add("breaker.etcd", "username and password go together", "give both or none")
	}
	if err := e.Password.check(); e.Password != "" && err != nil {
		add("breaker.etcd.password", err.Error(), refHint)
	}
	if (e.Cert == "") != (e.Key == "") {
		add("breaker.etcd", "cert and key go together", "give both or none")
	}
}

// scheme returns what an endpoint begins with: http://, https:// or nothing.
func scheme(endpoint string) (string, error) {
	if address(endpoint) && !strings.Contains(endpoint, "/") {
		return "", nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Port() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" {
		return "", errors.New("no address of etcd") // it is not quoted: it may hold a password
	}
	return u.Scheme + "://", nil
}
