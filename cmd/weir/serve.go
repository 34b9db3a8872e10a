package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/config"
	"github.com/weir-gateway/weir/internal/sentinel"
	"github.com/weir-gateway/weir/weir"
)

// serveFlags override the file and the environment where they are given.
type serveFlags struct {
	file, profile, listen, admin, upstream, data string
	set                                          []string
	drain                                        time.Duration
	verbose                                      bool
}

func serveCommand(e env) *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the gateway",
		Long: "Run the gateway. Point your programs at it with ANTHROPIC_BASE_URL.\n" +
			"With ANTHROPIC_API_KEY (or keys in the configuration) it pays with its own key;\n" +
			"otherwise each caller's key is passed through.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), e, f) },
	}
	flags := cmd.Flags()
	f.add(cmd)
	flags.DurationVar(&f.drain, "drain", 30*time.Second, "how long calls under way may go on after a stop")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "log every call")
	return cmd
}

// add adds the flags that say what the configuration is.
func (f *serveFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.file, "config", "", "configuration file (YAML)")
	flags.StringVar(&f.profile, "profile", "", "defaults under the file: development, staging or production")
	flags.StringVar(&f.listen, "listen", "", "address of the data plane (default 127.0.0.1:8787)")
	flags.StringVar(&f.admin, "admin", "", "address of the dashboard and admin API, or off (default 127.0.0.1:8788)")
	flags.StringVar(&f.upstream, "upstream", "", "address of the API, or sim for the simulator (default https://api.anthropic.com)")
	flags.StringArrayVar(&f.set, "set", nil, "any other value of the configuration, such as queue.at_once=5; may be repeated")
	flags.StringVar(&f.data, "data", "", "folder for what outlives a restart (default: nothing does)")
}

// effective is the configuration in effect: profile, file, environment, then
// flags.
func effective(e env, f serveFlags) (config.Explained, error) {
	x, err := f.sources(e).Explain()
	if err != nil {
		return x, blameFlags(err, f.profile)
	}
	x.Config.LocalTokens = hasTokens(x.Config)
	return x, x.Config.Check()
}

// sources are where the configuration comes from.
func (f serveFlags) sources(e env) config.Sources {
	return config.Sources{File: f.file, Profile: f.profile, Set: f.set, Getenv: e.getenv, Flags: func(c *config.Config) {
		c.Listen = cmp.Or(f.listen, c.Listen)
		c.Admin = cmp.Or(f.admin, c.Admin)
		c.Upstream = cmp.Or(f.upstream, c.Upstream)
		c.Data = cmp.Or(f.data, c.Data)
	}}
}

// blameFlags tells mistakes in the flags that name a configuration from those
// in the configuration itself.
func blameFlags(err error, profile string) error {
	if errors.Is(err, fs.ErrNotExist) {
		return hinted{err, "give --config the file's right name"}
	}
	faults, listed := errors.AsType[*config.Faults](err)
	if _, unknown := config.ProfileText(profile); listed && (faults.File == "--set" || profile != "" && unknown != nil) {
		return usageError{err}
	}
	return err
}

func (f serveFlags) logger(c config.Config, e env) *slog.Logger {
	level := slog.LevelWarn
	if f.verbose || c.LogCalls {
		level = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: level}))
}

// serve runs the gateway until ctx is done, and then lets it drain.
func serve(ctx context.Context, e env, f serveFlags) error {
	x, err := effective(e, f)
	if err != nil {
		return err
	}
	c := x.Config
	if missing := c.Unresolved(e.getenv); missing != nil {
		return &config.Faults{File: "configuration", Faults: missing}
	}
	s := &service{env: e, flags: f, config: c, log: f.logger(c, e), closing: make(chan struct{})}
	s.shown.Store(&x)
	defer s.stop()
	for _, part := range []func(context.Context) error{s.openSimulator, s.build, s.openPlanes, s.start} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	for _, each := range s.servers {
		fmt.Fprintf(e.stderr, "weir: %s %s\n", each.name, each.url())
	}
	for _, w := range c.Warnings() {
		fmt.Fprintf(e.stderr, "weir: warning: %s\n", w)
	}
	fmt.Fprintf(e.stderr, "weir: %s\n", summary(c))
	return runServers(ctx, s.servers, f.drain, func() {
		fmt.Fprintln(e.stderr, "weir: draining; a second signal stops at once")
		s.gateway.Drain()
		close(s.closing)
	})
}

// newGateway turns the configuration into a gateway.
func newGateway(c config.Config, e env, log *slog.Logger, more ...weir.Option) (*weir.Gateway, error) {
	opts := []weir.Option{
		weir.WithUpstream(c.Upstream), weir.WithLogger(log), weir.WithMaxWait(c.Queue.MaxWait.D()),
		weir.WithQueueBound(c.Queue.MaxWaiting, c.Queue.MaxBytes), weir.WithExactCounts(c.Queue.CountAbove),
		weir.WithBreaker(breakerOf(c)), weir.WithWarnings(warningsOf(c)), weir.WithHedge(c.Retry.HedgeAfter.D()),
		weir.WithMaxTokens(maxTokensOf(c)), weir.WithLadder(ladderOf(c)), weir.WithTenantModels(modelsOf(c)), weir.WithStreamAbove(c.Retry.StreamAbove),
		weir.WithPatience(weir.Patience{Begin: c.Retry.FirstToken.D(), Silence: c.Retry.Silence.D(), Whole: c.Retry.Whole.D()}),
	}
	opts = append(opts, weir.WithSplit(splitOf(c)), weir.WithBudgets(budgetsOf(c)...), weir.WithAtOnce(int(c.Queue.AtOnce)))
	if c.Retry.Off {
		opts = append(opts, weir.WithoutRetries())
	}
	if c.VerboseHeaders {
		opts = append(opts, weir.WithVerboseHeaders())
	}
	for model, chain := range c.Degrade.Fallback {
		opts = append(opts, weir.WithFallback(model, chain...))
	}
	if c.Data != "" {
		opts = append(opts, weir.WithMemory(filepath.Join(c.Data, "accounts.json")))
	}
	prices, priceErr := pricesOf(c)
	list, err := resolveKeys(c, e)
	cached, cacheErr := cacheOptions(c, e)
	errs := []error{err, priceErr, cacheErr}
	opts = append(append(opts, weir.WithPrices(prices), weir.WithAPIKeys(list...)), cached...)
	for _, k := range c.Keys {
		if k.AdminKey == "" {
			continue
		}
		admin, err := k.AdminKey.Resolve(e.getenv)
		if err != nil {
			errs = append(errs, fmt.Errorf("admin key of %s: %w", k.Name, err))
			continue
		}
		opts = append(opts, weir.WithAdminKey(weir.AdminKey{Secret: admin, APIKey: k.Name, Workspace: k.Workspace}))
	}
	clients, err := resolveClients(c, e)
	errs = append(errs, err)
	if clients != nil {
		opts = append(opts, weir.WithClients(clients...))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return weir.New(append(opts, more...)...)
}

func breakerOf(c config.Config) weir.Breaker {
	b := weir.Breaker{Off: c.Breaker.Off}
	if c.Breaker.Engine == config.EngineSentinel {
		b.Core = sentinel.Build
	}
	return b
}

func splitOf(c config.Config) weir.Split {
	merge, _ := call.ParseMerge(c.Split.Merge)
	return weir.Split{
		Merge: merge, Above: call.Tokens(c.Split.Above), Part: call.Tokens(c.Split.Part), Overlap: call.Tokens(c.Split.Overlap),
		Batch: c.Split.Class == "batch", Parallel: c.Split.Parallel, MaxParts: c.Split.MaxParts,
	}
}

func listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, hinted{err, "choose another address with --listen or --admin, or stop what uses this one"}
	}
	return l, nil
}
