package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/weir-gateway/weir/internal/dash"
	"github.com/weir-gateway/weir/internal/load"
	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// network is where the demo's servers listen: the loopback device, or memory
// in a test.
type network interface {
	// listen prefers the given address and takes any free one otherwise. The
	// transport leads to the listener.
	listen(addr string) (net.Listener, *http.Transport, error)
	// reach returns what the gateway needs to send through the transport.
	reach(t http.RoundTripper) []weir.Option
}

// loopback is the real network, as far as this machine.
type loopback struct{}

func (loopback) listen(addr string) (net.Listener, *http.Transport, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	return l, &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true}, err
}

// reach is empty: the gateway's own transport is part of what is shown.
func (loopback) reach(http.RoundTripper) []weir.Option { return nil }

// side is one half of the demo: a simulator, and the agents that end up there.
type side struct {
	sim    *sim.Server
	target load.Target
	rec    *load.Recorder

	window window // Owned by the goroutine that runs the demo.
}

// demo is both sides and the servers in front of them.
type demo struct {
	network network
	servers []*http.Server
	closing chan struct{}
	stop    context.CancelFunc // of the gateway; nil before it runs
	gateway *weir.Gateway
	running sync.WaitGroup // agents and servers
	agents  sync.WaitGroup

	weir      side
	direct    side
	address   string // of the gateway
	dashboard string
	began     time.Time
}

// openDemo starts all servers of the demo. Whoever gets a demo must close it.
func openDemo(n network) (*demo, error) {
	d := &demo{network: n, closing: make(chan struct{}), began: time.Now()}
	if err := d.open(); err != nil {
		d.close()
		return nil, fmt.Errorf("start the demo: %w", err)
	}
	return d, nil
}

func (d *demo) open() error {
	for _, s := range d.sides() {
		if err := d.simulate(s); err != nil {
			return err
		}
	}
	upstream := d.weir.target
	opts := append(d.network.reach(upstream.Transport), weir.WithUpstream(upstream.URL), weir.WithAPIKey("demo", demoKey))
	g, err := weir.New(opts...)
	if err != nil {
		return err
	}
	d.gateway = g
	ctx, cancel := context.WithCancel(context.Background())
	d.stop = cancel
	d.running.Go(func() { _ = g.Run(ctx) }) // it ends with ctx
	if d.weir.target, err = d.serve("127.0.0.1:8787", g.Handler()); err != nil {
		return err
	}
	d.address = d.weir.target.URL
	source := sourceOf(g)
	source.Config = func() any { return demoConfig(d.address, upstream.URL) }
	source.Closing = d.closing
	page := dash.New(source)
	d.running.Go(func() { _ = page.Run(ctx) }) // it ends with ctx, which is no failure
	admin, err := d.serve("127.0.0.1:8788", page)
	d.dashboard = admin.URL
	return err
}

// demoConfig is what the admin plane shows as the configuration.
func demoConfig(listen, upstream string) any {
	return map[string]any{
		"listen": listen, "upstream": upstream, "limits": demoLimits(),
		"keys": []map[string]string{{"name": "demo", "key": "[secret]"}},
	}
}

// sides returns both, to treat them alike.
func (d *demo) sides() []*side { return []*side{&d.weir, &d.direct} }

// simulate starts the simulator of one side.
func (d *demo) simulate(s *side) error {
	fill := demoFill
	srv, err := sim.New(sim.Config{
		Limits:    demoLimits(),
		Seed:      demoSeed,
		StartFill: &fill,
		Timing:    sim.Timing{TTFT: 300 * time.Millisecond, TokensPerSecond: 120},
	})
	if err != nil {
		return err
	}
	s.sim = srv
	s.rec = load.NewRecorder(0)
	s.target, err = d.serve("127.0.0.1:0", srv)
	return err
}

// serve puts h on the network and returns the way to it.
func (d *demo) serve(addr string, h http.Handler) (load.Target, error) {
	l, transport, err := d.network.listen(addr)
	if err != nil {
		return load.Target{}, err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	d.servers = append(d.servers, srv)
	d.running.Go(func() { srv.Serve(l) })
	return load.Target{URL: "http://" + l.Addr().String(), Key: demoKey, Transport: transport}, nil
}

// offer lets the agents of both sides loose until ctx ends.
func (d *demo) offer(ctx context.Context, w load.Workload) {
	for _, s := range d.sides() {
		// The demo's own workload is valid, and the end of ctx is its end.
		d.agents.Go(func() { _ = load.Run(ctx, s.target, w, s.rec) })
	}
}

// wait returns when the last agent has gone.
func (d *demo) wait() { d.agents.Wait() }

// close stops the servers, the last started first, and waits for them.
func (d *demo) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	close(d.closing)
	var errs []error
	for i := len(d.servers) - 1; i >= 0; i-- {
		if err := d.servers[i].Shutdown(ctx); err != nil {
			errs = append(errs, d.servers[i].Close())
		}
	}
	if d.gateway != nil {
		d.stop()
		errs = append(errs, d.gateway.Close())
	}
	for _, s := range d.sides() {
		if t, ok := s.target.Transport.(*http.Transport); ok {
			t.CloseIdleConnections()
		}
	}
	d.running.Wait()
	return errors.Join(errs...)
}
