package weir_test

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/weir"
)

// TestWhatIsNotRetriedIsLearned: without retries the caller gets the API's 429 at
// once, and the next call waits for as long as the API has said.
func TestWhatIsNotRetriedIsLearned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		h := newHouse(t, func(w http.ResponseWriter, _ *http.Request) {
			if asked++; asked == 2 {
				w.Header().Set("Retry-After", "20")
				w.WriteHeader(429)
				io.WriteString(w, `{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your organization's rate limit of 50 requests per minute."}}`)
				return
			}
			io.WriteString(w, answer)
		}, weir.WithoutRetries())
		for i, want := range []struct {
			status int
			took   time.Duration
		}{{200, 0}, {429, 0}, {200, 20 * time.Second}} {
			began := time.Now()
			resp, _ := h.post(t, request)
			if took := time.Since(began).Round(time.Second); resp.StatusCode != want.status || took < want.took || took > want.took+2*time.Second {
				t.Errorf("call %d: %d after %v, want %d after %v", i+1, resp.StatusCode, took, want.status, want.took)
			}
		}
		if asked != 3 || h.inFlight() != 0 {
			t.Errorf("the API was asked %d times, %d permits are open", asked, h.inFlight())
		}
	})
}
