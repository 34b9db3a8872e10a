package weir_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A client may leave at any moment. Its upstream call must end at once, its
// permit must come back, and whoever waits behind it must go on.
func TestClientLeaves(t *testing.T) {
	begun := strings.Index(events, "event: new_kind")
	for _, c := range []struct {
		name     string
		upstream http.HandlerFunc
		reads    int // bytes that the client takes before it leaves
	}{
		{"while-upstream-works", func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		}, 0},
		{"before-the-first-content", func(w http.ResponseWriter, r *http.Request) {
			serveEvents(w, events[:strings.Index(events, "event: content_block_start")])
			<-r.Context().Done()
		}, 0},
		{"in-the-middle-of-a-stream", func(w http.ResponseWriter, r *http.Request) {
			serveEvents(w, events[:begun])
			<-r.Context().Done()
		}, begun},
		{"while-it-does-not-read", func(w http.ResponseWriter, r *http.Request) {
			for serveEvents(w, events[:begun]); r.Context().Err() == nil; {
				_, _ = io.WriteString(w, ": more\n\n")
			}
		}, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var left atomic.Bool
				var ended time.Time
				h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
					if left.Load() {
						serveEvents(w, events)
						return
					}
					io.Copy(io.Discard, r.Body)
					c.upstream(w, r)
					ended = time.Now()
				})
				ctx, leave := context.WithCancel(t.Context())
				req := newPost(t, "http://weir/v1/messages", streamed).WithContext(ctx)
				go func() {
					time.Sleep(time.Second)
					left.Store(true)
					leave()
				}()
				resp, err := h.client.Do(req)
				if c.reads > 0 {
					if err != nil {
						t.Fatal(err)
					}
					io.ReadFull(resp.Body, make([]byte, c.reads))
					<-ctx.Done()
					resp.Body.Close()
				}
				gone := time.Now()
				synctest.Wait()
				if ended.Sub(gone) != 0 {
					t.Errorf("the upstream call ended %v after the client had left", ended.Sub(gone))
				}
				if got := h.journal.outcomes(); !slices.Equal(got, []string{"client_gone"}) || h.inFlight() != 0 {
					t.Errorf("booked as %q with %d permits out, want one client_gone", got, h.inFlight())
				}
				if _, got := h.post(t, streamed); got != events {
					t.Errorf("the next call got %q", got)
				}
			})
		})
	}
}

func TestClientLeavesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		sent := 0
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
			sent++
			<-release
			io.WriteString(w, answer)
		})
		done := make(chan string)
		call := func(ctx context.Context) {
			resp, err := h.client.Do(newPost(t, "http://weir/v1/messages", request).WithContext(ctx))
			if err != nil {
				done <- "gone"
				return
			}
			defer resp.Body.Close()
			raw, _ := io.ReadAll(resp.Body)
			done <- string(raw)
		}
		go call(t.Context()) // of an unknown organization, one goes first
		synctest.Wait()
		ctx, leave := context.WithCancel(t.Context())
		go call(ctx)
		synctest.Wait()
		go call(t.Context())
		synctest.Wait()
		if q := h.gateway.Queue(); q.Waiting != 2 || sent != 1 {
			t.Fatalf("%d wait and %d are sent, want 2 and 1", q.Waiting, sent)
		}
		leave()
		if got := <-done; got != "gone" {
			t.Errorf("the one that left got %q", got)
		}
		synctest.Wait()
		if q := h.gateway.Queue(); q.Waiting != 1 || q.Bytes != int64(len(request)) {
			t.Errorf("%d wait with %d bytes, want 1", q.Waiting, q.Bytes)
		}
		close(release)
		for range 2 {
			if got := <-done; got != answer {
				t.Errorf("one that stayed got %q", got)
			}
		}
		synctest.Wait()
		if sent != 2 || h.inFlight() != 0 {
			t.Errorf("%d were sent, %d are out; want 2 and 0", sent, h.inFlight())
		}
	})
}

// wire sends text over a bare connection, with a pause behind each part, and
// returns the answer and whether the connection was closed behind it.
func wire(t *testing.T, conn net.Conn, pause time.Duration, parts ...string) (resp *http.Response, body string, closed bool) {
	t.Helper()
	go func() {
		for i, part := range parts {
			if i > 0 {
				time.Sleep(pause)
			}
			if _, err := io.WriteString(conn, part); err != nil {
				return
			}
		}
	}()
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	raw, _ := io.ReadAll(resp.Body)
	conn.SetReadDeadline(time.Now().Add(time.Minute))
	_, err = in.ReadByte()
	return resp, string(raw), err == io.EOF
}

const head = "POST /v1/messages HTTP/1.1\r\nHost: weir\r\nX-Api-Key: sk-ant-api-test\r\nContent-Type: application/json\r\n"

func TestSlowAndBrokenBodies(t *testing.T) {
	announced := func(n int) string { return fmt.Sprintf("%sContent-Length: %d\r\n\r\n", head, n) }
	drip := func(text string, n int) (parts []string) {
		for len(text) > n {
			parts, text = append(parts, text[:n]), text[n:]
		}
		return append(parts, text)
	}
	for _, c := range []struct {
		name  string
		pause time.Duration
		parts []string
		words string
		after time.Duration // the refusal comes
	}{
		{"never-sent", 0, []string{announced(100)}, "too slowly", 30 * time.Second},
		{"stopped", 0, []string{announced(100), request[:50]}, "too slowly", 30 * time.Second},
		{"drip", time.Second, append([]string{announced(len(request))}, drip(request, 1)...), "too slowly", 30 * time.Second},
		{"drip-chunked", time.Second, append([]string{head + "Transfer-Encoding: chunked\r\n\r\n"}, drip(strings.Repeat("1\r\n{\r\n", 99), 6)...), "too slowly", 30 * time.Second},
		{"bad-chunk", 0, []string{head + "Transfer-Encoding: chunked\r\n\r\nZZ\r\n"}, "could not be read to its end", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t, func(http.ResponseWriter, *http.Request) { t.Error("it was sent upstream") })
				began := time.Now()
				conn := h.dial(t)
				resp, body, closed := wire(t, conn, c.pause, c.parts...)
				took := time.Since(began)
				wantRefusal(t, resp, body, 400, "malformed_request", c.words)
				if took < c.after || took > c.after+2*time.Second {
					t.Errorf("refused after %v, want %v", took, c.after)
				}
				if !closed {
					t.Error("the connection is still open: what comes next would be taken for a request")
				}
				conn.Close()
			})
		})
	}
}

func TestSlowButSteadyUploadIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, answer) })
		big := strings.Replace(request, "hi", strings.Repeat("x", 4<<20), 1)
		up, in := io.Pipe()
		go func() {
			for rest := big; rest != ""; {
				n := min(len(rest), 20<<10) // a little faster than it must be
				io.WriteString(in, rest[:n])
				rest = rest[n:]
				time.Sleep(time.Second)
			}
			in.Close()
		}()
		req := newPost(t, "http://weir/v1/messages", "")
		req.Body, req.ContentLength = up, int64(len(big))
		began := time.Now()
		if _, got := send(t, h.client, req); got != answer || time.Since(began) < 3*time.Minute {
			t.Errorf("after %v: %.200s", time.Since(began), got)
		}
	})
}

func TestTruncatedBody(t *testing.T) {
	front := behind(t, func(http.ResponseWriter, *http.Request) { t.Error("it was sent upstream") })
	for name, text := range map[string]string{
		"content-length": head + "Content-Length: 500\r\n\r\n" + request[:40],
		"chunked":        head + "Transfer-Encoding: chunked\r\n\r\n28\r\n" + request[:40] + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", front.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			io.WriteString(conn, text)
			conn.(*net.TCPConn).CloseWrite()
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			raw, _ := io.ReadAll(resp.Body)
			wantRefusal(t, resp, string(raw), 400, "malformed_request", "the body ended too early")
		})
	}
}
