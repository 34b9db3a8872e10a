package dash

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestFeedTicksOnlyWhileSomeoneListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rendered atomic.Int32
		f := newFeed(func() []byte { rendered.Add(1); return []byte("x") }, feedEvery, 2)
		time.Sleep(time.Minute)
		if n := rendered.Load(); n != 0 {
			t.Fatalf("rendered %d times for nobody", n)
		}
		one, _ := f.join()
		two, _ := f.join()
		if _, ok := f.join(); ok {
			t.Error("a third listener was let in")
		}
		rendered.Store(0)
		time.Sleep(10*time.Second + time.Millisecond)
		if n := rendered.Load(); n != 20 {
			t.Errorf("rendered %d times in 10 s for two listeners, want 20", n)
		}
		if len(one) != 1 || len(two) != 1 {
			t.Errorf("%d and %d events wait for listeners that do not read, want one each", len(one), len(two))
		}
		f.leave(one)
		f.leave(two)
		rendered.Store(0)
		time.Sleep(time.Minute)
		if n := rendered.Load(); n != 0 {
			t.Errorf("rendered %d times after the last had left", n)
		}
		again, ok := f.join()
		if !ok {
			t.Error("nobody is let in any more")
		}
		f.leave(again)
	})
}

// flushed is a listener without a socket.
type flushed struct {
	*httptest.ResponseRecorder
	events atomic.Int32
}

func (f *flushed) FlushError() error { f.events.Add(1); return nil }

func TestEventsAreWholePictures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(source())
		ctx, cancel := context.WithCancel(t.Context())
		w := &flushed{ResponseRecorder: httptest.NewRecorder()}
		req := httptest.NewRequest(http.MethodGet, "/api/v1/events", nil).WithContext(ctx)
		time.AfterFunc(2*time.Second+time.Millisecond, cancel)
		h.ServeHTTP(w, req)
		if n := w.events.Load(); n != 5 {
			t.Errorf("%d events in 2 s, want one at once and then four", n)
		}
		body := w.Body.String()
		for _, want := range []string{"event: snapshot\ndata: {", `"remaining":60000`, `"waiting":7`, `"opened":2`, `"warnings":[{"id":"quota/org`, `"status_429":1`, `"id":"last"`, `"version":"v9"`} {
			if !strings.Contains(body, want) {
				t.Errorf("the events lack %s", want)
			}
		}
	})
}

func TestEventsEndWhenTheServerCloses(t *testing.T) {
	src, closing := source(), make(chan struct{})
	src.Closing = closing
	srv := httptest.NewServer(New(src))
	defer srv.Close() // hangs if the stream does not end
	resp, err := http.Get(srv.URL + "/api/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	if !lines.Scan() || lines.Text() != "event: snapshot" {
		t.Errorf("first line %q", lines.Text())
	}
	close(closing)
	for lines.Scan() {
	}
	if err := lines.Err(); err != nil {
		t.Errorf("the stream did not end cleanly: %v", err)
	}
}

func TestSnapshotHasTheLadder(t *testing.T) {
	var s snapshot
	body, ok := strings.CutPrefix(string(New(source()).snapshot()), "event: snapshot\ndata: ")
	if err := json.Unmarshal([]byte(body), &s); !ok || err != nil {
		t.Fatal(err)
	}
	if rungs := s.Degradation.Rungs; len(rungs) != 1 || rungs[0].Places != 7 || len(rungs[0].InForce) != feedPlaces {
		t.Errorf("the ladder: %+v", rungs)
	}
}
