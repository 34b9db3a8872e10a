package notify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/memnet"
	"github.com/weir-gateway/weir/internal/notify"
)

const token = "https://hook.example/T0KEN"

// inbox is the other side of a hook. Its answers are those of statuses, in
// turn, and then 200.
type inbox struct {
	mu       sync.Mutex // guards the rest
	statuses []int
	header   http.Header
	began    time.Time
	lines    []string // what came, and when
	ids      map[string]bool
}

// ServeHTTP implements [http.Handler].
func (i *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	var m struct {
		Delivery string
		Events   []struct {
			Event   string
			Warning call.Warning
		}
	}
	_ = json.Unmarshal(raw, &m)
	var line strings.Builder
	line.WriteString(time.Since(i.began).Round(time.Second).String())
	for _, e := range m.Events {
		line.WriteString(" " + e.Event + " " + e.Warning.ID + " " + e.Warning.Level.String())
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.lines = append(i.lines, line.String())
	i.ids[m.Delivery] = true
	status := 200
	if len(i.statuses) > 0 {
		status, i.statuses = i.statuses[0], i.statuses[1:]
	}
	maps.Copy(w.Header(), i.header)
	w.WriteHeader(status)
}

// got lists what came, and forgets it.
func (i *inbox) got() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	out := strings.Join(i.lines, "\n")
	i.lines = nil
	return out
}

// deliveries counts those that differ.
func (i *inbox) deliveries() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.ids)
}

// post is a notifier with one hook, in a bubble.
type post struct {
	*notify.Notifier
	inbox *inbox
	log   bytes.Buffer
	stop  func()
}

func newPost(t *testing.T, statuses ...int) *post {
	t.Helper()
	p := &post{inbox: &inbox{statuses: statuses, began: time.Now(), ids: map[string]bool{}}}
	l := memnet.Listen()
	srv := &http.Server{Handler: p.inbox}
	go srv.Serve(l)
	transport := l.Transport()
	var err error
	p.Notifier, err = notify.New(notify.Config{
		Hooks:     []notify.Hook{{Name: "ops", URL: call.NewSecret(strings.Replace(token, "https", "http", 1)), Form: notify.JSON, Secret: call.NewSecret("s3cret")}},
		Transport: transport, Log: slog.New(slog.NewTextHandler(&p.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	p.stop = sync.OnceFunc(func() {
		cancel()
		<-ended
		transport.CloseIdleConnections()
		srv.Close()
	})
	t.Cleanup(p.stop)
	return p
}

func (p *post) count(outcome string) (n uint64) {
	for _, r := range p.Report() {
		if r.Outcome == outcome {
			n += r.Count
		}
	}
	return n
}

func warning(id string, level call.WarningLevel) call.Warning {
	return call.Warning{ID: id, Kind: call.AccountDown, Level: level, Key: "main", Cause: "no_credit"}
}

func list(w ...call.Warning) []call.Warning { return w }

func (p *post) expect(t *testing.T, want ...string) {
	t.Helper()
	if got := p.inbox.got(); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

func TestTheSameMatterIsNotToldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPost(t)
		a := warning("a", call.Urgent)
		p.Tell(list(a, warning("b", call.Notice)), nil)
		time.Sleep(10 * time.Second)
		p.expect(t, "0s raised a warning raised b notice")
		p.Tell(nil, list(a))
		time.Sleep(10 * time.Second)
		p.Tell(list(a), nil) // again, too soon
		time.Sleep(10 * time.Second)
		p.Tell(nil, list(a)) // nobody knows, nobody is told
		time.Sleep(10 * time.Second)
		p.expect(t, "10s cleared a warning")
		p.Tell(list(warning("a", call.Critical)), nil) // worse than ever
		time.Sleep(10 * time.Second)
		p.Tell(nil, list(warning("a", call.Critical)))
		p.Tell(nil, list(warning("never told", call.Critical)))
		time.Sleep(10 * time.Second)
		p.expect(t, "40s raised a critical", "50s cleared a critical")
		if n := p.count("suppressed"); n != 1 || p.count("sent") != 4 {
			t.Errorf("%d suppressed and %d sent, want 1 and 4", n, p.count("sent"))
		}
	})
}

// TestWhatIsStillTrueIsToldLater: a warning that came back too soon to be told
// is told when the interval is over, if it holds then.
func TestWhatIsStillTrueIsToldLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPost(t)
		for range 10 {
			p.Tell(list(warning("a", call.Urgent)), nil)
			time.Sleep(10 * time.Second)
			p.Tell(nil, list(warning("a", call.Urgent)))
			time.Sleep(10 * time.Second)
		}
		p.Tell(list(warning("a", call.Urgent)), nil)
		time.Sleep(time.Hour)
		p.expect(t, "0s raised a warning", "10s cleared a warning", "15m0s raised a warning")
	})
}

func TestRetries(t *testing.T) {
	for name, tc := range map[string]struct {
		statuses []int
		header   http.Header
		sent     string // seconds at which tries came
		outcome  string
	}{
		"at-once":     {nil, nil, "0s", "sent"},
		"third-time":  {[]int{500, 503}, nil, "0s 1s 3s", "sent"},
		"retry-after": {[]int{429}, http.Header{"Retry-After": {"7"}}, "0s 7s", "sent"},
		"gives-up":    {[]int{500, 500, 500, 500, 500}, nil, "0s 1s 3s 7s 15s", "failed"},
		"too-long":    {[]int{429}, http.Header{"Retry-After": {"600"}}, "0s", "failed"},
		"refused":     {[]int{403}, nil, "0s", "refused"},
		"redirect":    {[]int{307}, http.Header{"Location": {"http://other.example/"}}, "0s", "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPost(t, tc.statuses...)
				p.inbox.header = tc.header
				p.Tell(list(warning("a", call.Urgent)), nil)
				time.Sleep(time.Minute)
				var want []string
				for at := range strings.FieldsSeq(tc.sent) {
					want = append(want, at+" raised a warning")
				}
				p.expect(t, want...)
				if p.count(tc.outcome) != 1 || p.count("retried") != uint64(len(want)-1) || p.inbox.deliveries() != 1 {
					t.Errorf("%+v, %d deliveries", p.Report(), p.inbox.deliveries())
				}
				synctest.Wait() // nobody writes to the log now
				if logged := p.log.String(); tc.outcome == "sent" != (logged == "") || strings.Contains(logged, "T0KEN") || strings.Contains(logged, "s3cret") {
					t.Errorf("log: %q", logged)
				}
				time.Sleep(20 * time.Minute)
				if got := p.inbox.got(); tc.outcome == "sent" != (got == "") {
					t.Errorf("what reached nobody is told later, and only that: %q", got)
				}
			})
		})
	}
}

func TestErrorsHideTheAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		l := memnet.Listen()
		l.Close()
		n, err := notify.New(notify.Config{
			Hooks:     []notify.Hook{{Name: "ops", URL: call.NewSecret(token), Form: notify.Slack}},
			Transport: l.Transport(), Log: slog.New(slog.NewTextHandler(&log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		n.Tell(list(warning("a", call.Urgent)), nil)
		n.Run(ctx)
		if !strings.Contains(log.String(), "hook=ops outcome=failed") || strings.Contains(log.String(), "T0KEN") {
			t.Errorf("log: %s", &log)
		}
	})
}

// TestOldestMakesRoom: a hook that hangs holds up nobody, and its queue is
// bounded.
func TestOldestMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPost(t, 503)
		p.Tell(list(warning("first", call.Urgent)), nil)
		synctest.Wait() // it waits for its second try
		for i := range 100 {
			p.Tell(list(warning(fmt.Sprint(i), call.Urgent)), nil)
		}
		time.Sleep(time.Minute)
		posts := strings.Split(p.inbox.got(), "\n")
		if len(posts) != 2+4 || !strings.Contains(posts[2], "raised 36 warning") {
			t.Errorf("%d posts, want two of the first and 64 warnings in 4: %s", len(posts), posts)
		}
		if n := p.count("dropped"); n != 36 {
			t.Errorf("%d dropped, want 36", n)
		}
	})
}

func TestDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPost(t)
		p.Tell(list(warning("a", call.Urgent)), nil)
		p.stop()
		p.expect(t, "0s raised a warning")
	})
	synctest.Test(t, func(t *testing.T) { // but not for ever
		p := newPost(t, 500, 500, 500, 500, 500)
		p.Tell(list(warning("a", call.Urgent)), nil)
		time.Sleep(time.Second / 2)
		began := time.Now()
		p.stop()
		if took := time.Since(began); took != notify.DefaultDrain {
			t.Errorf("it took %v to end", took)
		}
	})
}

func TestConfigure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPost(t)
		hook := func(name string, levels ...call.WarningLevel) notify.Hook {
			return notify.Hook{Name: name, URL: call.NewSecret("http://hook.example"), Form: notify.JSON, Levels: levels}
		}
		p.Tell(list(warning("a", call.Urgent)), nil)
		time.Sleep(time.Second)
		if err := p.Configure(0, []notify.Hook{hook("ops"), hook("boss", call.Critical)}); err != nil {
			t.Fatal(err)
		}
		p.inbox.got()
		p.Tell(list(warning("b", call.Urgent)), list(warning("a", call.Urgent))) // ops remembers a
		time.Sleep(time.Second)
		p.Tell(list(warning("c", call.Critical)), nil)
		time.Sleep(time.Second)
		p.expect(t, "1s cleared a warning raised b warning", "2s raised c critical", "2s raised c critical")
		if err := p.Configure(0, []notify.Hook{hook("boss")}); err != nil {
			t.Fatal(err)
		}
		p.Tell(list(warning("d", call.Notice)), nil)
		time.Sleep(time.Second)
		p.expect(t, "3s raised d notice")
		if r := p.Report(); len(r) != 6 || r[0].Hook != "boss" {
			t.Errorf("%+v", r)
		}
		for _, bad := range [][]notify.Hook{{hook("")}, {hook("x"), hook("x")}, {{Name: "x", Form: "fax", URL: call.NewSecret("http://a")}}, {{Name: "x", Form: notify.Slack, URL: call.NewSecret("T0KEN")}}} {
			if err := p.Configure(0, bad); err == nil || strings.Contains(err.Error(), "T0KEN") {
				t.Errorf("%v", err)
			}
		}
	})
}

// TestRealSocket: one hook over a real socket, checked as its reader would.
func TestRealSocket(t *testing.T) {
	type delivery struct {
		header http.Header
		body   []byte
	}
	came := make(chan delivery, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		came <- delivery{r.Header, body}
	}))
	defer srv.Close()
	n, err := notify.New(notify.Config{Hooks: []notify.Hook{{Name: "ops", URL: call.NewSecret(srv.URL + "/hook"), Form: notify.JSON, Secret: call.NewSecret("s"), Lang: "zh"}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- n.Run(ctx) }()
	n.Tell(list(warning("a", call.Critical)), nil)
	d := <-came
	var at int64
	var mac string
	if _, err := fmt.Sscanf(d.header.Get("Weir-Signature"), "t=%d,v1=%s", &at, &mac); err != nil {
		t.Fatal(err)
	}
	if want := notify.Sign("s", time.Unix(at, 0), d.body); d.header.Get("Weir-Signature") != want || d.header.Get("Weir-Delivery") == "" {
		t.Errorf("headers: %v", d.header)
	}
	if !strings.Contains(string(d.body), "没有余额") && !strings.Contains(string(d.body), "余额") {
		t.Errorf("body: %s", d.body)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
