package weir

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/admit"
	"github.com/weir-gateway/weir/internal/budget"
	"github.com/weir-gateway/weir/internal/cache"
	"github.com/weir-gateway/weir/internal/classify"
	"github.com/weir-gateway/weir/internal/price"
	"github.com/weir-gateway/weir/internal/upstream"
)

// DefaultUpstream is the API that calls are sent to.
const DefaultUpstream = "https://api.anthropic.com"

var errDraining = errors.New("draining: the gateway is shutting down")

// Option sets one thing of a [Gateway]; see [New].
type Option func(*settings) error

type settings struct {
	upstream  string
	keys      []call.Key
	log       *slog.Logger
	transport http.RoundTripper
	observers []call.Observer
	memory    string // file
	queue     admit.Config
	classify  classify.Config
	admins    []AdminKey

	countAbove call.Tokens
	breaker    Breaker
	protector  call.Protector
	patience   upstream.Patience
	hedgeAfter time.Duration
	fallback   map[string][]string
	prompt     *PromptCaching // nil: none
	maxTokens  MaxTokens
	ladder     Ladder

	streamAbove call.Tokens
	noRetry     bool
	verbose     bool // headers

	prices   *price.Table
	ledger   call.Ledger
	warnings Warnings
	notifier call.Notifier
	cache    *cache.Config // nil: none
	batches  Batches
	budgets  []budget.Budget
	split    Split
	leases   call.Leases
}

// collect applies the options and reports all their faults at once.
func collect(opts []Option) (*settings, error) {
	s := &settings{
		upstream: DefaultUpstream, log: slog.New(slog.DiscardHandler),
		classify: classify.Config{Class: call.Normal}, prices: price.Builtin(),
		streamAbove: defaultStreamAbove,
	}
	var errs []error
	for _, o := range opts {
		errs = append(errs, o(s))
	}
	return s, errors.Join(errs...)
}

// WithUpstream sends calls to another address than [DefaultUpstream]: a
// simulator, a relay, a regional endpoint.
func WithUpstream(url string) Option {
	return func(s *settings) error {
		s.upstream = url
		return nil
	}
}

// WithAPIKey makes the gateway pay with this key, whatever callers send (pool
// mode). The name is for people. Without any key the gateway is in
// pass-through mode: each caller pays with its own. Several keys make a pool:
// each conversation keeps to one as long as no other would serve it much
// sooner. Keys of one organization share its quota and add nothing.
func WithAPIKey(name, secret string) Option {
	return WithAPIKeys(APIKey{Name: name, Secret: secret})
}

// WithAPIKeys adds keys to the pool, see [WithAPIKey].
func WithAPIKeys(list ...APIKey) Option {
	return func(s *settings) error {
		pool, err := newKeys(list)
		s.keys = append(s.keys, pool...)
		return err
	}
}

// APIKey is a key of the pool.
type APIKey struct {
	Name     string // for people
	Secret   string
	Upstream string // address of the API that takes it, such as a relay; "": the gateway's
}

// newKeys reports the faults of all keys at once.
func newKeys(list []APIKey) ([]call.Key, error) {
	var errs []error
	pool := make([]call.Key, len(list))
	for i, k := range list {
		key, err := newKey(k)
		pool[i], errs = key, append(errs, err)
	}
	return pool, errors.Join(errs...)
}

func newKey(k APIKey) (call.Key, error) {
	if k.Secret == "" {
		return call.Key{}, fmt.Errorf("key %q is empty: give an API key, which begins with sk-ant-api", k.Name)
	}
	if classify.IsOAuth(k.Secret) {
		return call.Key{}, fmt.Errorf("key %q is a consumer-subscription token, which other products may not use: create an API key in the Console", k.Name)
	}
	if k.Upstream != "" {
		if _, err := upstream.Parse(k.Upstream); err != nil {
			return call.Key{}, fmt.Errorf("key %q: %w", k.Name, err)
		}
	}
	key := call.Key{Name: k.Name, Secret: call.NewSecret(k.Secret), Upstream: k.Upstream}
	key.Print = classify.Fingerprint(key.Secret)
	return key, nil
}

// SetAPIKeys replaces the keys of the pool, without losing a call: those under
// way end with the key they have, those that wait are paid by the new ones. It
// changes nothing if a key is not valid, or if it would leave pool mode or
// enter it.
func (g *Gateway) SetAPIKeys(list []APIKey) error {
	pool, err := newKeys(list)
	if (len(list) > 0) != g.pooled {
		err = errors.Join(err, errors.New("whether the gateway pays with keys of its own cannot change while it runs: restart it"))
	}
	if err != nil {
		return err
	}
	g.keys.Replace(pool)
	return nil
}

// WithMemory keeps in a file what accounts cannot pay, and until when, so that
// a restarted gateway knows it. [Gateway.Run] writes the file; it holds no
// secrets. A file that is not there yet is none of the faults.
func WithMemory(file string) Option {
	return func(s *settings) error {
		s.memory = file
		return nil
	}
}

// WithLogger logs one line per call to l. The default logs nothing.
func WithLogger(l *slog.Logger) Option {
	return func(s *settings) error {
		s.log = l
		return nil
	}
}

// WithHTTPTransport sends calls through rt instead of a transport of the
// gateway's own. It must not add or undo compression.
func WithHTTPTransport(rt http.RoundTripper) Option {
	return func(s *settings) error {
		s.transport = rt
		return nil
	}
}

// WithObserver tells o of every finished call. It must not block. It may be
// given several times.
func WithObserver(o call.Observer) Option {
	return func(s *settings) error {
		s.observers = append(s.observers, o)
		return nil
	}
}

// WithMaxWait bounds the wait of callers that name no deadline of their own.
// The default is 10 minutes.
func WithMaxWait(d time.Duration) Option {
	return func(s *settings) error {
		if d <= 0 {
			return fmt.Errorf("the longest wait must be positive, not %v", d)
		}
		s.classify.MaxWait = d
		return nil
	}
}

// Patience is how long the API may send nothing at all before a call counts as
// failed; see [WithPatience].
type Patience = upstream.Patience

// WithPatience says when an API that has fallen silent is given up. Before the
// first content of an answer the call is sent again, and after it the client
// gets an error event. Fields that are 0 leave a default.
func WithPatience(p Patience) Option {
	return func(s *settings) error {
		if min(p.Begin, p.Silence, p.Whole) < 0 {
			return fmt.Errorf("patience must not be negative: %+v", p)
		}
		s.patience = p
		return nil
	}
}

// WithHedge sends a stream that has no content after so long a second time,
// paid by another key, and takes the answer that comes first. The other one's
// input is paid for as well, so that it happens to one call in a hundred at
// most. 0 never does it, the default.
func WithHedge(after time.Duration) Option {
	return func(s *settings) error {
		if after < 0 {
			return fmt.Errorf("a call cannot be hedged after %v", after)
		}
		s.hedgeAfter = after
		return nil
	}
}

// WithFallback names, for a model, the models that may answer in its place, in
// order, while it is overloaded or its upstream fails. Answers say so in the
// header weir-degraded; callers opt out by weir-degrade: off.
func WithFallback(model string, instead ...string) Option {
	return func(s *settings) error {
		if model == "" || len(instead) == 0 || slices.Contains(instead, "") || slices.Contains(instead, model) {
			return fmt.Errorf("fallback of model %q: name the models to take in its place, not %q", model, instead)
		}
		if s.fallback == nil {
			s.fallback = map[string][]string{}
		}
		s.fallback[model] = instead
		return nil
	}
}

// WithQueueBound bounds how many calls may wait at once, and their bodies'
// bytes together. 0 leaves a default: 100,000 calls, 1 GiB.
func WithQueueBound(calls, bytes int64) Option {
	return func(s *settings) error {
		if calls < 0 || bytes < 0 {
			return fmt.Errorf("queue bounds must not be negative: %d calls, %d bytes", calls, bytes)
		}
		s.queue.MaxWaiting, s.queue.MaxBytes = calls, bytes
		return nil
	}
}

// WithTenantWeight gives a tenant another share than the others, which weigh 1
// each: one of weight 2 gets twice as much while both want more.
func WithTenantWeight(name string, weight float64) Option {
	return func(s *settings) error {
		if !(weight > 0) {
			return fmt.Errorf("tenant %q: weight %v is not above 0", name, weight)
		}
		if s.queue.Weights == nil {
			s.queue.Weights = map[string]float64{}
		}
		s.queue.Weights[name] = weight
		return nil
	}
}

// WithConcurrencyBounds bounds the calls that one tenant, and one session of
// Claude Code, may have under way at once. 0 means no bound, the default.
func WithConcurrencyBounds(perTenant, perSession int) Option {
	return func(s *settings) error {
		if perTenant < 0 || perSession < 0 {
			return fmt.Errorf("bounds must not be negative: %d per tenant, %d per session", perTenant, perSession)
		}
		s.queue.Fair.MaxPerTenant, s.queue.Fair.MaxPerSession = perTenant, perSession
		return nil
	}
}
