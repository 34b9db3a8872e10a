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
	now      config.Config // in effect; owned by run

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

// sum tells one content of the file from another.
func (r *reloader) sum() [sha256.Size]byte {
	data, err := os.ReadFile(r.flags.file)
	if err != nil {
		data = []byte(err.Error()) // to be told once
	}
	return sha256.Sum256(data)
}

// watch begins to watch the file's folder, for run. Without a file, or where it
// cannot be watched, there are no events, and SIGHUP remains.
func (r *reloader) watch() *reloader {
	r.unwatch = func() {}
	if r.flags.file == "" {
		return r
	}
	w, err := fsnotify.NewWatcher()
	if err == nil {
		err = w.Add(filepath.Dir(r.flags.file))
	}
	if err != nil {
		r.log.Warn("cannot watch the configuration; reload it with SIGHUP", "cause", err)
		return r
	}
	r.seen = r.sum()
	r.changed, r.failed, r.unwatch = w.Events, w.Errors, func() { w.Close() }
	return r
}

// reload reads the configuration anew. An invalid one changes nothing.
func (r *reloader) reload() {
	next, err := effective(r.env, r.flags)
	if err == nil {
		err = r.apply(next)
	}
	if err != nil {
		fmt.Fprintf(r.env.stderr, "weir: error: %v\nweir: hint: the old configuration stays in effect\n", err)
		return
	}
	r.now = next
	fmt.Fprintf(r.env.stderr, "weir: reloaded, %s\n", mode(next))
}

// apply takes over what can change while the gateway runs: the keys, and whom
// to warn when.
func (r *reloader) apply(next config.Config) error {
	if next.Listen != r.now.Listen || next.Admin != r.now.Admin || next.Upstream != r.now.Upstream {
		r.log.Warn("a new address takes effect at the next start")
	}
	if !reflect.DeepEqual(next.Breaker, r.now.Breaker) {
		r.log.Warn("another breaker or place of rules takes effect at the next start")
	}
	list, err := resolveKeys(next, r.env)
	hooks, hookErr := resolveHooks(next, r.env)
	if err := errors.Join(err, hookErr); err != nil {
		return err
	}
	if err := r.gateway.SetAPIKeys(list); err != nil {
		return err
	}
	return errors.Join(r.gateway.SetWarnings(warningsOf(next)), r.notifier.Configure(next.Alerts.Every.D(), hooks))
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
