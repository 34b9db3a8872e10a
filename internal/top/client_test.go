package top

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/internal/memnet"
)

// serve puts a server into memory, for a bubble.
func serve(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	l := memnet.Listen()
	srv := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() { srv.Serve(l); close(done) }()
	transport := l.Transport()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		srv.Close()
		<-done
	})
	return &Client{URL: "http://weir", HTTP: &http.Client{Transport: transport}}
}

func write(w http.ResponseWriter, text string) {
	io.WriteString(w, text)
	w.(http.Flusher).Flush()
}

func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, connections := time.Now(), 0
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			switch connections++; connections {
			case 1: // two pictures, then the gateway is gone
				write(w, event(t, busy()))
				time.Sleep(500 * time.Millisecond)
				write(w, event(t, busy()))
			case 2:
				w.WriteHeader(http.StatusServiceUnavailable)
				io.WriteString(w, "too many listeners")
			case 3: // one that says nothing more
				write(w, event(t, busy()))
				<-r.Context().Done()
			case 4:
				write(w, "event: fault\ndata: \"no picture\"\n\n")
			case 5:
				write(w, "event: snapshot\ndata: {]\n\n")
			default:
				write(w, event(t, busy()))
				<-r.Context().Done()
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		var told []string
		c.Follow(ctx, func(n News) {
			what := "picture"
			if n.Err != nil {
				what = n.Err.Error()
			} else if n.Picture.Queue.Waiting != 1203 || n.Picture.Warnings[0].Text["en"].Hint == "" || *n.Picture.Queue.Lanes[0].HeadIn != 1.25 {
				t.Errorf("picture %+v", n.Picture)
			}
			told = append(told, n.At.Sub(began).String()+" "+what)
			if len(told) == 9 {
				cancel()
			}
		})
		for i, want := range []string{
			"0s picture", "500ms picture", "500ms the gateway ended the connection",
			"2.5s http://weir/api/v1/events: 503 Service Unavailable too many listeners", "4.5s picture", "14.5s the gateway has fallen silent",
			`16.5s the gateway says: "no picture"`, "18.5s the gateway's picture is not understood", "20.5s picture",
		} {
			if i >= len(told) || !strings.HasPrefix(told[i], want) {
				t.Errorf("told %q, want %q as number %d", told, want, i)
				break
			}
		}
	})
}

func TestPictureAndFigures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/v1/events" {
				write(w, event(t, busy()))
				<-r.Context().Done()
				return
			}
			io.WriteString(w, `{"path":"`+r.URL.Path+`"}`)
		})
		p, err := c.Picture(t.Context())
		if err != nil || p.Recent.Answered != 842 {
			t.Fatalf("%v %+v", err, p)
		}
		raw, err := c.Figures(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var figures map[string]struct{ Path string }
		if err := json.Unmarshal(raw, &figures); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"quota", "queue", "protection", "degradation", "requests"} {
			if figures[name].Path != "/api/v1/"+name {
				t.Errorf("%s is %v", name, figures[name])
			}
		}
		if len(figures) != 5 {
			t.Errorf("%s", raw)
		}
		var out strings.Builder
		if err := Once(t.Context(), c, "en", &out, 100); err != nil || !strings.Contains(out.String(), "── Requests ──") {
			t.Errorf("%v\n%s", err, out.String())
		}
		for line := range strings.Lines(out.String()) {
			if len([]rune(line)) > 101 || strings.Contains(line, "\x1b") {
				t.Errorf("a long or coloured line: %q", line)
			}
		}
	})
}
