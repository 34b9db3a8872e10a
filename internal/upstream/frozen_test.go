package upstream_test

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/memnet"
	"github.com/weir-gateway/weir/internal/upstream"
)

// freezing is a connection whose end stops reading and writing at a sign, as a
// process does that was stopped.
type freezing struct {
	net.Conn
	frozen *atomic.Bool
	end    chan struct{}
}

func (f *freezing) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	if f.frozen.Load() {
		<-f.end
	}
	return n, err
}

// TestFrozenHTTP2Connection: the other end of an HTTP/2 connection freezes while
// a model thinks. Pings find it out long before the patience for a first token
// ends.
func TestFrozenHTTP2Connection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var frozen atomic.Bool
		end := make(chan struct{})
		l := memnet.Listen()
		var plain http.Protocols
		plain.SetUnencryptedHTTP2(true)
		srv := &http.Server{Protocols: &plain, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		})}
		go srv.Serve(l)
		transport := upstream.NewTransport()
		transport.Protocols = &plain
		transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := l.Dial(ctx, network, address)
			return &freezing{conn, &frozen, end}, err
		}
		room, err := upstream.New("http://api", transport)
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(40*time.Second, func() { frozen.Store(true) })
		began := time.Now()
		a := room.Send(t.Context(), &call.Call{Method: "POST", Path: "/v1/messages", Stream: true, Body: []byte("{}")}, call.Key{})
		took := time.Since(began)
		t.Logf("given up after %v: %v", took, a.Cause)
		if a.Verdict.Kind != call.Unreachable || took < 40*time.Second || took > 90*time.Second {
			t.Errorf("after %v: %v, %v", took, a.Verdict.Kind, a.Cause)
		}
		close(end)
		transport.CloseIdleConnections()
		srv.Close()
		l.Close()
		time.Sleep(time.Minute) // net/http ends what it has started
	})
}
