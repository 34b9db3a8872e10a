package flow_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/flow"
)

func TestOneMoreThanTheBoundWaitsItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := (&house{wait: time.Minute, answers: []call.Answer{{Status: 200}}}).corridor()
		f.Bound = flow.NewBound(2)
		ask := func() (*http.Response, *call.Call, error) {
			return f.Do(httptest.NewRequest(http.MethodPost, "/v1/messages", nil), func(*call.Call) {})
		}
		first, _, err := ask()
		if err != nil {
			t.Fatal(err)
		}
		second, _, err := ask()
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(10*time.Second, func() { first.Body.Close() })
		began := time.Now()
		third, c, err := ask()
		if err != nil || time.Since(began) != 10*time.Second {
			t.Fatalf("the third went on after %v, %v; want 10s", time.Since(began), err)
		}
		if len(c.Story) == 0 || c.Story[0].Wait.BoundBy != "queue.at_once" {
			t.Errorf("the story does not tell of the wait: %+v", c.Story)
		}
		began = time.Now()
		_, _, err = ask()
		no, ok := err.(*call.Refusal)
		if !ok || no.Reason != call.RuleRefused || time.Since(began) != time.Minute {
			t.Errorf("the fourth ended after %v with %v, want a refusal at its deadline", time.Since(began), err)
		}
		second.Body.Close()
		third.Body.Close()
		third.Body.Close()
		if last, _, err := ask(); err != nil {
			t.Error(err)
		} else {
			last.Body.Close()
		}
	})
}

func TestWithoutRetriesTheFirstFailureIsTheCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, kind := range []call.Kind{call.Overloaded, call.UpstreamFailed, call.RateLimited} {
			h := &house{wait: time.Minute, answers: []call.Answer{failed(529, kind)}}
			f := h.corridor()
			f.NoRetry = true
			resp, _, err := f.Do(httptest.NewRequest(http.MethodPost, "/v1/messages", nil), func(*call.Call) {})
			if err != nil || resp.StatusCode != 529 || h.sent != 1 {
				t.Errorf("%v: %d attempts, %v", kind, h.sent, err)
			}
		}
	})
}
