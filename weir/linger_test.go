package weir_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestRefusalOfAnUnreadBodyArrives: most clients send their whole body before
// they read. One that the gateway does not want is read all the same, so that
// no reset of the connection takes the refusal away from them.
func TestRefusalOfAnUnreadBodyArrives(t *testing.T) {
	front := behind(t, func(http.ResponseWriter, *http.Request) { t.Error("it was sent upstream") })
	conn, err := net.Dial("tcp", strings.TrimPrefix(front.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const size = 40 << 20
	fmt.Fprintf(conn, "POST /v1/messages HTTP/1.1\r\nHost: weir\r\nContent-Length: %d\r\n\r\n", size)
	if _, err := conn.Write(make([]byte, size)); err != nil {
		t.Fatalf("send the body: %v", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, resp, string(body), 413, "body_too_large", "32 MiB")
}

// TestUnreadBodyWithoutEnd: that patience has an end.
func TestUnreadBodyWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, func(http.ResponseWriter, *http.Request) { t.Error("it was sent upstream") })
		conn := h.dial(t)
		go io.Copy(io.Discard, conn)
		began := time.Now()
		fmt.Fprintf(conn, "POST /v1/messages HTTP/1.1\r\nHost: weir\r\nContent-Length: %d\r\n\r\n", 1<<40)
		for {
			if _, err := conn.Write(make([]byte, 1<<10)); err != nil {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(began); took < 5*time.Second || took > 7*time.Second {
			t.Errorf("cut off after %v, want 5 s", took)
		}
	})
}
