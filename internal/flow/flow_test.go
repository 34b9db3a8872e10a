package flow_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/flow"
)

// house is a corridor whose rooms follow a script and write down what happens.
type house struct {
	answers []call.Answer // of the attempts, in order; the last one repeats
	refuse  *call.Refusal // by admission, from the second attempt on
	wait    time.Duration // until the deadline
	log     []string
	sent    int
	open    int // permits not ended
	settled call.Usage
	lost    call.Usage
	leave   func() // by the client, while an answer is gathered
}

func (h *house) Classify(req *http.Request, now time.Time) (*call.Call, error) {
	return &call.Call{Endpoint: call.Messages, Received: now, Deadline: now.Add(h.wait), Gather: h.leave != nil}, nil
}
func (h *house) Estimate(*call.Call) call.Estimate { return call.Estimate{Input: 10} }
func (h *house) Pick(time.Time, *call.Call, call.Outlook) (call.Key, error) {
	return call.Key{Print: "k"}, nil
}
func (h *house) Observe(time.Time, call.Evidence) {}

func (h *house) Admit(context.Context, *call.Call, string) (*call.Permit, error) {
	if h.refuse != nil && h.sent > 0 {
		return nil, h.refuse
	}
	h.open++
	return call.NewPermit(&till{h}), nil
}

func (h *house) Send(_ context.Context, _ *call.Call, _ call.Key) *call.Answer {
	a := h.answers[min(h.sent, len(h.answers)-1)]
	h.sent++
	if a.Status != 0 {
		a.Body, a.Header = io.NopCloser(strings.NewReader("body")), http.Header{}
	}
	return &a
}
func (h *house) Forward(context.Context, *call.Call, call.Key, io.Reader, int64) (*http.Response, error) {
	return nil, errors.New("not metered")
}
func (h *house) Open(_ *call.Call, p *call.Permit, a *call.Answer) io.ReadCloser {
	p.Settle(time.Now(), call.Usage{Exact: true})
	return a.Body
}
func (h *house) Gather(_ *call.Call, _ *call.Permit, a *call.Answer) *call.Answer {
	h.leave()
	a.Usage = call.Usage{Input: 3, Output: 4, Exact: true}
	return a
}
func (h *house) End(*call.Call, int, string, string) {}

// till is the far end of the scripted permits.
type till struct{ h *house }

func (t *till) Observe(time.Time, call.Limits)   {}
func (t *till) Input(time.Time, call.Usage)      {}
func (t *till) Output(time.Time, call.Tokens)    {}
func (t *till) Settle(_ time.Time, u call.Usage) { t.h.open--; t.h.settled = u }
func (t *till) Headroom(time.Time) call.Headroom { return call.Headroom{} }
func (t *till) Reject(_ time.Time, _ call.Limits, v call.Verdict) bool {
	t.h.open--
	t.h.log = append(t.h.log, "rejected "+v.Kind.String())
	return v.Code == "never"
}

func (h *house) corridor() *flow.Corridor {
	return &flow.Corridor{
		Classify: h, Estimate: h, Keys: h, Admit: h, Upstream: h, Account: h,
		Limits: func(http.Header) call.Limits { return call.Limits{} }, Retries: flow.NewRetryBudget(),
	}
}

func (h *house) run(t *testing.T, ctx context.Context) (*http.Response, time.Duration, error) {
	t.Helper()
	began := time.Now()
	resp, c, err := h.corridor().Do(httptest.NewRequestWithContext(ctx, "POST", "/v1/messages", nil), func(*call.Call) {})
	h.lost = c.Lost
	return resp, time.Since(began), err
}

func failed(status int, kind call.Kind) call.Answer {
	return call.Answer{Status: status, Verdict: call.Verdict{Kind: kind, Status: status}}
}

var fine = call.Answer{Status: 200}

func TestAttempts(t *testing.T) {
	down := call.Answer{Verdict: call.Verdict{Kind: call.Unreachable}, Cause: errors.New("connection refused")}
	limited := call.Answer{Status: 429, Verdict: call.Verdict{Kind: call.RateLimited, RetryAfter: time.Second}}
	never := call.Answer{Status: 429, Verdict: call.Verdict{Kind: call.RateLimited, Code: "never"}}
	for name, tc := range map[string]struct {
		house  house
		sent   int
		status int         // of the response, or 0
		reason call.Reason // of the refusal
		log    []string
	}{
		"at-once":              {house{answers: []call.Answer{fine}}, 1, 200, 0, nil},
		"request-at-fault":     {house{answers: []call.Answer{failed(400, call.BadRequest)}}, 1, 400, 0, nil},
		"account-at-fault":     {house{answers: []call.Answer{failed(429, call.SpendCap)}}, 1, 429, 0, nil},
		"limited-then-fine":    {house{answers: []call.Answer{limited, limited, fine}}, 3, 200, 0, []string{"rejected rate_limited", "rejected rate_limited"}},
		"overloaded-then-fine": {house{answers: []call.Answer{failed(529, call.Overloaded), fine}}, 2, 200, 0, []string{"rejected overloaded"}},
		"failed-then-fine":     {house{answers: []call.Answer{failed(500, call.UpstreamFailed), down, fine}}, 3, 200, 0, nil},
		"keeps-failing":        {house{answers: []call.Answer{failed(503, call.UpstreamFailed)}}, 6, 503, 0, nil},
		"keeps-unreachable":    {house{answers: []call.Answer{down}}, 6, 0, call.UpstreamDown, nil},
		"never-fits":           {house{answers: []call.Answer{never}}, 1, 0, call.TooLarge, []string{"rejected rate_limited"}},
		"no-place-any-more":    {house{answers: []call.Answer{limited}, refuse: &call.Refusal{Reason: call.TimedOut}}, 1, 0, call.TimedOut, []string{"rejected rate_limited"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := tc.house
				h.wait = 10 * time.Minute
				resp, _, err := h.run(t, t.Context())
				status := 0
				if resp != nil {
					status = resp.StatusCode
				}
				refusal, _ := errors.AsType[*call.Refusal](err)
				if status != tc.status || (refusal != nil && refusal.Reason != tc.reason) || (refusal == nil) == (tc.status == 0) {
					t.Errorf("status %d, error %v", status, err)
				}
				if h.sent != tc.sent || !slices.Equal(h.log, tc.log) || h.open != 0 {
					t.Errorf("sent %d times, %v, %d permits left open", h.sent, h.log, h.open)
				}
			})
		})
	}
}

func TestGivesUpBeforeItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := house{answers: []call.Answer{{Status: 529, Verdict: call.Verdict{Kind: call.Overloaded, RetryAfter: 20 * time.Second}}}, wait: 50 * time.Second}
		resp, took, err := h.run(t, t.Context())
		if err != nil || resp.StatusCode != 529 || took > 50*time.Second {
			t.Errorf("after %v: %v, %v; want the upstream's own last answer in time", took, resp, err)
		}
	})
}

func TestClientGoneWhileItSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := house{answers: []call.Answer{{Status: 529, Verdict: call.Verdict{Kind: call.Overloaded, RetryAfter: time.Minute}}}, wait: time.Hour}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, took, err := h.run(t, ctx)
		refusal, ok := errors.AsType[*call.Refusal](err)
		if !ok || refusal.Reason != call.ClientGone || took != 3*time.Second || h.open != 0 {
			t.Errorf("after %v: %v, %d permits open", took, err, h.open)
		}
	})
}

// TestClientGoneWithTheLastByte: an answer that is whole when its client has
// left has cost what it says.
func TestClientGoneWithTheLastByte(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	h := house{answers: []call.Answer{{Status: 200, Stream: true}}, wait: time.Minute, leave: leave}
	_, _, err := h.run(t, ctx)
	no, _ := errors.AsType[*call.Refusal](err)
	if no == nil || no.Reason != call.ClientGone || h.open != 0 {
		t.Errorf("%v, %d permits left open", err, h.open)
	}
	if want := (call.Usage{Input: 3, Output: 4, Exact: true}); h.settled != want || h.lost.Input != 3 || h.lost.Output != 4 {
		t.Errorf("settled %+v, booked %+v, want %+v", h.settled, h.lost, want)
	}
}

func TestWithoutRetriesTheFirstFailureIsTheCallers(t *testing.T) {
	for kind, log := range map[call.Kind][]string{
		call.Overloaded: {"rejected overloaded"}, call.RateLimited: {"rejected rate_limited"}, call.UpstreamFailed: nil,
	} {
		h := &house{wait: time.Minute, answers: []call.Answer{failed(529, kind)}}
		f := h.corridor()
		f.NoRetry = true
		resp, _, err := f.Do(httptest.NewRequest(http.MethodPost, "/v1/messages", nil), func(*call.Call) {})
		if err != nil || resp.StatusCode != 529 || h.sent != 1 {
			t.Errorf("%v: %d attempts, %v", kind, h.sent, err)
		}
		if !slices.Equal(h.log, log) || h.open != 0 {
			t.Errorf("%v: the quota heard %v, want %v; %d permits left open", kind, h.log, log, h.open)
		}
	}
}

// TestTheQuotaHearsOfProbes that the upstream has no room for.
func TestTheQuotaHearsOfProbes(t *testing.T) {
	h := &house{answers: []call.Answer{failed(429, call.RateLimited)}}
	h.corridor().Probe(t.Context(), &call.Call{Endpoint: call.Messages}, call.Key{Print: "k"})
	if h.sent != 1 || !slices.Equal(h.log, []string{"rejected rate_limited"}) || h.open != 0 {
		t.Errorf("%d attempts, the quota heard %v, %d permits left open", h.sent, h.log, h.open)
	}
}
