package weir_test

import (
	"net/http"
	"testing"

	"github.com/weir-gateway/weir/internal/memnet"
)

// serveInMemory serves h for the length of a test in a bubble and returns the
// way to it.
func serveInMemory(t *testing.T, h http.Handler) *http.Transport {
	t.Helper()
	l := memnet.Listen()
	srv := &http.Server{Handler: h}
	go srv.Serve(l)
	transport := l.Transport()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		srv.Close()
	})
	return transport
}
