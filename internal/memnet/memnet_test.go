package memnet

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestServerInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Listen()
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(time.Minute)
			io.WriteString(w, "late")
		})}
		var wg sync.WaitGroup
		wg.Go(func() { srv.Serve(l) })
		transport := l.Transport()
		began := time.Now()
		resp, err := (&http.Client{Transport: transport}).Get("http://anywhere/")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(body) != "late" {
			t.Errorf("body is %q, error %v", body, err)
		}
		if took := time.Since(began); took != time.Minute {
			t.Errorf("it took %v, want exactly a minute", took)
		}
		transport.CloseIdleConnections()
		srv.Close()
		wg.Wait()
	})
}

func TestClosedListener(t *testing.T) {
	l := Listen()
	l.Close()
	l.Close() // twice does no harm
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v, want net.ErrClosed", err)
	}
	if _, err := l.Dial(t.Context(), "", ""); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Dial after Close: %v, want net.ErrClosed", err)
	}
}

func TestDialGivesUp(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("why")
	cancel(why)
	if _, err := Listen().Dial(ctx, "", ""); !errors.Is(err, why) {
		t.Errorf("Dial with nobody accepting: %v, want the context's cause", err)
	}
}
