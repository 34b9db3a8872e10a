package main

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/internal/memnet"
	"github.com/weir-gateway/weir/weir"
)

func TestHostileHeaders(t *testing.T) {
	for _, c := range []struct {
		name   string
		parts  func(yield func(string) bool)
		status int // 0: the connection is closed without a word
		after  time.Duration
	}{
		{"silence", func(func(string) bool) {}, 0, headerPatience},
		{"stopped", func(yield func(string) bool) { yield("POST /v1/messages HTTP/1.1\r\nHo") }, http.StatusBadRequest, headerPatience},
		{"drip", func(yield func(string) bool) {
			for yield("GET /v1/models HTTP/1.1\r\n"); yield("X-Slow: 1\r\n"); {
				time.Sleep(time.Second)
			}
		}, 0, headerPatience},
		{"bomb", func(yield func(string) bool) {
			for yield("GET /v1/models HTTP/1.1\r\nHost: weir\r\n"); yield("X-Bomb: " + strings.Repeat("x", 1000) + "\r\n"); {
			}
		}, http.StatusRequestHeaderFieldsTooLarge, 0},
		{"garbage", func(yield func(string) bool) { yield("\x16\x03\x01\x02\x00 this is TLS\r\n\r\n") }, http.StatusBadRequest, 0},
		{"no-host", func(yield func(string) bool) { yield("GET /v1/models HTTP/1.1\r\n\r\n") }, http.StatusBadRequest, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := memnet.Listen()
				srv := dataServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was served") }))
				go srv.Serve(l)
				conn, err := l.Dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				go c.parts(func(part string) bool {
					_, err := io.WriteString(conn, part)
					return err == nil
				})
				status := 0
				if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
					status = resp.StatusCode
				}
				if took := time.Since(began); status != c.status || took != c.after {
					t.Errorf("got %d after %v, want %d after %v", status, took, c.status, c.after)
				}
				conn.Close()
				srv.Close()
				time.Sleep(time.Second) // net/http lingers over a connection that it closes
			})
		})
	}
}

// An upstream may answer before it has read an upload. What is left of the
// upload must not outlive the call.
func TestAnswerCutsAnUploadShort(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
	}))
	defer api.Close()
	g, err := weir.New(weir.WithUpstream(api.URL))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	front := httptest.NewUnstartedServer(nil)
	front.Config = dataServer(g.Handler())
	front.Start()
	defer front.Close()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	for range 50 {
		up, in := io.Pipe()
		go func() {
			for chunk := make([]byte, 32<<10); ; {
				if _, err := in.Write(chunk); err != nil {
					return
				}
			}
		}()
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, front.URL+"/v1/files", up)
		req.Header.Set("X-Api-Key", "sk-ant-api-test")
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		up.Close()
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Fatalf("got %s, want the upstream's 413", resp.Status)
		}
	}
}
