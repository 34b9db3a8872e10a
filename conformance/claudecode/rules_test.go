package claudecode

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// TestRules holds the client to what was measured of Claude Code: how many
// requests it makes to a gateway that gives one answer for ever, and when it
// makes the last of them (shared measurements of clients, §2.4).
func TestRules(t *testing.T) {
	const kind = "Retry-After"
	for _, tt := range []struct {
		name        string
		status      int
		header      [2]string
		requests    int           // until the end, or up to the instant of cut
		cut         time.Duration // 0: the client gives up by itself
		from, until time.Duration // the last request
	}{
		{"429", 429, [2]string{}, 11, 0, 160 * time.Second, 205 * time.Second},
		{"429-after-3", 429, [2]string{kind, "3"}, 8, 100 * time.Second, 70 * time.Second, 92 * time.Second},
		{"429-after-45", 429, [2]string{kind, "45"}, 3, 115 * time.Second, 90 * time.Second, 113 * time.Second},
		{"429-after-60", 429, [2]string{kind, "60"}, 3, 151 * time.Second, 120 * time.Second, 150 * time.Second},
		{"429-after-61", 429, [2]string{kind, "61"}, 1, 0, 0, 0},
		{"429-after-83", 429, [2]string{kind, "83"}, 1, 0, 0, 0},
		{"429-never", 429, [2]string{"X-Should-Retry", "false"}, 1, 0, 0, 0},
		{"400", 400, [2]string{}, 6, 0, 0, 1500 * time.Millisecond},
		{"529", 529, [2]string{}, 3, 0, time.Second, 2 * time.Second},
		{"503-after-3", 503, [2]string{kind, "3"}, 8, 90 * time.Second, 70 * time.Second, 90 * time.Second},
		{"503-never", 503, [2]string{"X-Should-Retry", "false"}, 1, 0, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, last := time.Now(), time.Duration(0)
				way, url := serve(t, memory{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					last = time.Since(began)
					if tt.header[0] != "" {
						w.Header().Set(tt.header[0], tt.header[1])
					}
					w.Header().Set("Content-Type", "application/json")
					w.WriteHeader(tt.status)
					_, _ = io.WriteString(w, `{"type":"error","error":{"message":"no"}}`)
				}))
				c := &client{http: http.Client{Transport: way}, base: url, key: "sk-ant-x", rand: rand.New(rand.NewPCG(1, 2))}
				ctx := t.Context()
				if tt.cut > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.cut)
					defer cancel()
				}
				out, err := c.prompt(ctx, request(true))
				if (err != nil) != (tt.cut > 0) || out.message != "no" {
					t.Errorf("got %q, %v", out.message, err)
				}
				if out.requests != tt.requests || last < tt.from || last > tt.until {
					t.Errorf("%d requests, the last after %v; want %d, the last after %v to %v", out.requests, last, tt.requests, tt.from, tt.until)
				}
			})
		})
	}
}
