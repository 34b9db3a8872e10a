package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"reflect"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/weir-gateway/weir/internal/config"
	"github.com/weir-gateway/weir/internal/notify"
	"github.com/weir-gateway/weir/weir"
)

// reloader brings changes of the configuration into a running gateway.
type reloader struct {
	env      env
	flags    serveFlags
	gateway  *weir.Gateway
	rules    *rulebook
	notifier *notify.Notifier
	log      *slog.Logger
	shown    *atomic.Pointer[config.Explained] // the configuration in effect; stored by run

	seen    [sha256.Size]byte // of the file; owned by run
	changed <-chan fsnotify.Event
	failed  <-chan error
	unwatch func()
}

// settle is how long a file must rest before it is read: editors write in
// several steps.
const settle = 200 * time.Millisecond

// run reloads on SIGHUP and when the file changes, until ctx is done. It
// watches the folder, because many programs replace a file, or a link on the way
// to it, instead of writing into it.
func (r *reloader) run(ctx context.Context) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	defer r.unwatch()
	timer := time.NewTimer(settle)
	timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hup:
			timer.Reset(0)
			r.rules.reload()
			r.seen = [sha256.Size]byte{} // a secret that it names may have changed
		case <-r.changed:
			timer.Reset(settle)
		case err := <-r.failed:
			r.log.Warn("cannot watch the configuration; reload it with SIGHUP", "cause", err)
		case <-timer.C:
			if sum := r.sum(); sum != r.seen {
				r.seen = sum
				r.reload()
			}
		}
	}
}

// files are those that are watched.
func (r *reloader) files() []string {
	var list []string
	now := r.shown.Load().Config
	if r.flags.file != "" {
		list = append(list, r.flags.file)
	}
	if now.Data != "" {
		list = append(list, tokensFile(now.Data))
	}
	if now.Ledger.Prices != "" {
		list = append(list, now.Ledger.Prices)
	}
	return list
}

// sum tells one content of the files from another.
func (r *reloader) sum() [sha256.Size]byte {
	sum := sha256.New()
	for _, file := range r.files() {
		data, err := os.ReadFile(file)
		if err != nil {
			data = []byte(err.Error()) // to be told once
		}
		fmt.Fprintf(sum, "%d ", len(data))
		sum.Write(data)
	}
	return [sha256.Size]byte(sum.Sum(nil))
}

// watch begins to watch the files' folders, for run. Where they cannot be
// watched, there are no events, and SIGHUP remains.
func (r *reloader) watch() *reloader {
	r.unwatch = func() {}
	w, err := fsnotify.NewWatcher()
	for _, file := range r.files() {
		if err == nil {
			err = watchFolder(w, filepath.Dir(file))
		}
	}
	if err != nil {
		r.log.Warn("cannot watch the configuration; reload it with SIGHUP", "cause", err)
		return r
	}
	r.seen = r.sum()
	r.changed, r.failed, r.unwatch = w.Events, w.Errors, func() { w.Close() }
	return r
}

// watchFolder makes the folder if need be: the file may come later.
func watchFolder(w *fsnotify.Watcher, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return w.Add(dir)
}

// reload reads the configuration anew. An invalid one changes nothing.
func (r *reloader) reload() {
	next, later, err := r.next()
	if err == nil {
		err = r.apply(next.Config)
	}
	if err != nil {
		fmt.Fprintf(r.env.stderr, "weir: error: %v\nweir: hint: the old configuration stays in effect\n", err)
		return
	}
	r.shown.Store(&next)
	if len(later) > 0 {
		r.log.Warn("of what has changed, some takes effect at the next start", "paths", later)
	}
	fmt.Fprintf(r.env.stderr, "weir: reloaded, %s\n", mode(next.Config))
}

// next is the configuration that is to take effect, and the paths of what the file
// wants otherwise from the next start on. An address that stays as it was, off
// loopback, is still not opened to everybody.
func (r *reloader) next() (next config.Explained, later []string, err error) {
	if next, err = effective(r.env, r.flags); err != nil {
		return next, nil, err
	}
	later = next.Keep(*r.shown.Load())
	next.Config.LocalTokens = hasTokens(next.Config) // in the folder that is kept
	return next, later, next.Config.CheckDoors()
}

// setClients changes who may use the gateway, and for which models; nil: anybody.
func (r *reloader) setClients(list []weir.Client, models map[string][]string) error {
	if list == nil {
		return r.gateway.OpenToAll(models)
	}
	return r.gateway.SetClients(list, models)
}

// apply takes over what can change while the gateway runs: the keys, the
// clients, the prices, the budgets, the bounds of the cache, whom to warn when, the
// policy of max_tokens, what is split, and the ladder.
func (r *reloader) apply(next config.Config) error {
	now := r.shown.Load().Config
	if next.Profile != now.Profile {
		return fmt.Errorf("another profile (%q) is a matter of a new start", next.Profile)
	}
	list, err := resolveKeys(next, r.env)
	clients, clientErr := resolveClients(next, r.env)
	hooks, hookErr := resolveHooks(next, r.env)
	prices, priceErr := pricesOf(next)
	if err := errors.Join(err, clientErr, hookErr, priceErr); err != nil {
		return err
	}
	if err := r.gateway.SetPrices(prices); err != nil {
		return err
	}
	if err := r.gateway.SetAPIKeys(list); err != nil {
		return err
	}
	if err := r.setClients(clients, modelsOf(next)); err != nil {
		return err
	}
	if next.Cache != nil {
		r.gateway.SetCacheBounds(next.Cache.MaxBytes, next.Cache.MaxAge.D())
	}
	if !reflect.DeepEqual(next.Degrade, now.Degrade) { // an equal one keeps what is in force
		if err := r.gateway.SetLadder(ladderOf(next)); err != nil {
			return err
		}
	}
	return errors.Join(r.gateway.SetBudgets(budgetsOf(next)), r.gateway.SetSplit(splitOf(next)), r.gateway.SetMaxTokens(maxTokensOf(next)), r.gateway.SetWarnings(warningsOf(next)), r.notifier.Configure(next.Alerts.Every.D(), hooks))
}

// resolveKeys reads the secrets of all keys and reports every fault.
func resolveKeys(c config.Config, e env) ([]weir.APIKey, error) {
	var (
		list []weir.APIKey
		errs []error
	)
	for _, k := range c.Keys {
		secret, err := k.Key.Resolve(e.getenv)
		if err != nil {
			errs = append(errs, fmt.Errorf("key %s: %w", k.Name, err))
		}
		list = append(list, weir.APIKey{Name: k.Name, Secret: secret, Upstream: k.Upstream})
	}
	return list, errors.Join(errs...)
}
