package bench

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/weir-gateway/weir/internal/load"
	"github.com/weir-gateway/weir/internal/memnet"
	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// Result is how one side fared in one scenario.
type Result struct {
	Scenario Scenario
	Side     Side

	Report    load.Report // of the measured time, or of all of it if the scenario finishes
	Whole     load.Report // warm-up included
	Stats     sim.Stats   // of the measured time
	WarmUp    sim.Stats   // of the time before
	Left      int         // users who went away
	Stranded  int         // calls that still waited in the gateway when all was over
	Surprises int64       // upstream 429s of the whole run
}

// Deadline is how long the programs would have waited.
func (r Result) Deadline() time.Duration {
	d := 10 * time.Minute
	for _, p := range r.Scenario.Parts {
		if p.Timeout > 0 {
			d = min(d, p.Timeout)
		}
	}
	return d
}

// stage is the servers of one run and what its programs met.
type stage struct {
	scenario Scenario
	api      *sim.Server
	gateway  *weir.Gateway // nil without
	target   load.Target
	stops    []func() // the last is called first
	users    *load.Recorder
	leaving  *load.Recorder
}

// Run plays s from the given side until it is over.
func Run(ctx context.Context, s Scenario, side Side) (Result, error) {
	st := &stage{scenario: s, users: load.NewRecorder(0), leaving: load.NewRecorder(0)}
	defer st.close()
	if err := st.open(side); err != nil {
		return Result{}, err
	}
	return st.play(ctx, side)
}

// open starts the simulator and, for Weir, the gateway before it.
func (st *stage) open(side Side) error {
	api, err := sim.New(st.scenario.Sim)
	if err != nil {
		return err
	}
	st.api = api
	st.target = load.Target{URL: "http://api", Key: "sk-ant-api03-bench", Transport: st.serve(api)}
	if side != Weir {
		return nil
	}
	upstream := st.serve(api)
	upstream.DisableCompression = true
	st.gateway, err = weir.New(append([]weir.Option{
		weir.WithUpstream("http://api"), weir.WithHTTPTransport(upstream), weir.WithAPIKey("main", st.target.Key),
	}, st.scenario.Gateway...)...)
	if err != nil {
		return err
	}
	st.stops = append(st.stops, func() { _ = st.gateway.Close() }) // it fails only for stores, of which it has none
	st.target = load.Target{URL: "http://weir", Key: "any", Transport: st.serve(st.gateway.Handler())}
	return nil
}

// serve puts h on a network of its own and returns the way to it.
func (st *stage) serve(h http.Handler) *http.Transport {
	l := memnet.Listen()
	srv := &http.Server{Handler: h}
	var running sync.WaitGroup
	running.Go(func() { _ = srv.Serve(l) }) // it ends by Close alone
	transport := l.Transport()
	transport.MaxIdleConnsPerHost = 20_000
	st.stops = append(st.stops, func() {
		transport.CloseIdleConnections()
		_ = srv.Close() // in memory nothing can go wrong
		running.Wait()
	})
	return transport
}

func (st *stage) close() {
	for i := len(st.stops) - 1; i >= 0; i-- {
		st.stops[i]()
	}
}

// play runs the programs and measures.
func (st *stage) play(ctx context.Context, side Side) (Result, error) {
	s, began := st.scenario, time.Now()
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	wait := st.offer(running, side)

	time.Sleep(s.WarmUp)
	r := Result{Scenario: s, Side: side, WarmUp: st.api.Stats()}
	st.api.ResetStats()
	from := time.Now()
	time.Sleep(s.Span)
	r.Stats = st.api.Stats()
	to := time.Now()
	if !s.Finish {
		cancel()
	}
	err := wait()
	end := time.Now().Add(time.Nanosecond)
	r.Surprises = r.WarmUp.Status[http.StatusTooManyRequests] + st.api.Stats().Status[http.StatusTooManyRequests]
	if s.Finish {
		from, to = began, end
	}
	r.Report = st.users.Report(from, to, s.Bars.Weights)
	r.Whole = st.users.Report(began, end, s.Bars.Weights)
	r.Left = st.leaving.Report(began, end, nil).Left
	if st.gateway != nil {
		time.Sleep(time.Second) // until the servers have noticed who is gone
		for _, lane := range st.gateway.Queue().Lanes {
			r.Stranded += lane.Waiting + lane.InFlight
		}
	}
	return r, err
}

// offer lets the programs loose. The function that it returns waits for the
// last to end.
func (st *stage) offer(ctx context.Context, side Side) (wait func() error) {
	errs := make([]error, len(st.scenario.Parts))
	var programs sync.WaitGroup
	for i, p := range st.scenario.Parts {
		w, out := p.Workload, st.users
		w.Client = side.policy()
		if p.Leaves {
			out = st.leaving
		}
		programs.Go(func() { errs[i] = load.Run(ctx, st.target, w, out) })
	}
	return func() error {
		programs.Wait()
		if ctx.Err() != nil {
			return nil // the end of the measured time is no error
		}
		return errors.Join(errs...)
	}
}
