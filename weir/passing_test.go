package weir_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
)

// pattern is an endless body, whose period no buffer has.
type pattern struct{ at int }

var period = func() (b [65_521]byte) {
	for i, n := 0, uint32(1); i < len(b); i++ {
		n = n*1664525 + 1013904223
		b[i] = byte(n >> 24)
	}
	return b
}()

// Read implements [io.Reader].
func (p *pattern) Read(b []byte) (int, error) {
	n := copy(b, period[p.at:])
	p.at = (p.at + n) % len(period)
	return n, nil
}

func TestUploadAndDownloadAreNotHeldBack(t *testing.T) {
	const size = 40 << 20
	for name, announced := range map[string]int64{"content-length": size, "chunked": -1} {
		t.Run(name, func(t *testing.T) {
			arrived := make(chan []byte, 1)
			front := behind(t, func(w http.ResponseWriter, r *http.Request) {
				if r.ContentLength != announced {
					t.Errorf("announced as %d bytes, want %d", r.ContentLength, announced)
				}
				first := make([]byte, 5)
				io.ReadFull(r.Body, first)
				arrived <- first // the client has not sent the rest yet
				sum := sha256.New()
				sum.Write(first)
				io.Copy(sum, r.Body)
				w.Header().Set("X-Sum", fmt.Sprintf("%x", sum.Sum(nil)))
				io.CopyN(w, &pattern{}, size)
			})
			up, in := io.Pipe()
			sent := sha256.New()
			go func() {
				out := io.MultiWriter(in, sent)
				io.WriteString(out, "first")
				if got := <-arrived; string(got) != "first" {
					t.Errorf("the upstream got %q first", got)
				}
				io.CopyN(out, &pattern{}, size-5)
				in.Close()
			}()
			req := newPost(t, front.URL+"/v1/files", "")
			req.Body, req.ContentLength = up, announced
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			got, want := sha256.New(), sha256.New()
			n, err := io.Copy(got, resp.Body)
			io.CopyN(want, &pattern{}, size)
			if err != nil || n != size || !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
				t.Errorf("downloaded %d bytes (%v), or altered ones; want %d", n, err, size)
			}
			if resp.Header.Get("X-Sum") != fmt.Sprintf("%x", sent.Sum(nil)) {
				t.Error("the upload was altered on its way")
			}
		})
	}
}

func TestAnswerBeforeTheUploadHasEnded(t *testing.T) {
	front := behind(t, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		rc.EnableFullDuplex()
		for buf := make([]byte, 4); ; {
			n, err := r.Body.Read(buf)
			if err != nil {
				return
			}
			w.Write(bytes.ToUpper(buf[:n]))
			rc.Flush()
		}
	})
	up, in := io.Pipe()
	req := newPost(t, front.URL+"/v1/talk", "")
	req.Body, req.ContentLength = up, -1
	go io.WriteString(in, "ping")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	buf := make([]byte, 4)
	for _, word := range []string{"", "pong", "pang"} {
		if word != "" {
			go io.WriteString(in, word)
		}
		if _, err := io.ReadFull(resp.Body, buf); err != nil {
			t.Fatalf("after %q: %v", word, err)
		}
	}
	in.Close()
	if rest, err := io.ReadAll(resp.Body); string(buf) != "PANG" || len(rest) > 0 || err != nil {
		t.Errorf("got %q at last, then %q, %v", buf, rest, err)
	}
}

func TestRedirectsPassUnfollowed(t *testing.T) {
	elsewhere := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer other.Close()
	front := behind(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/v1/messages", http.StatusTemporaryRedirect)
	})
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, path := range []string{"/v1/messages", "/v1/files"} {
		resp, _ := send(t, client, newPost(t, front.URL+path, request))
		if resp.StatusCode != 307 || resp.Header.Get("Location") != other.URL+"/v1/messages" {
			t.Errorf("%s: got %d to %q", path, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
	if elsewhere != 0 {
		t.Error("the gateway followed a redirect, and gave the key to another host")
	}
}

func TestStreamIsPassedEventByEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parts := strings.SplitAfter(strings.TrimSuffix(events, "\n\n"), "\n\n")
		parts = append([]string{parts[0] + parts[1]}, parts[2:]...) // held back until content begins
		parts[len(parts)-1] += "\n\n"
		next := make(chan struct{}, 1)
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for _, part := range parts {
				<-next
				io.WriteString(w, part)
				w.(http.Flusher).Flush()
			}
			<-next
		})
		next <- struct{}{}
		resp, err := h.client.Do(newPost(t, "http://weir/v1/messages", streamed))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		for _, part := range parts {
			got := make([]byte, len(part))
			if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != part {
				t.Fatalf("got %q (%v), want %q before the next event was sent", got, err, part)
			}
			next <- struct{}{}
		}
		if rest, err := io.ReadAll(resp.Body); len(rest) > 0 || err != nil {
			t.Errorf("got %q (%v) behind the last event", rest, err)
		}
	})
}
