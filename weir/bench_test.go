package weir_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/weir-gateway/weir/internal/upstream"
	"github.com/weir-gateway/weir/weir"
)

// contest is the gateway and a bare reverse proxy in front of one upstream.
type contest struct{ gateway, proxy string }

func newContest(b *testing.B) contest {
	b.Helper()
	api := httptest.NewServer(http.HandlerFunc(instant))
	b.Cleanup(api.Close)
	g, err := weir.New(weir.WithUpstream(api.URL), weir.WithAPIKey("main", "sk-ant-api03-bench"))
	if err != nil {
		b.Fatal(err)
	}
	target, _ := url.Parse(api.URL)
	transport := upstream.NewTransport() // the gateway's own kind: only the houses differ
	front := httptest.NewServer(g.Handler())
	bare := httptest.NewServer(&httputil.ReverseProxy{
		Transport: transport,
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
	})
	b.Cleanup(func() {
		front.Close()
		bare.Close()
		transport.CloseIdleConnections()
		g.Close()
	})
	return contest{front.Listener.Addr().String(), bare.Listener.Addr().String()}
}

// team is some callers of one address.
type team []*caller

func newTeam(b *testing.B, address string, connections int) team {
	b.Helper()
	t := make(team, connections)
	for i := range t {
		var err error
		if t[i], err = newCaller(address); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { t[i].conn.Close() })
	}
	return t
}

// run makes each caller post body n times and returns how long it took.
func (t team) run(b *testing.B, n int, body []byte) time.Duration {
	began := time.Now()
	var wg sync.WaitGroup
	for _, c := range t {
		wg.Go(func() {
			for range n {
				if _, err := c.call("mark", body); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}

// BenchmarkAgainstReverseProxy measures the throughput of the gateway as a
// share of that of a bare httputil.ReverseProxy. Short slices of both take
// turns, so that whatever else the machine does falls on both.
func BenchmarkAgainstReverseProxy(b *testing.B) {
	for _, c := range []struct {
		name        string
		body        []byte
		connections int
		slice       int // calls of a connection
	}{
		{"json-1KB", instantBody(1<<10, false), 64, 8},
		{"stream-1KB", instantBody(1<<10, true), 64, 8},
		{"json-1MB", instantBody(1<<20, false), 16, 2},
	} {
		b.Run(c.name, func(b *testing.B) {
			at := newContest(b)
			gateway, proxy := newTeam(b, at.gateway, c.connections), newTeam(b, at.proxy, c.connections)
			gateway.run(b, c.slice, c.body)
			proxy.run(b, c.slice, c.body)
			var ours, theirs time.Duration
			calls := 0
			for b.Loop() {
				ours += gateway.run(b, c.slice, c.body)
				theirs += proxy.run(b, c.slice, c.body)
				calls += c.connections * c.slice
			}
			b.ReportMetric(theirs.Seconds()/ours.Seconds(), "ratio")
			b.ReportMetric(float64(calls)/ours.Seconds(), "gateway/s")
			b.ReportMetric(float64(calls)/theirs.Seconds(), "proxy/s")
			b.ReportMetric(0, "ns/op") // of no meaning here
		})
	}
}

// BenchmarkAddedLatency measures what the gateway adds to a call beside a bare
// reverse proxy while both are called 500 times a second.
func BenchmarkAddedLatency(b *testing.B) {
	const connections, rate, turn = 10, 500, 100
	at := newContest(b)
	gateway, proxy := newTeam(b, at.gateway, connections), newTeam(b, at.proxy, connections)
	body := instantBody(1<<10, false)
	gateway.run(b, turn, body)
	proxy.run(b, turn, body)
	var mu sync.Mutex // guards ours and theirs
	var ours, theirs []time.Duration
	for b.Loop() {
		var wg sync.WaitGroup
		for i := range connections {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Second / rate)
				tick := time.NewTicker(connections * time.Second / rate)
				defer tick.Stop()
				for range turn {
					<-tick.C
					a, z := gateway[i:i+1].run(b, 1, body), proxy[i:i+1].run(b, 1, body)
					mu.Lock()
					ours, theirs = append(ours, a), append(theirs, z)
					mu.Unlock()
				}
			})
		}
		wg.Wait()
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	for _, percent := range []int{50, 99} {
		i := len(ours) * percent / 100
		b.ReportMetric(float64((ours[i]-theirs[i]).Microseconds())/1000, fmt.Sprintf("p%d-added-ms", percent))
	}
	b.ReportMetric(0, "ns/op") // of no meaning here
}
