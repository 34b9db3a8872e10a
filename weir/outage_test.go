package weir_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/internal/breaker"
	"github.com/weir-gateway/weir/internal/sentinel"
	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// outage is an upstream of which everything fails for a minute.
type outage struct {
	*house
	from, to time.Time
	fail     http.HandlerFunc

	mu     sync.Mutex // guards the rest
	calls  []time.Time
	opened time.Time // when the first call was refused by the breaker
	late   []string  // what was wrong with refusals after that
	lost   int       // calls that failed without having been refused at once
	whole  int
}

func newOutage(t *testing.T, fail http.HandlerFunc, core breaker.Builder) *outage {
	o := &outage{from: time.Now().Add(10 * time.Second), fail: fail}
	o.to = o.from.Add(time.Minute)
	o.house = newHouse(t, o.serve, weir.WithBreaker(weir.Breaker{Core: core}))
	return o
}

func (o *outage) serve(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	o.calls = append(o.calls, time.Now())
	o.mu.Unlock()
	io.Copy(io.Discard, r.Body)
	time.Sleep(300 * time.Millisecond)
	if now := time.Now(); !now.Before(o.from) && now.Before(o.to) {
		o.fail(w, r)
		return
	}
	io.WriteString(w, answer)
}

// call makes one call, of a caller who would wait for three minutes.
func (o *outage) call(t *testing.T) {
	began := time.Now()
	resp, text := o.post(t, request, "Weir-Max-Wait", "3m")
	took := time.Since(began)
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case resp.StatusCode == http.StatusOK:
		o.whole++
	case !strings.Contains(text, `"rule":"`):
		o.lost++
	default:
		if o.opened.IsZero() {
			o.opened = began
		}
		after := resp.Header.Get("Retry-After")
		honest := resp.StatusCode == http.StatusBadGateway && after != "" && len(after) == 1 &&
			strings.Contains(text, "The API could not be reached or kept failing") && strings.Contains(text, "upstream_unavailable")
		if took >= 50*time.Millisecond || !honest {
			o.late = append(o.late, took.String()+" "+resp.Status+" retry-after "+after+" "+text)
		}
	}
}

// TestOutage: ten calls a second for two minutes, of which the upstream is down
// for one. Once the breaker has opened, calls are refused within 50 ms in honest
// words; calls that had begun before wait and are answered; and at most two
// probes after the end, all is as before.
func TestOutage(t *testing.T) {
	fails := map[string]http.HandlerFunc{
		"500":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"reset": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	}
	for kind, fail := range fails {
		for name, core := range map[string]breaker.Builder{"own": breaker.Window, "sentinel": sentinel.Build} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { newOutage(t, fail, core).pass(t) })
			})
		}
	}
}

func (o *outage) pass(t *testing.T) {
	var all sync.WaitGroup
	for range 1200 {
		all.Go(func() { o.call(t) })
		time.Sleep(100 * time.Millisecond)
	}
	all.Wait()
	before, during, probes := 0, 0, 0
	recovered := time.Time{}
	for _, b := range o.gateway.Protection().Breakers {
		if b.State == "closed" {
			recovered = b.Since
		}
	}
	for _, at := range o.calls {
		switch {
		case at.Before(o.opened):
			before++
		case at.Before(o.to):
			during++
		case at.Before(recovered):
			probes++
		}
	}
	refused := 1200 - o.whole - o.lost
	t.Logf("%d of 1200 answered, %d refused at once, %d lost; opened %v after the beginning of the outage, closed %v after its end; %d upstream calls while open, %d probes from the end on",
		o.whole, refused, o.lost, o.opened.Sub(o.from), recovered.Sub(o.to), during, probes)
	if o.lost > 0 || len(o.late) > 0 || refused < 300 {
		t.Errorf("%d lost, %d refused, of which wrongly: %v", o.lost, refused, o.late)
	}
	if recovered.IsZero() || probes > 2 || during > 15 || recovered.Sub(o.to) > 7*time.Second {
		t.Errorf("closed %v after the outage: %d probes; %d calls while open", recovered.Sub(o.to), probes, during)
	}
	if o.inFlight() != 0 {
		t.Errorf("%d permits were not settled", o.inFlight())
	}
}

// TestOverloadIsWaitedOut: overload is a lack of room. Even if every call meets
// it for a minute, nobody sees a 529.
func TestOverloadIsWaitedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const from, lasts = 10 * time.Second, time.Minute
		s := newStorm(t, sim.Fault{Kind: sim.FaultOverloaded, At: sim.Duration(from), For: sim.Duration(lasts)})
		s.rage(t, 5, 2*time.Minute)
		stats := s.api.Stats()
		sore := s.sore - from - lasts
		t.Logf("%d calls, %d upstream; took %v at the median, %v at p95, %v at most; calls from %v behind the end on noticed nothing",
			len(s.took), stats.Requests, s.quantile(0.5), s.quantile(0.95), s.quantile(1), sore)
		if len(s.bad) > 0 || stats.Requests > int64(len(s.took)*5/4) || sore > 30*time.Second {
			t.Errorf("failures by status: %v; %d calls upstream for %d; sore until %v behind the end", s.bad, stats.Requests, len(s.took), sore)
		}
		if s.inFlight() != 0 {
			t.Errorf("%d permits were not settled", s.inFlight())
		}
	})
}
