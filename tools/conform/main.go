// Command conform runs the conformance suites: the official clients,
// unmodified, through a real weir serve process in front of a real weir sim
// process, all on loopback and on ports that are free.
//
//	conform -root DIR -bin weir [-direct] [-suites go-v1,python] [-update]
//
// A third process, refusals (by default beside weir), has a gateway for every
// way in which Weir refuses. What all clients make of them is compared with
// docs/refusals.md, or written to it with -update.
//
// The suites run at the same time, so that the requests that each of them has
// held for 100 s cost 100 s once. With -direct they talk to the simulator
// itself and skip what only a gateway can do.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/weir-gateway/weir/tools/internal/result"
)

// allSuites are those of a whole run.
const allSuites = "go-v1,go-v2,typescript,python,claude-code"

// settings are what the flags say.
type settings struct {
	root     string // of the repository
	bin      string // the weir binary
	refusals string // the binary of conformance/refusals/serve
	results  string // where counts and logs go
	suites   []string
	direct   bool
	update   bool // write docs/refusals.md
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var s settings
	flag.StringVar(&s.root, "root", ".", "the repository")
	flag.StringVar(&s.bin, "bin", "", "the weir binary")
	flag.BoolVar(&s.direct, "direct", false, "test the simulator alone, without the gateway")
	flag.StringVar(&s.refusals, "refusals", "", "the refusals binary (default: beside weir)")
	flag.BoolVar(&s.update, "update", false, "write docs/refusals.md instead of comparing with it")
	names := flag.String("suites", allSuites, "which suites to run")
	flag.Parse()
	s.refusals = cmp.Or(s.refusals, filepath.Join(filepath.Dir(s.bin), "refusals"))
	s.suites = strings.Split(*names, ",")
	if err := run(ctx, s, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "conform: error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings, out io.Writer) (err error) {
	if s.root, err = filepath.Abs(s.root); err != nil {
		return err
	}
	if s.bin, err = filepath.Abs(s.bin); err != nil {
		return err
	}
	s.results = filepath.Join(s.root, ".cache", "results")
	logs := filepath.Join(s.results, "logs")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return err
	}
	both, err := s.start(ctx, logs)
	defer both.stop()
	if err != nil {
		return err
	}
	err = errors.Join(s.runSuites(ctx, out, logs, both.env), s.checkLimited(ctx, both.upstream))
	if !s.direct && strings.Join(s.suites, ",") == allSuites {
		err = errors.Join(err, s.checkDocument(ctx, out, both.refusals, err == nil))
	}
	return err
}

// checkLimited checks with the simulator that no request of any suite met a 429
// of a quota: the gateway holds them back before.
func (s settings) checkLimited(ctx context.Context, upstream string) error {
	if s.direct || len(s.suites) == 0 {
		return nil
	}
	var stats struct{ Limited map[string]int }
	if err := getJSON(ctx, upstream+"/sim/stats", &stats); err != nil {
		return err
	}
	c := result.Count{Passed: 1}
	var err error
	if len(stats.Limited) > 0 {
		c = result.Count{Failed: 1}
		err = fmt.Errorf("requests met a 429 upstream, by limiter: %v", stats.Limited)
	}
	return errors.Join(err, result.Save(s.results, "conformance-upstream", c))
}

// servers are the processes that the suites talk to.
type servers struct {
	started  []*server
	upstream string   // the simulator's address
	refusals string   // that of the houses that refuse
	env      []string // tells the suites where both are
}

func (p *servers) stop() {
	for _, srv := range slices.Backward(p.started) {
		srv.stop()
	}
}

// start starts the simulator and the gateway, on ports that are free. What it
// has started is there to be stopped even if there is an error.
func (s settings) start(ctx context.Context, logs string) (*servers, error) {
	p := &servers{}
	launch := func(name, bin string, ready func(*server) string, args ...string) (*server, error) {
		srv, err := startServer(ctx, filepath.Join(logs, name+".log"), bin, args...)
		if err != nil {
			return nil, err
		}
		p.started = append(p.started, srv)
		if err := srv.waitReady(ctx, ready); err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", name, err, srv.log())
		}
		return srv, nil
	}
	sim, err := launch("sim", s.bin, func(s *server) string { return s.address(0) + "/sim/stats" },
		"sim", "--listen", "127.0.0.1:0", "--scenario", filepath.Join(s.root, "conformance", "scenario.yaml"))
	if err != nil {
		return p, err
	}
	p.upstream = sim.address(0)
	if s.direct {
		p.env = []string{"SIM_URL=" + p.upstream, "WEIR_URL=" + p.upstream, "WEIR_DIRECT=1"}
		return p, nil
	}
	serve, err := launch("serve", s.bin, func(s *server) string { return s.address(1) + "/healthz" },
		"serve", "--listen", "127.0.0.1:0", "--admin", "localhost:0", "--upstream", p.upstream)
	if err != nil {
		return p, err
	}
	refusals, err := launch("refusals", s.refusals, func(s *server) string { return s.address(0) + "/cases" })
	if err != nil {
		return p, err
	}
	p.refusals = refusals.address(0)
	p.env = []string{"SIM_URL=" + p.upstream, "WEIR_URL=" + serve.address(0), "REFUSALS_URL=" + p.refusals}
	return p, nil
}

// runSuites runs the chosen suites at the same time, keeps their counts and
// prints a summary.
func (s settings) runSuites(ctx context.Context, out io.Writer, logs string, env []string) error {
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex // guards out and errs
		errs   []error
		known  = suites(s.root)
		report = func(name string, took time.Duration, c result.Count, text string, err error) {
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, fmt.Errorf("suite %s: %w", name, err))
				fmt.Fprintf(out, "--- %s\n%s\n", name, text)
			}
			fmt.Fprintf(out, "conformance %-12s %3d passed %3d failed %3d skipped %6.1fs\n",
				name, c.Passed, c.Failed, c.Skipped, took.Seconds())
		}
	)
	for _, name := range s.suites {
		if _, ok := known[name]; !ok {
			return fmt.Errorf("there is no suite %q", name)
		}
		if err := known[name].ready(ctx); err != nil {
			return err
		}
	}
	for _, name := range s.suites {
		suite := known[name]
		wg.Go(func() {
			began := time.Now()
			c, text, err := suite.run(ctx, filepath.Join(logs, name), append(env, "WEIR_SUITE="+name))
			err = errors.Join(err, result.Save(s.results, "conformance-"+name, c))
			report(name, time.Since(began), c, text, err)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
