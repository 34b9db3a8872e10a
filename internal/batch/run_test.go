package batch_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/internal/batch"
	"github.com/weir-gateway/weir/internal/memnet"
	"github.com/weir-gateway/weir/sim"
)

// desk is a simulated API with somebody before it who may lose what passes.
type desk struct {
	*testing.T
	srv  *sim.Server
	api  *batch.API
	in   *batch.Input
	out  *batch.Output
	name string // of the results
	lose func(*http.Request) loss
	seen atomic.Int64 // requests
}

// loss is what becomes of a request.
type loss int

const (
	passes loss = iota
	answerLost
	requestLost
)

func (d *desk) RoundTrip(req *http.Request) (*http.Response, error) {
	d.seen.Add(1)
	what := passes
	if d.lose != nil {
		what = d.lose(req)
	}
	if what == requestLost {
		return nil, errors.New("the connection broke")
	}
	resp, err := d.api.Transport.(*door).next.RoundTrip(req)
	if what == answerLost && err == nil {
		resp.Body.Close()
		return nil, errors.New("the connection broke")
	}
	return resp, err
}

// door leads through the desk.
type door struct {
	*desk
	next http.RoundTripper
}

// at runs a test in a bubble, with a file of n requests.
func at(t *testing.T, c sim.Config, n int, test func(d *desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		srv, err := sim.New(c)
		if err != nil {
			t.Fatal(err)
		}
		transport, stop := memnet.Serve(srv)
		d := &desk{T: t, srv: srv, name: filepath.Join(t.TempDir(), "out.jsonl")}
		d.api = &batch.API{Base: "http://api", Transport: &door{d, transport}, Header: http.Header{
			"X-Api-Key": {"sk-ant-test"}, "Anthropic-Version": {"2023-06-01"},
		}}
		var lines strings.Builder
		for i := range n {
			fmt.Fprintf(&lines, `{"custom_id":"doc-%d","params":%s}`+"\n", i, params)
		}
		if d.in, err = batch.OpenInput(write(t, lines.String())); err != nil {
			t.Fatal(err)
		}
		d.open()
		defer func() {
			d.in.Close()
			d.out.Close()
			stop()
			time.Sleep(time.Minute) // net/http lets connections linger
		}()
		test(d)
	})
}

func (d *desk) open() {
	d.Helper()
	var err error
	if d.out, err = batch.OpenOutput(d.name); err != nil {
		d.Fatal(err)
	}
}

// again closes the results and opens them as another process would.
func (d *desk) again() {
	d.Helper()
	if err := d.out.Close(); err != nil {
		d.Fatal(err)
	}
	d.open()
}

func (d *desk) batches(ctx context.Context, size int) (batch.State, error) {
	var p batch.Progress
	p.Begin(d.in.Len(), 0)
	b := &batch.Batches{API: d.api, State: d.name + ".state", Size: size, Progress: &p}
	err := b.Run(ctx, d.in, d.out)
	return p.State(), err
}

func (d *desk) queue(ctx context.Context) (batch.State, error) {
	var p batch.Progress
	p.Begin(d.in.Len(), 0)
	q := &batch.Queue{API: d.api, Concurrency: 4, Grace: time.Second, Progress: &p}
	err := q.Run(ctx, d.in, d.out)
	return p.State(), err
}

// isCreate reports whether a request makes a batch.
func isCreate(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/batches")
}

// first loses the first request that is of a kind.
func first(what loss, is func(*http.Request) bool) func(*http.Request) loss {
	var once sync.Once
	return func(r *http.Request) (out loss) {
		if is(r) {
			once.Do(func() { out = what })
		}
		return out
	}
}

func TestBatchesAreMadeOnce(t *testing.T) {
	for name, c := range map[string]struct {
		lose     func(*http.Request) loss
		stranger bool // somebody else has made a batch of the same size
	}{
		"nothing-lost":         {nil, false},
		"answer-lost":          {first(answerLost, isCreate), false},
		"request-lost":         {first(requestLost, isCreate), false},
		"answer-lost-in-crowd": {first(answerLost, isCreate), true},
		"request-lost-crowd":   {first(requestLost, isCreate), true},
		"look-lost":            {first(answerLost, func(r *http.Request) bool { return r.Method == http.MethodGet }), false},
	} {
		t.Run(name, func(t *testing.T) {
			at(t, sim.Config{Timing: sim.Timing{Batch: 2 * time.Minute}}, 50, func(d *desk) {
				others := 0
				if c.stranger {
					var list []string
					for i := range 20 {
						list = append(list, fmt.Sprintf(`{"custom_id":"other-%d","params":%s}`, i, params))
					}
					if _, err := d.api.Create(d.Context(), []byte(`{"requests":[`+strings.Join(list, ",")+`]}`)); err != nil {
						d.Fatal(err)
					}
					others = 20
				}
				d.lose = c.lose
				s, err := d.batches(d.Context(), 20)
				if err != nil || s.Done != 50 || s.Failed != 0 || d.out.Kinds()["succeeded"] != 50 {
					d.Errorf("%+v, %v", s, err)
				}
				if st := d.srv.Stats().Batches; st.Requests != int64(50+others) {
					d.Errorf("%d requests were put into batches, want %d", st.Requests, 50+others)
				}
			})
		})
	}
}

// TestBatchesGoOn stops a run at many points, each time by losing the process
// at once, and goes on with another.
func TestBatchesGoOn(t *testing.T) {
	for stop := time.Duration(0); stop < 3*time.Minute; stop += 17 * time.Second {
		at(t, sim.Config{Timing: sim.Timing{Batch: 2 * time.Minute}}, 30, func(d *desk) {
			ctx, cancel := context.WithTimeout(d.Context(), stop)
			defer cancel()
			if _, err := d.batches(ctx, 7); err != nil && ctx.Err() == nil {
				d.Fatal(err)
			}
			d.again()
			_, err := d.batches(d.Context(), 7)
			if st := d.srv.Stats().Batches; err != nil || st.Requests != 30 || d.out.Kinds()["succeeded"] != 30 {
				d.Errorf("stopped after %v: %+v, %v, %v", stop, st, d.out.Kinds(), err)
			}
		})
	}
}

func TestBatchesResultsBreakOff(t *testing.T) {
	at(t, sim.Config{Scenario: &sim.Scenario{Faults: []sim.Fault{{Kind: sim.FaultReset, Endpoint: "batches", AfterEvents: 1, Requests: []int64{3, 4}}}}}, 40, func(d *desk) {
		s, err := d.batches(d.Context(), 40)
		if st := d.srv.Stats().Batches; err != nil || s.Done != 40 || st.Requests != 40 {
			d.Errorf("%+v, %v, %+v", s, err, st)
		}
	})
}

func TestBatchesThatFindNoRoom(t *testing.T) {
	at(t, sim.Config{Tier: "tier1-2025", Timing: sim.Timing{Batch: 90 * time.Second}}, 300, func(d *desk) {
		s, err := d.batches(d.Context(), 2) // 50 requests a minute to the endpoints
		if err != nil || s.Done != 300 {
			d.Errorf("%+v, %v", s, err)
		}
		if st := d.srv.Stats(); st.Batches.Requests != 300 || st.Limited[sim.BatchesLimit] == 0 {
			d.Errorf("%+v", st.Batches)
		}
	})
}

func TestBatchesEndBadly(t *testing.T) {
	at(t, sim.Config{Timing: sim.Timing{Batch: 48 * time.Hour}}, 10, func(d *desk) {
		s, err := d.batches(d.Context(), 10)
		if k := d.out.Kinds(); err != nil || s.Failed != 5 || k["succeeded"] != 5 || k["expired"] != 5 {
			d.Errorf("%+v, %v, %v", s, k, err)
		}
	})
	at(t, sim.Config{}, 10, func(d *desk) {
		d.api.Header.Set("X-Api-Key", "sk-invalid")
		_, err := d.batches(d.Context(), 10)
		if _, ok := errors.AsType[*batch.FatalError](err); !ok {
			d.Errorf("a bad key: %v", err)
		}
	})
}

func TestQueue(t *testing.T) {
	busy := &sim.Scenario{Faults: []sim.Fault{
		{Kind: "529", Every: 3}, {Kind: "500", Every: 7}, {Kind: sim.FaultReset, Every: 11},
		{Kind: sim.FaultStatus, Status: 400, Type: "invalid_request_error", Message: "prompt is too long", Requests: []int64{5}},
	}}
	at(t, sim.Config{Scenario: busy}, 60, func(d *desk) {
		s, err := d.queue(d.Context())
		if k := d.out.Kinds(); err != nil || k["succeeded"] != 59 || k["errored"] != 1 || s.Failed != 1 || s.Repeats < 20 {
			d.Errorf("%+v, %v, %v", s, k, err)
		}
		before := d.seen.Load()
		d.again()
		if _, err := d.queue(d.Context()); err != nil || d.seen.Load() != before {
			d.Errorf("the second run asked %d times, %v", d.seen.Load()-before, err)
		}
	})
	at(t, sim.Config{Tier: "tier1-2025"}, 120, func(d *desk) {
		if s, err := d.queue(d.Context()); err != nil || s.Done != 120 || s.Failed != 0 {
			d.Errorf("beyond the quota: %+v, %v", s, err)
		}
	})
}

func TestQueueStops(t *testing.T) {
	at(t, sim.Config{Timing: sim.Timing{TTFT: 900 * time.Millisecond}}, 100, func(d *desk) {
		ctx, cancel := context.WithTimeout(d.Context(), 5*time.Second)
		defer cancel()
		s, err := d.queue(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || s.Done != 24 || d.srv.Stats().Status[200] != 24 {
			d.Errorf("those under way must end: %+v, %v", s, err)
		}
	})
	at(t, sim.Config{Timing: sim.Timing{TTFT: time.Hour}}, 100, func(d *desk) {
		ctx, cancel := context.WithTimeout(d.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		if s, err := d.queue(ctx); err == nil || s.Done != 0 || time.Since(began) != 6*time.Second {
			d.Errorf("they are cut off: %+v, %v after %v", s, err, time.Since(began))
		}
	})
	for name, kind := range map[string]string{"credit": sim.FaultNoCredit, "cap": sim.FaultEnforcedSpendLimit, "key": sim.FaultBadKey} {
		at(t, sim.Config{Scenario: &sim.Scenario{Faults: []sim.Fault{{Kind: kind}}}}, 100, func(d *desk) {
			s, err := d.queue(d.Context())
			if _, ok := errors.AsType[*batch.FatalError](err); !ok || s.Done != 0 || d.seen.Load() > 8 {
				d.Errorf("%s: %+v, %v, %d asked", name, s, err, d.seen.Load())
			}
		})
	}
}
