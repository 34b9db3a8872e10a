package cache

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
)

// TestLeaderLeaves: before the answer begins, and in its middle. Those who have
// joined get all of it, and it is kept.
func TestLeaderLeaves(t *testing.T) {
	for name, after := range map[string]time.Duration{"before": 500 * time.Millisecond, "in-the-middle": 2500 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, books := newBooked(t, Config{})
				u := &upstream{room: r, pause: time.Second, text: echo("hello"), parts: events}
				var wg sync.WaitGroup
				wg.Go(func() {
					if _, err := u.get(leaving(t, after), newCall("t", body(1, true))); err == nil {
						t.Error("the leader has not left")
					}
				})
				synctest.Wait()
				for i := range 4 {
					wg.Go(func() {
						c := newCall("t", body(1, i%2 == 0))
						want := messageOf("hello")
						if c.Stream {
							want = streamOf("hello")
						}
						if got := u.must(t, c); got != want || c.Cached != call.CacheJoin {
							t.Errorf("%v, got %s", c.Cached, got)
						}
					})
				}
				wg.Wait()
				late := newCall("t", body(1, false))
				u.must(t, late)
				if u.count() != 1 || u.gone != 0 || late.Cached != call.CacheHit || len(books.list) != 5 {
					t.Errorf("asked %d, broken off %d, later %v, booked %v", u.count(), u.gone, late.Cached, books.list)
				}
			})
		})
	}
}

// TestAllLeave: an answer that nobody wants is broken off and not kept.
func TestAllLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, books := newBooked(t, Config{})
		u := &upstream{room: r, pause: time.Second, text: echo("hello"), parts: events}
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() {
				_, err := u.get(leaving(t, 2500*time.Millisecond+time.Duration(i)), newCall("t", body(1, i != 1)))
				if err == nil {
					t.Error("nobody has left")
				}
			})
			synctest.Wait()
		}
		wg.Wait()
		synctest.Wait()
		if u.gone != 1 || r.Report(time.Now()).Entries != 0 {
			t.Errorf("broken off %d times, %d entries", u.gone, r.Report(time.Now()).Entries)
		}
		for _, e := range books.list {
			if e.outcome != "client_gone" || e.status != 499 {
				t.Errorf("booked %+v", e)
			}
		}
		c := newCall("t", body(1, true))
		if u.must(t, c); c.Cached != call.CacheMiss || u.count() != 2 {
			t.Errorf("then %v, asked %d times", c.Cached, u.count())
		}
	})
}

// TestFailures: what concerns the request all get alike, by one asking; behind
// other failures the next goes on, and everybody is answered in the end.
func TestFailures(t *testing.T) {
	status := func(code int) func() (*http.Response, error) {
		return func() (*http.Response, error) {
			return &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}, "X-Should-Retry": {"false"}}, Body: io.NopCloser(strings.NewReader("error"))}, nil
		}
	}
	refusal := func(r call.Refusal) func() (*http.Response, error) {
		return func() (*http.Response, error) { return nil, &r }
	}
	for name, c := range map[string]struct {
		fail     func() (*http.Response, error)
		fails    int // so many times, then it succeeds
		asked    int
		failures int // calls that saw it
	}{
		"bad-request":     {status(400), 1, 1, 5},
		"not-found":       {status(404), 1, 1, 5},
		"overloaded-once": {status(529), 1, 2, 1},
		"key-refused":     {status(401), 1, 2, 1},
		"too-large":       {refusal(call.Refusal{Reason: call.TooLarge}), 1, 1, 5},
		"timed-out":       {refusal(call.Refusal{Reason: call.TimedOut}), 1, 2, 1},
		"down":            {refusal(call.Refusal{Reason: call.UpstreamDown}), 100, maxTries, 5},
		"other":           {func() (*http.Response, error) { return nil, errors.New("x") }, 1, 2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoom(t, Config{})
				failed := 0
				u := &upstream{room: r, pause: time.Second, text: echo("hello")}
				u.fail = func(*call.Call) (*http.Response, error) {
					if failed++; failed <= c.fails {
						return c.fail()
					}
					return nil, nil
				}
				var mu sync.Mutex
				var wg sync.WaitGroup
				failures := 0
				for i := range 5 {
					wg.Go(func() {
						got, err := u.get(t.Context(), newCall("t", body(1, i%2 == 0)))
						mu.Lock()
						defer mu.Unlock()
						if err != nil || got == "error" {
							failures++
						} else if !strings.Contains(got, "hello") {
							t.Errorf("got %q", got)
						}
					})
				}
				wg.Wait()
				if u.count() != c.asked || failures != c.failures {
					t.Errorf("asked %d times, %d failures", u.count(), failures)
				}
			})
		})
	}
}

// TestFollowersDeadline: who may not wait as long as the leader asks itself,
// and is refused in its own right; one that has been sent is waited for.
func TestFollowersDeadline(t *testing.T) {
	for name, waits := range map[string]bool{"in-the-queue": true, "sent": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoom(t, Config{})
				r.books.Waits = func(string) bool { return waits }
				u := &upstream{room: r, pause: time.Minute, text: echo("hello")}
				var wg sync.WaitGroup
				wg.Go(func() { u.must(t, newCall("t", body(1, false))) })
				synctest.Wait()
				c := newCall("t", body(1, false))
				c.Deadline = time.Now().Add(5 * time.Second)
				u.must(t, c)
				wg.Wait()
				if alone := c.Cached == call.CacheMiss; alone != waits || u.count() != 1+len(name)/8 {
					t.Errorf("%v, asked %d times", c.Cached, u.count())
				}
			})
		})
	}
}

// TestWhoDoesNotJoin: calls that wait in another way, or allow less.
func TestWhoDoesNotJoin(t *testing.T) {
	for name, change := range map[string]func(*call.Call){
		"class":  func(c *call.Call) { c.Class = call.Interactive },
		"wait":   func(c *call.Call) { c.MaxWait = time.Hour },
		"degree": func(c *call.Call) { c.NoDegrade = true },
		"write":  func(c *call.Call) { c.CacheWish = call.CacheWrite },
		"tenant": func(c *call.Call) { c.Tenant = "u" },
		"owner":  func(c *call.Call) { c.Owner = "u" },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := &upstream{room: newRoom(t, Config{}), pause: time.Second, text: echo("hello")}
				var wg sync.WaitGroup
				wg.Go(func() { u.must(t, newCall("t", body(1, false))) })
				synctest.Wait()
				c := newCall("t", body(1, false))
				change(c)
				u.must(t, c)
				wg.Wait()
				if u.count() != 2 {
					t.Errorf("asked %d times", u.count())
				}
			})
		})
	}
}

// TestLongAnswer: one beyond maxLog is passed on whole, at the speed of the
// slowest, and is not held or kept.
func TestLongAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, Config{})
		u := &upstream{room: r, text: echo(strings.Repeat("x", maxLog+(8<<20)))}
		u.parts = func(_ *call.Call, whole string) (parts []string) {
			for ; len(whole) > 1<<20; whole = whole[1<<20:] {
				parts = append(parts, whole[:1<<20])
			}
			return append(parts, whole)
		}
		first, err := r.Answer(t.Context(), newCall("t", body(1, true)), u.ask)
		if err != nil {
			t.Fatal(err)
		}
		second, err := r.Answer(t.Context(), newCall("t", body(1, true)), u.ask)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the log is full
		want := len(streamOf("")) + maxLog + (8 << 20)
		var wg sync.WaitGroup
		for i, resp := range []*http.Response{first, second} {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Second)
				n, err := io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if int(n) != want || err != nil {
					t.Errorf("%d of %d bytes, %v", n, want, err)
				}
			})
		}
		wg.Wait()
		if u.count() != 1 || r.Report(time.Now()).Entries != 0 {
			t.Errorf("asked %d times, %d entries", u.count(), r.Report(time.Now()).Entries)
		}
	})
}
