package weir_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/weir"
)

func TestBlocksOutliveARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data", "accounts.json")
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		serve := func(w http.ResponseWriter, r *http.Request) {
			asked++
			w.Header().Set("Anthropic-Organization-Id", "org")
			w.WriteHeader(http.StatusBadRequest)
			w.Write([]byte(`{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits. You will regain access on 2000-02-01 at 00:00 UTC."}}`))
		}
		life := func(calls int) (last string) {
			h := newHouse(t, serve, weir.WithAPIKey("main", "sk-ant-api-main"), weir.WithMemory(file))
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			wg.Go(func() { h.gateway.Run(ctx) })
			for range calls {
				_, last = h.post(t, request)
			}
			synctest.Wait()
			if keys := h.gateway.Quota().Keys; len(keys) != 1 || keys[0].State != "blocked" || keys[0].Until == nil {
				t.Errorf("keys %+v", keys)
			}
			cancel()
			wg.Wait()
			return last
		}
		life(3)
		if asked != 1 {
			t.Fatalf("the API was asked %d times", asked)
		}
		written, err := os.ReadFile(file)
		if err != nil || strings.Contains(string(written), "sk-ant") {
			t.Fatalf("%v: %s", err, written)
		}
		// The next life asks once, to see whether it still holds.
		if last := life(3); asked != 2 || !strings.Contains(last, "its own administrators") {
			t.Errorf("asked %d times in two lives; the last answer was %s", asked, last)
		}
		time.Sleep(32 * 24 * time.Hour) // of the bubble: the date has passed
		h := newHouse(t, func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(answer)) }, weir.WithAPIKey("main", "sk-ant-api-main"), weir.WithMemory(file))
		if resp, _ := h.post(t, request); resp.StatusCode != http.StatusOK {
			t.Errorf("after its date: %d", resp.StatusCode)
		}
	})
}
