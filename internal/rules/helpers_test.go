package rules_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-gateway/weir/internal/rules"
)

// taker takes sets over, except those with a bad document.
type taker struct {
	sets chan rules.Set
	logs chan string
}

const bad = `[{"resource":"bad"}]`

func newTaker() *taker {
	return &taker{sets: make(chan rules.Set, 100), logs: make(chan string, 100)}
}

func (k *taker) apply(set rules.Set) error {
	for _, data := range set {
		if string(data) == bad {
			return errors.New("a bad rule")
		}
	}
	k.sets <- set
	return nil
}

// log is a logger whose messages logged waits for.
func (k *taker) log() *slog.Logger { return slog.New(handler{k.logs}) }

type handler struct{ logs chan string }

func (handler) Enabled(context.Context, slog.Level) bool { return true }
func (h handler) WithAttrs([]slog.Attr) slog.Handler     { return h }
func (h handler) WithGroup(string) slog.Handler          { return h }
func (h handler) Handle(_ context.Context, r slog.Record) error {
	line := r.Message
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	h.logs <- line
	return nil
}

// wants waits for the next set.
func (k *taker) wants(t *testing.T, want map[string]string) {
	t.Helper()
	got := next(t, k.sets, k.logs)
	if !maps.EqualFunc(got, want, func(a []byte, b string) bool { return string(a) == b }) {
		t.Fatalf("took over %q, want %q", got, want)
	}
}

// logged waits for the next line, which must have all of these in it.
func (k *taker) logged(t *testing.T, want ...string) {
	t.Helper()
	line := next(t, k.logs, k.sets)
	for _, w := range want {
		if !strings.Contains(line, w) {
			t.Fatalf("logged %q, want %q", line, want)
		}
	}
}

// next waits for what comes on a channel while nothing does on the other.
func next[T, U any](t *testing.T, here <-chan T, there <-chan U) T {
	t.Helper()
	select {
	case got := <-here:
		return got
	default:
	}
	select {
	case got := <-here:
		return got
	case other := <-there:
		t.Fatalf("%s came instead", any(other))
	case <-time.After(30 * time.Second):
		t.Fatal("nothing came")
	}
	panic("unreachable")
}

// source is a folder or etcd.
type source interface {
	Start(context.Context) error
	Run(context.Context) error
	Reload()
	Err() error
}

// running starts s and runs it until the test ends, or stop is called.
func running(t *testing.T, s source) (stop func()) {
	t.Helper()
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	stop = func() { cancel(); wg.Wait() }
	t.Cleanup(stop)
	return stop
}

type set = map[string]string
