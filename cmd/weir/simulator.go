package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/weir-gateway/weir/internal/config"
	"github.com/weir-gateway/weir/sim"
)

// openSimulator makes the simulator the API, in this process and on a free port of
// this machine, where the configuration asks for it.
func (s *service) openSimulator(context.Context) error {
	if s.config.Upstream != config.Simulator {
		return nil
	}
	handler, err := sim.New(sim.Config{})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	s.atEnd(func() {
		if err := stopSim(server, served); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			s.log.Warn("the simulator did not end well", "cause", err)
		}
	})
	s.config.Upstream = "http://" + l.Addr().String()
	return nil
}
