package weir_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// collecting is a gateway that collects, while it runs.
type collecting struct {
	*twoRooms
	gateway *weir.Gateway
	client  *http.Client
	stop    func()
}

// inBatches runs a test in a bubble, with a gateway that makes a batch every
// minute.
func inBatches(t *testing.T, c sim.Config, test func(k *collecting)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		k := &collecting{twoRooms: newTwoRooms(t, c)}
		k.start()
		defer func() { k.stop() }()
		test(k)
	})
}

func (k *collecting) start() {
	k.gateway, k.client = k.open(weir.Batches{Collect: true, Booked: k.booked}, "k1", "k2")
	ctx, cancel := context.WithCancel(k.Context())
	ended := make(chan error)
	go func() { ended <- k.gateway.Run(ctx) }()
	k.stop = func() {
		cancel()
		<-ended
		k.gateway.Close()
	}
}

// booked says what the observer has been told.
func (k *collecting) booked(context.Context, []string) (map[string]bool, error) {
	k.journal.mu.Lock()
	defer k.journal.mu.Unlock()
	ids := map[string]bool{}
	for _, e := range k.journal.list {
		ids[e.ID] = true
	}
	return ids, nil
}

// paid returns the events that cost something.
func (k *collecting) paid() (list []call.Event) {
	k.journal.mu.Lock()
	defer k.journal.mu.Unlock()
	for _, e := range k.journal.list {
		if e.Cost > 0 {
			list = append(list, e)
		}
	}
	return list
}

// reply is an answer with its body read.
type reply struct {
	status int
	text   string
	err    error
	took   time.Duration
}

// wait sends a call that can wait for hours.
func (k *collecting) wait(ctx context.Context, body string, headers ...string) (r reply) {
	k.Helper()
	began := time.Now()
	req := newPost(k.T, "http://weir/v1/messages", body, append([]string{"Anthropic-Version", "2023-06-01", "Weir-Class", "batch", "Weir-Max-Wait", "30h"}, headers...)...)
	resp, err := k.client.Do(req.WithContext(ctx))
	if err != nil {
		return reply{err: err}
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, string(raw), err, time.Since(began)}
}

// all sends bodies at once.
func (k *collecting) all(bodies ...string) []reply {
	out := make([]reply, len(bodies))
	var wg sync.WaitGroup
	for i, body := range bodies {
		wg.Go(func() { out[i] = k.wait(k.Context(), body) })
	}
	wg.Wait()
	return out
}

func numbered(i int) string { return strings.Replace(request, "hi", fmt.Sprint("hi ", i), 1) }

func TestCollect(t *testing.T) {
	inBatches(t, sim.Config{Timing: sim.Timing{Batch: 20 * time.Minute}}, func(k *collecting) {
		var bodies []string
		for i := range 10 {
			body := numbered(i)
			if i%2 == 1 {
				body = strings.Replace(body, "{", `{"stream":true,`, 1)
			}
			bodies = append(bodies, body)
		}
		for i, r := range k.all(bodies...) {
			stream := i%2 == 1
			if r.err != nil || r.status != 200 || !strings.Contains(r.text, `"service_tier":"batch"`) || strings.Contains(r.text, "message_stop") != stream ||
				strings.HasPrefix(r.text, ping+ping) != stream || r.took < 20*time.Minute || r.took > 23*time.Minute {
				t.Errorf("%d: %+v", i, r)
			}
		}
		st := k.api.Stats()
		if st.Batches.Batches != 1 || st.Batches.Succeeded != 10 {
			t.Errorf("%+v", st.Batches)
		}
		paid, input := k.paid(), call.Tokens(0)
		for _, e := range paid {
			input += e.Usage.Input
			full := call.USD(e.Usage.Input)*1e6 + call.USD(e.Usage.Output)*5e6 // claude-haiku-4-5: $1 and $5 a million
			if !e.Usage.Batch || e.Class != call.Batch || e.Cost != full/2 || len(e.Story) != 1 || e.Story[0].Key != "k1" || e.Tenant == "" {
				t.Errorf("booked %+v, the full price is %v", e, full)
			}
		}
		if len(paid) != 10 || int64(input) != st.Batches.InputTokens {
			t.Errorf("%d are booked, of %d tokens", len(paid), input)
		}
		k.wait(k.Context(), bodies[0])
		if got := k.api.Stats().Batches.Requests; got != 11 {
			t.Errorf("an answer was given twice: %d requests", got)
		}
	})
}

func TestWhatIsNotCollected(t *testing.T) {
	inBatches(t, sim.Config{}, func(k *collecting) {
		for name, c := range map[string]struct {
			body    string
			headers []string
		}{
			"another-class": {request, []string{"Weir-Class", "normal"}},
			"short-wait":    {request, []string{"Weir-Max-Wait", "59m"}},
			"file":          {strings.Replace(request, `"hi"`, `[{"type":"document","source":{"type":"file","file_id":"f"}},{"type":"text","text":"hi"}]`, 1), nil},
			"fast":          {strings.Replace(request, "{", `{"speed":"fast",`, 1), nil},
		} {
			if r := k.wait(k.Context(), c.body, c.headers...); r.took > 10*time.Second {
				t.Errorf("%s: %+v", name, r)
			}
		}
		if st := k.api.Stats().Batches; st.Batches != 0 {
			t.Errorf("%+v", st)
		}
	})
}

func TestCollectedOfferedAgain(t *testing.T) {
	inBatches(t, sim.Config{Timing: sim.Timing{Batch: 10 * time.Minute}}, func(k *collecting) {
		ctx, leave := context.WithTimeout(k.Context(), 90*time.Second)
		defer leave()
		if r := k.wait(ctx, request); !errors.Is(r.err, context.DeadlineExceeded) {
			t.Errorf("%+v", r)
		}
		if r := k.wait(k.Context(), request, "X-Stainless-Timeout", "60"); r.status != 504 || !strings.Contains(r.text, "batch_running") || r.took > time.Minute {
			t.Errorf("a client with a deadline: %+v", r)
		}
		if r := k.wait(k.Context(), request); r.status != 200 || r.took > 9*time.Minute {
			t.Errorf("%+v", r)
		}
		twins := k.all(request, request)
		if twins[0].text == twins[1].text || twins[0].status != 200 || twins[1].status != 200 {
			t.Errorf("two that wait at once are two requests: %+v", twins)
		}
		if n := k.api.Stats().Batches.Requests; n != 3 {
			t.Errorf("%d requests were put into batches, want 3", n)
		}
		keyed := k.wait(k.Context(), request, "Idempotency-Key", "one")
		if again := k.wait(k.Context(), request, "Idempotency-Key", "one"); again.text != keyed.text || again.took > time.Second {
			t.Errorf("with an idempotency key: %+v, want %+v", again, keyed)
		}
		if other := k.wait(k.Context(), request, "Idempotency-Key", "two"); other.text == keyed.text {
			t.Error("two keys have one answer")
		}
		if n := k.api.Stats().Batches.Requests; n != 5 || len(k.paid()) != 5 {
			t.Errorf("%d requests were put into batches, %d paid for, want 5", n, len(k.paid()))
		}
	})
}

func TestNobodyWaits(t *testing.T) {
	inBatches(t, sim.Config{}, func(k *collecting) {
		ctx, leave := context.WithTimeout(k.Context(), 30*time.Second)
		defer leave()
		k.wait(ctx, request)
		time.Sleep(time.Hour)
		if st := k.api.Stats().Batches; st.Requests != 0 {
			t.Errorf("nobody waits for %+v", st)
		}
		if r := k.wait(k.Context(), request); r.status != 200 || k.api.Stats().Batches.Requests != 1 {
			t.Errorf("%+v", r)
		}
	})
}

func TestCollectedAcrossRestarts(t *testing.T) {
	inBatches(t, sim.Config{Timing: sim.Timing{Batch: 10 * time.Minute}}, func(k *collecting) {
		drained := make(chan reply)
		go func() { drained <- k.wait(k.Context(), request) }()
		time.Sleep(2 * time.Minute)
		k.gateway.Drain()
		if r := <-drained; r.status != 503 || !strings.Contains(r.text, "draining") {
			t.Errorf("while it drains: %+v", r)
		}
		k.stop()
		time.Sleep(5 * time.Minute)
		k.start()
		if r := k.wait(k.Context(), request); r.status != 200 || r.took > 5*time.Minute {
			t.Errorf("%+v", r)
		}
		if st := k.api.Stats().Batches; st.Requests != 1 || len(k.paid()) != 1 {
			t.Errorf("%+v, %d paid for", st, len(k.paid()))
		}
	})
}

func TestCollectedInVain(t *testing.T) {
	inBatches(t, sim.Config{Timing: sim.Timing{Batch: time.Hour}}, func(k *collecting) {
		r := k.wait(k.Context(), strings.Replace(request, `"max_tokens":10`, `"max_tokens":1000000`, 1))
		if r.status != 400 || !strings.Contains(r.text, "maximum allowed number of output tokens") || r.took < time.Hour || len(k.paid()) != 0 {
			t.Errorf("its own fault: %+v, %d paid for", r, len(k.paid()))
		}
	})
	inBatches(t, sim.Config{Speed: 60, Timing: sim.Timing{Batch: 100 * time.Hour}}, func(k *collecting) {
		for _, r := range k.all(numbered(1), numbered(2)) { // the batch expires before either is done
			if r.status != 200 || !strings.Contains(r.text, `"service_tier":"standard"`) {
				t.Errorf("%+v", r)
			}
		}
		if len(k.paid()) != 2 {
			t.Errorf("%d paid for", len(k.paid()))
		}
	})
}

// losing loses the answer to the first batch that is made.
type losing struct {
	http.RoundTripper
	once sync.Once
}

func (l *losing) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(req)
	if err == nil && req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/batches") {
		l.once.Do(func() {
			resp.Body.Close()
			resp, err = nil, errors.New("the connection broke")
		})
	}
	return resp, err
}

func TestCollectedBatchIsMadeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &collecting{twoRooms: newTwoRooms(t, sim.Config{Timing: sim.Timing{Batch: 10 * time.Minute}})}
		k.more = []weir.Option{
			weir.WithHTTPTransport(&losing{RoundTripper: serveInMemory(t, k.api)}),
			weir.WithClients(weir.Client{Name: "team", Token: "sk-ant-api-test"}),
		}
		k.start()
		defer func() { k.stop() }()
		for _, r := range k.all(numbered(0), numbered(1)) {
			if r.status != 200 || r.took > 30*time.Minute {
				t.Errorf("%+v", r)
			}
		}
		if st := k.api.Stats().Batches; st.Requests != 2 || len(k.paid()) != 2 {
			t.Errorf("%+v, %d paid for", st, len(k.paid()))
		}
	})
}

// TestCollectedCallsDrawOnBudgets: money is set aside before a call is written
// down, and what it has cost is spent when its result is there.
func TestCollectedCallsDrawOnBudgets(t *testing.T) {
	inBatches(t, sim.Config{Timing: sim.Timing{Batch: 20 * time.Minute}}, func(k *collecting) {
		month := weir.Budget{Name: "month", Limit: call.Dollar, Period: "month"}
		look := func() call.BudgetReport { return k.gateway.Budgets()[0] }
		if err := k.gateway.SetBudgets([]weir.Budget{month}); err != nil {
			t.Fatal(err)
		}
		answered := make(chan []reply)
		go func() { answered <- k.all(numbered(1), numbered(2), numbered(3)) }()
		left := make(chan reply)
		ctx, leave := context.WithTimeout(k.Context(), 30*time.Second)
		defer leave()
		go func() { left <- k.wait(ctx, numbered(4)) }()
		time.Sleep(20 * time.Second)
		if b := look(); b.Reserved == 0 || b.Spent != 0 {
			t.Errorf("while they wait: %+v", b)
		}
		before := look().Reserved
		<-left
		synctest.Wait()
		if b := look(); b.Reserved*4 != before*3 {
			t.Errorf("one of four has left: %v is set aside, it was %v", b.Reserved, before)
		}
		var paid call.USD
		for _, r := range <-answered {
			if r.status != http.StatusOK {
				t.Errorf("%+v", r)
			}
		}
		for _, e := range k.paid() {
			paid += e.Cost
		}
		if b := look(); b.Spent != paid || b.Reserved != 0 || paid == 0 {
			t.Errorf("%v is paid: %+v", paid, b)
		}
		month.Limit = paid + 1
		if err := k.gateway.SetBudgets([]weir.Budget{month}); err != nil {
			t.Fatal(err)
		}
		if r := k.wait(k.Context(), numbered(5)); r.status != http.StatusTooManyRequests || !strings.Contains(r.text, "budget_spent") {
			t.Errorf("the budget is spent: %+v", r)
		}
		if n := k.api.Stats().Batches.Requests; n != 3 {
			t.Errorf("%d requests are in batches", n)
		}
	})
}
