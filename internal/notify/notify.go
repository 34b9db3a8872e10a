// Package notify carries warnings to people by webhooks: plain JSON for
// programs, and the forms of Slack, Feishu (Lark), DingTalk and WeCom.
//
// Each hook has a queue and a worker of its own, so that one that does not
// answer holds up nobody. The same matter is not told again within an interval,
// unless it has become more urgent; who was told of a matter is told of its
// end. A hook's address and secret are credentials: neither is ever logged.
package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/words"
)

// Hook is where and how messages go. Name, URL and Form are needed.
type Hook struct {
	Name   string      // for logs and metrics
	URL    call.Secret // whoever knows it can post
	Form   Form
	Secret call.Secret         // signs, in the way of the form; empty: unsigned
	Lang   string              // en or zh
	Levels []call.WarningLevel // that are told of; empty: all
}

// Config says whom to tell. The zero Config tells nobody.
type Config struct {
	Hooks     []Hook
	Every     time.Duration     // how long the same matter is not told again; 0: 15 minutes
	Drain     time.Duration     // for what is queued when Run is to end; 0: 5 seconds
	Transport http.RoundTripper // nil: one of its own
	Log       *slog.Logger      // nil: none
}

// The defaults and bounds.
const (
	DefaultEvery = 15 * time.Minute
	DefaultDrain = 5 * time.Second
	maxQueue     = 64 // messages of one hook; the oldest makes room
	maxBatch     = 20 // warnings in one post
	maxMemory    = 4096
)

// Notifier tells people of warnings. It is safe for concurrent use.
type Notifier struct {
	// Static after New.
	drain  time.Duration
	log    *slog.Logger
	client *http.Client
	book   *words.Book

	mu       sync.Mutex       // guards everything below
	every    time.Duration    // between two messages about the same matter
	hooks    map[string]*hook // by name
	sending  context.Context  // of the posts; nil unless Run runs
	stopping chan struct{}    // closed when Run is to end
	workers  sync.WaitGroup
}

// New returns a notifier, or what is wrong with the hooks. It sends nothing
// before Run runs.
func New(cfg Config) (*Notifier, error) {
	n := &Notifier{
		drain: cmp.Or(cfg.Drain, DefaultDrain), log: cmp.Or(cfg.Log, slog.New(slog.DiscardHandler)),
		book: words.New(), hooks: map[string]*hook{},
	}
	if cfg.Transport == nil {
		cfg.Transport = http.DefaultTransport.(*http.Transport).Clone()
	}
	n.client = &http.Client{
		Transport: cfg.Transport, Timeout: tryWithin,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return n, n.Configure(cfg.Every, cfg.Hooks)
}

// Configure puts other hooks in the place of the present ones. One that keeps
// its name keeps its queue, and its memory of what it has told. It changes
// nothing if a hook is not valid.
func (n *Notifier) Configure(every time.Duration, hooks []Hook) error {
	var errs []error
	names := map[string]bool{}
	for _, h := range hooks {
		errs = append(errs, h.check(names[h.Name]))
		names[h.Name] = true
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.every = cmp.Or(every, DefaultEvery)
	for name, h := range n.hooks {
		if !names[name] {
			close(h.quit)
			delete(n.hooks, name)
		}
	}
	for _, spec := range hooks {
		h := n.hooks[spec.Name]
		if h == nil {
			h = newHook(n)
			n.hooks[spec.Name] = h
			n.start(h, &spec)
			continue
		}
		h.spec.Store(&spec)
	}
	return nil
}

// start begins the work of a hook, if Run runs. The caller holds n.mu.
func (n *Notifier) start(h *hook, spec *Hook) {
	if spec != nil {
		h.spec.Store(spec)
	}
	if ctx, stop := n.sending, n.stopping; ctx != nil {
		n.workers.Go(func() { h.run(ctx, stop) })
	}
}

// check says what is wrong with a hook, without its address.
func (h *Hook) check(twice bool) error {
	u, err := url.Parse(h.URL.Reveal())
	switch {
	case h.Name == "":
		return errors.New("a webhook needs a name")
	case twice:
		return fmt.Errorf("two webhooks are named %s", h.Name)
	case !h.Form.known():
		return fmt.Errorf("webhook %s: there is no form %q", h.Name, h.Form)
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return fmt.Errorf("webhook %s: its address is no URL such as https://hooks.example/…", h.Name)
	}
	return nil
}

// Run sends what Tell is told until ctx is done. Then it sends what is queued,
// for a bounded time, and returns.
func (n *Notifier) Run(ctx context.Context) error {
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stopping := make(chan struct{})
	n.mu.Lock()
	n.sending, n.stopping = sending, stopping
	for _, h := range n.hooks {
		n.start(h, nil)
	}
	n.mu.Unlock()
	<-ctx.Done()
	n.mu.Lock()
	n.sending = nil // nobody starts any more
	n.mu.Unlock()
	close(stopping)
	timer := time.AfterFunc(n.drain, cancel)
	defer timer.Stop()
	n.workers.Wait()
	n.client.CloseIdleConnections()
	return nil
}

// Tell implements [call.Notifier]. It hands the warnings to the hooks' queues.
func (n *Notifier) Tell(raised, cleared []call.Warning) {
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, h := range n.hooks {
		h.tell(now, raised, cleared)
	}
}

// Report implements [call.Notifier].
func (n *Notifier) Report() (out []call.WebhookReport) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(n.hooks)) {
		for o := range outcome(numOutcomes) {
			out = append(out, call.WebhookReport{Hook: name, Outcome: o.String(), Count: n.hooks[name].counts[o].Load()})
		}
	}
	return out
}

// interval is how long the same matter is not told again.
func (n *Notifier) interval() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.every
}
