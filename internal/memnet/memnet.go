// Package memnet is a network in memory: a [Listener] whose connections are
// pairs of [net.Pipe]. It lets a real http.Server and http.Transport run inside
// a testing/synctest bubble, where real sockets would hang, so that a test of
// waiting takes no time.
package memnet

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
)

// Listener accepts the connections that Dial opens. It is safe for concurrent
// use.
type Listener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

// Listen returns a listener that nobody has dialed yet.
func Listen() *Listener {
	return &Listener{conns: make(chan net.Conn), done: make(chan struct{})}
}

// Accept waits for the next Dial.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Dial opens a connection to the listener. It has the signature of
// [http.Transport]'s DialContext and ignores the address.
func (l *Listener) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Transport returns a transport whose every connection goes to l, whatever
// the host. The caller closes its idle connections.
func (l *Listener) Transport() *http.Transport {
	return &http.Transport{DialContext: l.Dial, MaxIdleConnsPerHost: 1024}
}

// Close ends Accept and refuses further Dials. Open connections stay.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr returns a name for logs.
func (l *Listener) Addr() net.Addr { return addr{} }

type addr struct{}

func (addr) Network() string { return "mem" }
func (addr) String() string  { return "mem" }

// Serve serves h on a network of its own, in silence. stop ends the server and
// the connections, and waits for that.
func Serve(h http.Handler) (transport *http.Transport, stop func()) {
	l := Listen()
	server := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(l) }) // it ends by stop
	transport = l.Transport()
	return transport, func() {
		transport.CloseIdleConnections()
		server.Close()
		wg.Wait()
	}
}
