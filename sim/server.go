// Package sim is a faithful stand-in for the Anthropic API: the Messages API
// with streaming, tool use, thinking and prompt caching, token counting and the
// list of models, behind real token buckets whose headers and refusals behave
// as those of the API were recorded to behave. Tests, demonstrations and load
// runs use it instead of the API, so that they cost nothing and can go wrong on
// purpose: a [Scenario] scripts faults, spend caps and changes of limits.
//
//	srv, err := sim.New(sim.Config{Tier: "tier1-2025", Seed: 1})
//	http.ListenAndServe("127.0.0.1:8089", srv)
//
// A [Server] reads the plain clock and starts no goroutine, so it runs inside a
// testing/synctest bubble. One request is steered by its own headers:
//
//	x-sim-output-tokens: 500       length of the answer
//	x-sim-ttft: 2s                 time to the first token
//	x-sim-fault: overloaded        a fault, by its kind or a status
//	x-sim-fault: error_event@3     after three events of the stream
//
// GET /sim/stats returns [Stats] as JSON.
package sim

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// Server is the simulated API. It is an [http.Handler] and safe for concurrent
// use; it needs no closing.
type Server struct {
	// Static after New.
	config    Config
	catalog   *catalog
	clock     clock
	directory *directory
	cache     *promptCache
	batches   *batchStore
	faults    []Fault

	sequence atomic.Uint64 // of all requests
	numbered atomic.Int64  // of those that faults count
	counters *counters
}

// New returns a server whose clock starts now. The error lists everything that
// is wrong with c.
func New(c Config) (*Server, error) {
	c, err := c.settle()
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	return &Server{
		config: c, catalog: tables(),
		clock:     clock{start: time.Now(), speed: c.Speed},
		directory: newDirectory(c, tables().Tiers),
		cache:     newPromptCache(),
		batches:   &batchStore{},
		faults:    c.Scenario.Faults,
		counters:  newCounters(),
	}, nil
}

// ServeHTTP answers one request of the API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/sim/stats" {
		s.serveStats(w)
		return
	}
	x := s.newExchange(w, r)
	defer x.done()
	x.route()
}

// Now is the server's own time, which runs [Config].Speed times as fast as the
// world's.
func (s *Server) Now() time.Time { return s.clock.date(s.clock.now()) }
