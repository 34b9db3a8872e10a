package main

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-gateway/weir/internal/config"
	"github.com/weir-gateway/weir/internal/dash"
	"github.com/weir-gateway/weir/internal/ledger"
	"github.com/weir-gateway/weir/internal/notify"
	"github.com/weir-gateway/weir/internal/sentinel"
	"github.com/weir-gateway/weir/weir"
)

// service is everything that weir serve runs.
type service struct {
	// Static after openSimulator.
	env     env
	flags   serveFlags
	config  config.Config // at the start; the simulator, if it is the upstream, by its address
	log     *slog.Logger
	closing chan struct{} // closed when the servers begin to end

	shown atomic.Pointer[config.Explained] // the configuration in effect, which reloads change

	// Made by build.
	notifier *notify.Notifier
	ledger   *ledger.Ledger
	checks   *reconciler
	gateway  *weir.Gateway
	rules    *rulebook

	// Made by openPlanes.
	calls   underWay
	servers []*server
	page    *dash.Admin // nil: there is no admin plane

	stops []func() // of what has been made and started, in that order
}

// stop ends everything, the latest first.
func (s *service) stop() {
	for _, stop := range slices.Backward(s.stops) {
		stop()
	}
}

func (s *service) atEnd(stop func()) { s.stops = append(s.stops, stop) }

// build makes the gateway and what hangs on it, and brings the rules into
// force.
func (s *service) build(ctx context.Context) error {
	guard, err := sentinel.NewProtection(sentinel.Rules{})
	if err != nil {
		return err
	}
	s.atEnd(guard.Close)
	if s.notifier, err = newNotifier(s.config, s.env, s.log); err != nil {
		return err
	}
	opts, stopTraces, err := traces(ctx, s.env, s.log)
	if err != nil {
		return err
	}
	s.atEnd(stopTraces)
	book, closeLedger, err := openLedger(s.config, s.env, s.log)
	if err != nil {
		return err
	}
	s.ledger = book
	s.atEnd(closeLedger)
	if s.checks, err = newReconciler(s.config, s.env, book.Reader(), s.log); err != nil {
		return err
	}
	opts = append(opts, weir.WithProtection(guard), weir.WithNotifier(s.notifier), weir.WithLedger(books{book, s.checks}))
	if s.config.Data != "" {
		opts = append(opts, weir.WithBatches(batchesOf(s.config, book)))
	}
	if why := notCollected(s.config); why != "" {
		s.log.Warn("queue.batches.collect is off", "cause", why)
	}
	leases, err := s.openLeases()
	if err != nil {
		return err
	}
	opts = append(opts, leases...)
	if s.gateway, err = newGateway(s.config, s.env, s.log, opts...); err != nil {
		return err
	}
	s.atEnd(func() { s.gateway.Close() })
	s.rules = &rulebook{gateway: s.gateway, guard: guard}
	return s.rules.open(ctx, s.config, s.env, s.log)
}

// openPlanes listens, and makes the servers.
func (s *service) openPlanes(context.Context) error {
	data, err := listen(s.config.Listen)
	if err != nil {
		return err
	}
	s.atEnd(func() { data.Close() })
	s.servers = []*server{{name: "data plane", http: dataServer(s.calls.watch(s.gateway.Handler())), listener: data, tls: s.config.TLS}}
	if s.config.Admin == config.Off {
		return nil
	}
	source, err := adminSource(s.config, s.env, s.gateway)
	if err != nil {
		return err
	}
	source.Config = s.configuration
	source.Closing, source.Warning, source.Money, source.Usage = s.closing, warnings(s.rules.warning, s.ledger.Warning), moneyOf(s.ledger, s.gateway), usageOf(s.ledger)
	s.page = dash.New(source)
	admin, err := adminServerOf(s.config, s.page)
	if err != nil {
		return err
	}
	s.atEnd(func() { admin.listener.Close() })
	s.servers = append(s.servers, admin)
	return nil
}

// start starts what runs in the background. It goes on until stop, for calls
// that drain are to be booked as well.
func (s *service) start(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	reload := &reloader{
		env: s.env, flags: s.flags, gateway: s.gateway, rules: s.rules, notifier: s.notifier, log: s.log, shown: &s.shown,
	}
	tasks := []func(context.Context) error{s.ledger.Run, s.notifier.Run, s.gateway.Run, s.rules.run, s.checks.run, reload.watch().run}
	if s.page != nil {
		tasks = append(tasks, s.page.Run)
	}
	for _, run := range tasks {
		s.atEnd(beside(ctx, run))
	}
	s.atEnd(s.calls.wait) // those that were cut off are booked too
	return nil
}

// configuration is what /api/v1/config shows.
func (s *service) configuration() any {
	x := s.shown.Load()
	view, err := x.Config.View()
	if err != nil {
		return map[string]string{"error": err.Error()}
	}
	view["origins"] = x.Origins
	return view
}

// underWay knows whether calls are under way: each holds its lock for reading.
type underWay struct{ sync.RWMutex }

// watch returns h, with its calls watched.
func (u *underWay) watch(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		u.RLock()
		defer u.RUnlock()
		h.ServeHTTP(w, req)
	})
}

// cutOff is how long calls whose connections have been closed may take to end.
const cutOff = 5 * time.Second

// wait waits until no call is under way, or for as long as that may take.
func (u *underWay) wait() {
	done := make(chan struct{})
	go func() {
		u.Lock()
		defer u.Unlock()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(cutOff):
	}
}

// beside runs f in the background. The function that it returns ends f and
// waits for it.
func beside(ctx context.Context, f func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = f(ctx) // it ends with ctx, which is no failure
	}()
	return func() {
		cancel()
		<-done
	}
}
