package dash

import (
	"strings"
	"testing"

	"github.com/weir-gateway/weir/call"
)

// TestPromptCacheIsShownOnceItDoesSomething holds what the page and others read
// in the stream of events.
func TestPromptCacheIsShownOnceItDoesSomething(t *testing.T) {
	for calls, want := range map[uint64]bool{0: false, 2: true} {
		a := New(Source{Prompt: func() call.PromptCacheReport {
			return call.PromptCacheReport{Calls: calls, Freed: 7000, Saved: -call.Dollar / 4}
		}})
		got := string(a.snapshot())
		if shown := strings.Contains(got, `"calls":2,"freed_tokens":7000,"written_tokens":0,"saved_usd":"-0.25"`); shown != want {
			t.Errorf("%d calls: shown is %v in %s", calls, shown, got)
		}
	}
}
