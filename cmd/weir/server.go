package main

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/weir-gateway/weir/internal/config"
)

// server is one HTTP server on one listener.
type server struct {
	name     string
	http     *http.Server
	listener net.Listener
	tls      *config.TLS
}

func (s *server) url() string {
	if s.tls != nil {
		return "https://" + s.listener.Addr().String()
	}
	return "http://" + s.listener.Addr().String()
}

func (s *server) serve() error {
	if s.tls != nil {
		return s.http.ServeTLS(s.listener, s.tls.Cert, s.tls.Key)
	}
	return s.http.Serve(s.listener)
}

// Bounds of what a client may send before it is known to be one.
const (
	headerPatience = 10 * time.Second
	headerBytes    = 128 << 10
	idlePatience   = 3 * time.Minute
)

// dataServer serves HTTP/1.1 and HTTP/2, with and without TLS. Bodies and
// answers have no deadline here: the gateway watches over them itself.
func dataServer(h http.Handler) *http.Server {
	s := adminServer(h)
	s.Protocols = new(http.Protocols)
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	return s
}

func adminServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headerPatience, MaxHeaderBytes: headerBytes, IdleTimeout: idlePatience,
		ErrorLog: log.New(io.Discard, "", 0), // connection noise; calls have their own log
	}
}

// runServers serves until ctx is done or a server fails. Then it calls stop
// once, gives calls under way the drain time to end, and cuts off the rest.
func runServers(ctx context.Context, servers []*server, drain time.Duration, stop func()) error {
	failed := make(chan error, len(servers))
	var wg sync.WaitGroup
	for _, s := range servers {
		wg.Go(func() {
			if err := s.serve(); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	stop()
	deadline, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	for _, s := range servers {
		if s.http.Shutdown(deadline) != nil {
			s.http.Close()
		}
	}
	wg.Wait()
	return err
}
