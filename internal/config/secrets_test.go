package config_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/weir-gateway/weir/internal/config"
)

// TestNoSecretIsShown puts random secrets wherever a file can refer to one or,
// by mistake, hold one, and looks for them in all that is shown or said.
func TestNoSecretIsShown(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	const signs = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	shown := 0
	for round := range 50 {
		var secrets []string
		fresh := func() string {
			b := []byte("s3cr")
			for range 12 + rng.IntN(30) {
				b = append(b, signs[rng.IntN(len(signs))])
			}
			secrets = append(secrets, string(b))
			return string(b)
		}
		env := map[string]string{}
		dir := t.TempDir()
		ref := func() string { // there, missing, or the secret itself
			switch n := len(secrets); rng.IntN(40) {
			case 0:
				return fresh()
			case 1, 2, 3, 4, 5, 6, 7, 8, 9:
				file := filepath.Join(dir, fmt.Sprint(n))
				if err := os.WriteFile(file, []byte(fresh()+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				return "file:" + file
			default:
				name := fmt.Sprintf("V%d", n)
				env[name] = fresh()
				return "env:" + name
			}
		}
		url := func(scheme string) string {
			return []string{
				scheme + "://relay.example:2379", scheme + "://relay.example:2379", scheme + "://relay.example/?key=" + fresh(),
				scheme + "://user:" + fresh() + "@relay.example/v1",
				"ftp://user:" + fresh() + "@relay.example", "user:" + fresh() + "@relay.example",
			}[min(rng.IntN(12), 5)%(1+rng.IntN(6))]
		}
		text := fmt.Sprintf(`
upstream: %q
keys: [{name: a, key: %q, admin_key: %q, upstream: %q}]
clients: [{name: b, token: %q}]
admin_token: %q
alerts: {webhooks: [{name: c, url: %q, form: json, secret: %q}]}
ledger: {postgres: %q}
cache: {secret: %q, redis: {address: %q, password: %q}}
breaker: {etcd: {endpoints: [%q], username: u, password: %q}}
`, url("https"), ref(), ref(), url("http"), ref(), ref(), "https://hooks.example/"+fresh(), ref(), ref(), ref(), url("redis"), ref(), url("https"), ref())
		e, err := config.Sources{File: write(t, text), Getenv: func(name string) string { return env[name] }}.Explain()
		said := fmt.Sprint(err)
		if err == nil {
			shown++
			page, _ := e.YAML()
			view, _ := e.Config.View()
			raw, _ := json.Marshal(view)
			said = fmt.Sprint(string(page), string(raw), e.Config.Check(), e.Config.Warnings(), e.Config.Unresolved(func(string) string { return "" }))
		}
		for _, secret := range secrets {
			if strings.Contains(said, secret) {
				t.Fatalf("round %d: %s is told in\n%s\nof\n%s", round, secret, said, text)
			}
		}
	}
	if shown < 3 || shown > 47 {
		t.Errorf("%d of 50 configurations could be shown: the test looks at one kind alone", shown)
	}
}

// TestEveryReferenceIsLookedAt counts the fields that refer to secrets.
func TestEveryReferenceIsLookedAt(t *testing.T) {
	c, err := config.Load(write(t, `
keys: [{name: a, key: 'env:A', admin_key: 'env:A'}]
clients: [{name: b, token: 'env:A'}]
admin_token: env:A
alerts: {webhooks: [{name: c, url: 'env:A', form: json, secret: 'env:A'}]}
ledger: {postgres: 'env:A'}
cache: {secret: 'env:A', redis: {address: '127.0.0.1:1', password: 'env:A'}}
breaker: {etcd: {endpoints: ['127.0.0.1:1'], username: u, password: 'env:A'}}
`), getenv())
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	var look func(reflect.Type)
	look = func(at reflect.Type) {
		switch {
		case at == reflect.TypeFor[config.Ref]() || at == reflect.TypeFor[config.Address]():
			count++
		case at.Kind() == reflect.Pointer || at.Kind() == reflect.Slice || at.Kind() == reflect.Map:
			look(at.Elem())
		case at.Kind() == reflect.Struct:
			for f := range at.Fields() {
				look(f.Type)
			}
		}
	}
	look(reflect.TypeFor[config.Config]())
	if got := len(c.Unresolved(getenv())); got != count {
		t.Errorf("%d references are looked at, there are %d", got, count)
	}
	if got := c.Unresolved(getenv("A", "there")); len(got) != 0 {
		t.Errorf("missing: %v", got)
	}
}
