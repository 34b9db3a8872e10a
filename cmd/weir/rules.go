package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weir-gateway/weir/internal/config"
	"github.com/weir-gateway/weir/internal/rules"
	"github.com/weir-gateway/weir/internal/sentinel"
	"github.com/weir-gateway/weir/weir"
)

// ruleSource is where rule documents come from.
type ruleSource interface {
	Start(context.Context) error
	Run(context.Context) error
	Reload()
	Err() error
}

// rulebook brings rule documents into force.
type rulebook struct {
	gateway *weir.Gateway
	guard   *sentinel.Protection // of the gateway itself
	breaker bool                 // it is on
	stderr  io.Writer
	source  ruleSource // nil: no documents, and the default rules
}

// open brings the rules that the configuration names into force, or says why
// they cannot be.
func (b *rulebook) open(ctx context.Context, c config.Config, e env, log *slog.Logger) error {
	b.breaker, b.stderr = !c.Breaker.Off, e.stderr
	var err error
	switch {
	case c.Breaker.Etcd != nil:
		b.source, err = etcdRules(c, e, b.apply, log)
	case c.Breaker.Rules != "":
		b.source, err = rules.NewFolder(c.Breaker.Rules, b.apply, log)
	default:
		return nil
	}
	if err != nil {
		return err
	}
	if err := b.source.Start(ctx); err != nil {
		return hinted{err, "mend the rules, or start without them: breaker.rules and breaker.etcd in the configuration name their place"}
	}
	return nil
}

func etcdRules(c config.Config, e env, apply rules.Apply, log *slog.Logger) (ruleSource, error) {
	from := c.Breaker.Etcd
	cfg := rules.EtcdConfig{
		Endpoints: from.Endpoints, Prefix: from.Prefix, Username: from.Username,
		Files: rules.Files{CA: from.CA, Cert: from.Cert, Key: from.Key},
	}
	if c.Data != "" {
		cfg.Memory = filepath.Join(c.Data, "rules.json")
	}
	if from.Password != "" {
		password, err := from.Password.Resolve(e.getenv)
		if err != nil {
			return nil, fmt.Errorf("password of etcd: %w", err)
		}
		cfg.Password = password
	}
	return rules.NewEtcd(cfg, apply, log), nil
}

// apply takes over all kinds of rules of a set, or none.
func (b *rulebook) apply(set rules.Set) error {
	list, err := sentinel.ParseRules(set)
	if err != nil {
		return err
	}
	if b.breaker {
		if err := b.gateway.SetBreakerRules(list.CircuitBreaker); err != nil {
			return err
		}
	}
	if err := b.guard.Load(list); err != nil { // only when it has been closed
		return err
	}
	what := "the default ones"
	if len(set) > 0 {
		what = strings.Join(slices.Sorted(maps.Keys(set)), ", ")
	}
	fmt.Fprintf(b.stderr, "weir: rules in force: %s\n", what)
	return nil
}

// run follows the source until ctx is done.
func (b *rulebook) run(ctx context.Context) error {
	if b.source == nil {
		return nil
	}
	return b.source.Run(ctx)
}

// reload reads the source anew.
func (b *rulebook) reload() {
	if b.source != nil {
		b.source.Reload()
	}
}

// warning says why the rules in force may not be those of the source. It keeps
// nobody from serving.
func (b *rulebook) warning() error {
	if b.source == nil {
		return nil
	}
	if err := b.source.Err(); err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	return nil
}
