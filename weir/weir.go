// Package weir is a quota-aware gateway for the Anthropic (Claude) API. It
// holds each request until an exact model of the account's rate limits says
// that it will be served, so that programs behind it see no HTTP 429.
//
// There are two doors to the same house. [Gateway.Handler] is an
// [http.Handler] for programs that set ANTHROPIC_BASE_URL, in any language;
// [Gateway.Transport] is an [http.RoundTripper] for Go programs that embed
// Weir:
//
//	g, err := weir.New(weir.WithAPIKey("main", os.Getenv("ANTHROPIC_API_KEY")))
//	...
//	defer g.Close()
//	client := anthropic.NewClient(
//		option.WithHTTPClient(&http.Client{Transport: g.Transport()}),
//		option.WithMaxRetries(0), // Weir retries; retries multiply
//	)
//
// This package is the only place that wires the rooms together; the order in
// which a call walks through them is internal/flow.
package weir

import (
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/account"
	"github.com/weir-gateway/weir/internal/admit"
	"github.com/weir-gateway/weir/internal/batch"
	"github.com/weir-gateway/weir/internal/budget"
	"github.com/weir-gateway/weir/internal/cache"
	"github.com/weir-gateway/weir/internal/classify"
	"github.com/weir-gateway/weir/internal/estimate"
	"github.com/weir-gateway/weir/internal/flow"
	"github.com/weir-gateway/weir/internal/keys"
	"github.com/weir-gateway/weir/internal/ladder"
	"github.com/weir-gateway/weir/internal/limits"
	"github.com/weir-gateway/weir/internal/quota"
	"github.com/weir-gateway/weir/internal/shape"
	"github.com/weir-gateway/weir/internal/split"
	"github.com/weir-gateway/weir/internal/upstream"
)

// Gateway is one house with its two doors. Create it with [New]; it is safe
// for concurrent use.
type Gateway struct {
	log       *slog.Logger
	corridor  *flow.Corridor
	classify  *classify.Room
	admission *admit.Room
	keys      *keys.Room
	memory    string // file of the accounts' states; "": none
	verbose   bool   // the header weir-explain
	pooled    bool   // whether the gateway pays with keys of its own
	metrics   *metrics
	priced    *priced
	ledger    call.Ledger // nil: none
	recent    *recent
	guard     *guard         // nil: none
	protector call.Protector // nil: none
	pollers   []poller
	warner    warner
	prompt    promptTally
	maxTokens shape.MaxTokens
	ladder    *ladder.Room
	splitter  *split.Room
	cache     *cache.Room      // nil: none
	collector *batch.Collector // nil: none
	batches   *batch.Store     // nil: none
	transport *http.Transport  // ours to close; nil if the user brought one
	money     *budget.Room
	draining  atomic.Bool
}

// New builds a gateway. It starts nothing and contacts nobody but the store of
// its budgets.
func New(opts ...Option) (*Gateway, error) {
	s, err := collect(opts)
	if err != nil {
		return nil, err
	}
	g := &Gateway{log: s.log, recent: newRecent(keptEvents), verbose: s.verbose, protector: s.protector, ledger: s.ledger}
	if s.transport == nil {
		g.transport = upstream.NewTransport()
		s.transport = g.transport
	}
	sender, err := upstream.New(s.upstream, s.transport)
	if err != nil {
		return nil, err
	}
	if err := g.newPollers(s); err != nil {
		return nil, err
	}
	g.admission = admit.New(s.queue, quota.BuiltinGroups())
	g.keys, g.pooled = keys.New(s.keys), len(s.keys) > 0
	g.recall(s.memory)
	if g.guard, err = newGuard(s.breaker, s.upstream); err != nil {
		return nil, err
	}
	outlook := call.Outlook{Wait: g.admission.Expect}
	if g.guard != nil {
		outlook.Shut = g.guard.Shut
	}
	if err := g.openBudgets(s); err != nil {
		return nil, err
	}
	if err := g.newCache(s.cache, s.log); err != nil {
		return nil, err
	}
	g.metrics = newMetrics(g)
	g.warner.open(s)
	g.maxTokens.Configure(s.maxTokens)
	g.ladder = ladder.New(ladder.Config{Signals: (&signals{g: g}).of, PerAccount: !g.pooled}, s.ladder)
	g.keepOld(s.ladder)
	g.corridor = g.newCorridor(s, sender, outlook)
	if err := g.openBatches(s, g.priced); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

// newCorridor wires the rooms together.
func (g *Gateway) newCorridor(s *settings, sender *upstream.Room, outlook call.Outlook) *flow.Corridor {
	all := append(observers{g.metrics, g.recent, &g.prompt}, s.observers...)
	if g.cache != nil {
		all = append(all, g.cache)
	}
	g.priced = newPriced(s.prices, s.log, all)
	estimator := estimate.New()
	learn, marks := s.steps(estimator.Learn)
	g.classify = classify.New(s.classify)
	steps := append([]shape.Step{&shape.Rungs{Reread: g.classify.Reread}}, marks...)
	f := &flow.Corridor{
		Classify: g.classify,
		Estimate: estimator,
		Keys:     g.keys,
		Admit:    g.admission,
		Outlook:  outlook,
		Upstream: sender.With(s.patience),
		Limits:   limits.Read,
		Account:  account.New(g.priced, learn, interrupted),
		Shape:    shape.New(s.fallback, append(steps, &g.maxTokens, shape.Gather{Above: s.streamAbove})...),
		Retries:  flow.NewRetryBudget(),
		Money:    g.money,
		Ladder:   g.ladder,
	}
	g.splitter = g.newSplitter(s.split, estimator)
	f.Split = g.splitter
	if g.cache != nil {
		f.Cache = g.cache
	}
	f.NoRetry = s.noRetry
	if s.hedgeAfter > 0 {
		f.Hedge = flow.NewHedge(s.hedgeAfter)
	}
	if g.protector != nil {
		f.Protect = g.protector
	}
	if g.guard != nil {
		f.Breaker = g.guard
	}
	if s.countAbove > 0 {
		k := &counter{keys: g.keys, outlook: outlook, upstream: sender}
		f.Estimate = estimate.NewExact(estimator, s.countAbove, k.count)
	}
	return f
}

// Close gives back idle connections and what is left of the budgets' leases, and
// closes the cache's stores. Calls under way go on.
func (g *Gateway) Close() error {
	g.closeBudgets()
	if g.transport != nil {
		g.transport.CloseIdleConnections()
	}
	var errs []error
	if g.cache != nil {
		errs = append(errs, g.cache.Close())
	}
	if g.batches != nil {
		errs = append(errs, g.batches.Close())
	}
	return errors.Join(errs...)
}

// Drain makes the gateway refuse new calls, so that those under way can end
// before it is shut down. [Gateway.Ready] fails from then on.
func (g *Gateway) Drain() {
	g.draining.Store(true)
	if g.collector != nil {
		g.collector.Drain()
	}
}

// Quota is the present belief about every bucket, and the state of the keys.
func (g *Gateway) Quota() call.QuotaReport {
	now := time.Now()
	r := call.QuotaReport{At: now, Buckets: g.admission.Quota(now), Keys: g.keys.Report(now)}
	r.State = state(r)
	return r
}

// Shares of a bucket below which its account counts as tight and exhausted.
const (
	tightBelow     = 0.20
	exhaustedBelow = 0.05
)

// state sums a report up in one word, by its worst part.
func state(r call.QuotaReport) string {
	for _, k := range r.Keys {
		if k.State == "blocked" {
			return "blocked"
		}
	}
	left := 1.0
	for _, b := range r.Buckets {
		left = min(left, float64(b.Remaining)/float64(b.Limit))
	}
	switch {
	case left < exhaustedBelow:
		return "exhausted"
	case left < tightBelow:
		return "tight"
	}
	return "ok"
}

// Queue is who waits in front of what.
func (g *Gateway) Queue() call.QueueReport { return g.admission.Queue(time.Now()) }

// Recent returns the latest finished calls, the newest first.
func (g *Gateway) Recent() []call.Event { return g.recent.list(recentEvents) }

// Waiting returns the place and time of a call that waits.
func (g *Gateway) Waiting(id string) (call.WaiterReport, bool) {
	return g.admission.Waiting(time.Now(), id)
}

// Request returns what became of one of the latest finished calls, with the
// story of its waits and attempts. The id is that of the header
// weir-request-id.
func (g *Gateway) Request(id string) (call.Event, bool) { return g.recent.find(id) }

// Metrics serves the gateway's metrics in the Prometheus format.
func (g *Gateway) Metrics() http.Handler { return g.metrics.handler() }

// Ready reports whether the gateway takes calls: nil, or why not.
func (g *Gateway) Ready() error {
	if g.draining.Load() {
		return errDraining
	}
	return nil
}
