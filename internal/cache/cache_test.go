package cache

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
)

func TestKeptAndReplayed(t *testing.T) {
	r, books := newBooked(t, Config{})
	u := &upstream{room: r, text: echo("hello")}
	for i, step := range []struct {
		stream bool
		want   string
		cached call.CacheResult
	}{
		{true, streamOf("hello"), call.CacheMiss},
		{true, streamOf("hello"), call.CacheHit},
		{false, messageOf("hello"), call.CacheHit},
	} {
		c := newCall("t", body(1, step.stream))
		if got := u.must(t, c); got != step.want || c.Cached != step.cached {
			t.Errorf("step %d: %v, got\n%s\nwant\n%s", i, c.Cached, got, step.want)
		}
	}
	report := r.Report(time.Now())
	if u.count() != 1 || report.Hits != 2 || report.Misses != 1 || report.Saved != 14 || report.SavedUSD != 2000 || report.Entries != 1 {
		t.Errorf("asked %d times, %+v", u.count(), report)
	}
	if len(books.list) != 2 || books.list[0].outcome != "ok" || books.list[1].status != 200 {
		t.Errorf("booked %+v", books.list)
	}
}

func TestHeadersOfAHit(t *testing.T) {
	r := newRoom(t, Config{})
	u := &upstream{room: r, text: echo("hello")}
	first := newCall("t", body(1, true))
	u.must(t, first)
	resp, err := r.Answer(t.Context(), newCall("t", body(1, false)), u.ask)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header; len(got) != 2 || got.Get("Content-Type") != "application/json" || got.Get("Request-Id") != "req_"+first.ID {
		t.Errorf("header %v", got)
	}
	if int(resp.ContentLength) != len(messageOf("hello")) {
		t.Errorf("length %d", resp.ContentLength)
	}
}

func TestWishes(t *testing.T) {
	for name, c := range map[string]struct {
		wishes string // one letter a call: o(ff) r(ead) w(rite) n (on) - (nothing)
		preset call.CacheWish
		asked  int
	}{
		"on-by-default": {"--", call.CacheOn, 1},
		"off":           {"-oo", call.CacheOn, 3},
		"read-keeps-no": {"rr", call.CacheOff, 2},
		"read-reads":    {"nr", call.CacheOff, 1},
		"write":         {"nwn", call.CacheOff, 2},
		"not-asked-for": {"--", call.CacheOff, 2},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t, Config{Default: c.preset})
			u := &upstream{room: r, text: echo("x")}
			for _, w := range c.wishes {
				next := newCall("t", body(1, false))
				next.CacheWish = map[rune]call.CacheWish{'o': call.CacheOff, 'r': call.CacheRead, 'w': call.CacheWrite, 'n': call.CacheOn}[w]
				u.must(t, next)
			}
			if u.count() != c.asked {
				t.Errorf("asked %d times, want %d", u.count(), c.asked)
			}
		})
	}
}

func TestWhatIsNotKept(t *testing.T) {
	cut := func(_ *call.Call, whole string) []string { return []string{whole[:len(whole)/2]} }
	for name, change := range map[string]func(*upstream){
		"broken-off": func(u *upstream) { u.parts = cut },
		"max-tokens": func(u *upstream) {
			u.parts = func(_ *call.Call, whole string) []string {
				return []string{strings.Replace(whole, "end_turn", "max_tokens", 1)}
			}
		},
		"no-message-stop": func(u *upstream) {
			u.parts = func(_ *call.Call, whole string) []string {
				return []string{strings.TrimSuffix(whole, event("message_stop", `{"type":"message_stop"}`))}
			}
		},
		"error": func(u *upstream) {
			u.fail = func(*call.Call) (*http.Response, error) {
				return &http.Response{StatusCode: 400, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(messageOf("x")))}, nil
			}
		},
		"degraded": func(u *upstream) {
			u.fail = func(c *call.Call) (*http.Response, error) {
				c.Degraded = call.Degradation{Rung: "fallback", From: "m"}
				return nil, nil
			}
		},
		"compressed": func(u *upstream) {
			u.fail = func(c *call.Call) (*http.Response, error) {
				return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}, Body: io.NopCloser(strings.NewReader(messageOf("x")))}, nil
			}
		},
		"too-large": func(u *upstream) { u.text = echo(strings.Repeat("x", maxEntry)) },
		"purged-meanwhile": func(u *upstream) {
			u.fail = func(*call.Call) (*http.Response, error) { return nil, u.room.Purge("t") }
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t, Config{})
			u := &upstream{room: r, text: echo("x")}
			change(u)
			for range 2 {
				_, _ = u.get(t.Context(), newCall("t", body(1, true)))
			}
			if n := r.Report(time.Now()).Entries; n != 0 || u.count() != 2 {
				t.Errorf("%d entries, asked %d times", n, u.count())
			}
		})
	}
}

func TestAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, Config{MaxAge: time.Minute})
		u := &upstream{room: r, text: echo("x")}
		for _, wait := range []time.Duration{0, 59 * time.Second, 2 * time.Second} {
			time.Sleep(wait)
			u.must(t, newCall("t", body(1, false)))
		}
		if u.count() != 2 {
			t.Errorf("asked %d times", u.count())
		}
		r.Configure(0, time.Hour)
		time.Sleep(50 * time.Minute)
		u.must(t, newCall("t", body(1, false)))
		if u.count() != 2 {
			t.Errorf("asked %d times after max_age was raised", u.count())
		}
	})
}

func TestBounded(t *testing.T) {
	r := newRoom(t, Config{MaxBytes: 1 << 20})
	u := &upstream{room: r, text: echo(strings.Repeat("x", 100<<10))}
	for i := range 50 {
		u.must(t, newCall("t", body(i, false)))
	}
	report := r.Report(time.Now())
	if report.Bytes > 1<<20 || report.Entries < 5 || report.Evictions < 30 {
		t.Errorf("%+v", report)
	}
}

func TestPurge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, Config{})
		u := &upstream{room: r, text: echo("x")}
		ask := func(tenant string) call.CacheResult {
			time.Sleep(time.Millisecond)
			c := newCall(tenant, body(1, false))
			u.must(t, c)
			return c.Cached
		}
		ask("a")
		ask("b")
		if err := r.Purge("a"); err != nil {
			t.Fatal(err)
		}
		if a, b := ask("a"), ask("b"); a != call.CacheMiss || b != call.CacheHit {
			t.Errorf("a %v, b %v", a, b)
		}
		if err := r.Purge(""); err != nil {
			t.Fatal(err)
		}
		if a, b := ask("a"), ask("b"); a != call.CacheMiss || b != call.CacheMiss {
			t.Errorf("a %v, b %v", a, b)
		}
	})
}

// TestOnlyTheOwnerReads: a name alone does not get a tenant's answers.
func TestOnlyTheOwnerReads(t *testing.T) {
	for _, share := range []bool{false, true} {
		r := newRoom(t, Config{Share: share})
		u := &upstream{room: r, text: echo("x")}
		u.must(t, newCall("t", body(1, false)))
		thief := newCall("t", body(1, false))
		thief.Owner = "key-other"
		u.must(t, thief)
		if hit := thief.Cached == call.CacheHit; hit != share {
			t.Errorf("shared %v: %v", share, thief.Cached)
		}
	}
}

func TestHundredAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, books := newBooked(t, Config{})
		u := &upstream{room: r, pause: 100 * time.Millisecond, text: echo("hello"), parts: events}
		var wg sync.WaitGroup
		results := make(chan call.CacheResult, 100)
		for i := range 100 {
			wg.Go(func() {
				stream := i%3 != 1
				c := newCall("t", body(1, stream))
				want := messageOf("hello")
				if stream {
					want = streamOf("hello")
				}
				time.Sleep(time.Duration(i) * time.Millisecond * 5) // some come when it is halfway
				if got := u.must(t, c); got != want {
					t.Errorf("%d: got\n%s\nwant\n%s", i, got, want)
				}
				results <- c.Cached
			})
		}
		wg.Wait()
		n := map[call.CacheResult]int{}
		for range 100 {
			n[<-results]++
		}
		if u.count() != 1 || n[call.CacheMiss] != 1 || n[call.CacheJoin] != 99 || len(books.list) != 99 {
			t.Errorf("asked %d times, %v, booked %d", u.count(), n, len(books.list))
		}
		if got := r.Report(time.Now()); got.Saved != 99*7 || got.SavedUSD != 99*1000 {
			t.Errorf("%+v", got)
		}
	})
}

// events cuts a stream behind each event.
func events(_ *call.Call, whole string) []string { return strings.SplitAfter(whole, "\n\n") }

// arrival notes when each event reaches a reader.
func arrivals(t *testing.T, u *upstream, c *call.Call) (at []time.Duration) {
	began := c.Received
	resp, err := u.room.Answer(t.Context(), c, u.ask)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer resp.Body.Close()
	chunk := make([]byte, 64<<10)
	for {
		n, err := resp.Body.Read(chunk)
		for range strings.Count(string(chunk[:n]), "\n\n") {
			at = append(at, time.Since(began))
		}
		if err != nil {
			return at
		}
	}
}

// TestFollowersSeeItLive: events reach those who have joined when they come.
func TestFollowersSeeItLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, Config{})
		u := &upstream{room: r, pause: time.Second, text: echo("hello"), parts: events}
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if got := fmt.Sprint(arrivals(t, u, newCall("t", body(1, true)))); got != "[1s 2s 3s 4s 5s 6s]" {
					t.Errorf("events came at %s", got)
				}
			})
		}
		wg.Wait()
		if u.count() != 1 {
			t.Errorf("asked %d times", u.count())
		}
	})
}

func leaving(t *testing.T, after time.Duration) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(after, cancel)
	return ctx
}
