package config_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-gateway/weir/internal/config"
)

func TestBreakerFaults(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want []string // none: valid
	}{
		"default":          {"{}", nil},
		"off":              {"{off: true}", nil},
		"own":              {"{engine: own}", nil},
		"other-engine":     {"{engine: hystrix}", []string{"breaker.engine", "sentinel"}},
		"folder":           {"{rules: rules}", nil},
		"etcd":             {"{etcd: {endpoints: ['10.0.0.1:2379', 'etcd-2:2379']}}", nil},
		"etcd-urls":        {"{etcd: {endpoints: ['https://a:1', 'https://b:1/'], ca: ca.pem, cert: c.pem, key: k.pem}}", nil},
		"both":             {"{rules: rules, etcd: {endpoints: ['a:1']}}", []string{"breaker: ", "exclude each other"}},
		"no-endpoints":     {"{etcd: {prefix: /r}}", []string{"breaker.etcd", "endpoints"}},
		"empty-endpoints":  {"{etcd: {endpoints: []}}", []string{"breaker.etcd.endpoints"}},
		"bad-endpoints":    {"{etcd: {endpoints: [localhost, 'ftp://a:1', 'http://a', 'http://root:hunter2@a:1']}}", []string{"endpoints[0]", "endpoints[1]", "endpoints[2]", "endpoints[3]"}},
		"mixed-kinds":      {"{etcd: {endpoints: ['https://a:1', 'http://b:1', 'c:1']}}", []string{"endpoints[1]", "endpoints[2]", "same kind"}},
		"clear-text-certs": {"{etcd: {endpoints: ['http://a:1'], ca: ca.pem}}", []string{"endpoints[0]", "https://"}},
		"no-prefix":        {"{etcd: {endpoints: ['a:1'], prefix: //}}", []string{"breaker.etcd.prefix"}},
		"half-a-login":     {"{etcd: {endpoints: ['a:1'], username: weir}}", []string{"go together"}},
		"pasted-password":  {"{etcd: {endpoints: ['a:1'], username: weir, password: hunter2}}", []string{"breaker.etcd.password", "env:NAME"}},
		"half-a-pair":      {"{etcd: {endpoints: ['a:1'], cert: c.pem}}", []string{"cert and key go together"}},
		"unknown":          {"{rule: x}", []string{"breaker", "rule"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Load(write(t, "breaker: "+tt.text), getenv())
			if (err == nil) != (tt.want == nil) {
				t.Fatalf("got %v", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not mentioned in:\n%v", want, err)
				}
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a password is shown: %v", err)
			}
		})
	}
}

func TestRulesAreBesideTheFile(t *testing.T) {
	for path, want := range map[string]string{"rules": "DIR/rules", "../rules": "DIR/../rules", "/etc/weir/rules": "/etc/weir/rules"} {
		file := write(t, "breaker: {rules: "+path+"}")
		c, err := config.Load(file, getenv())
		if want = filepath.Clean(strings.Replace(want, "DIR", filepath.Dir(file), 1)); err != nil || c.Breaker.Rules != want {
			t.Errorf("%s: got %s, %v, want %s", path, c.Breaker.Rules, err, want)
		}
	}
	if c := config.Defaults(); c.Breaker.Engine != config.EngineSentinel {
		t.Errorf("the default engine is %q", c.Breaker.Engine)
	}
}
