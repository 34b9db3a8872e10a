package weir_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/weir"
)

func TestAnswersTellTheirStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const secret = "sk-ant-api03-do-not-tell"
		var asked atomic.Int32
		h := newHouse(t, func(w http.ResponseWriter, _ *http.Request) {
			if asked.Add(1) == 1 {
				w.WriteHeader(529)
				io.WriteString(w, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`)
				return
			}
			io.WriteString(w, answer)
		}, weir.WithAPIKey("main", secret), weir.WithVerboseHeaders(), weir.WithLadder(weir.Ladder{
			DryRun: true, Rungs: []weir.Rung{{Do: call.Rung{Kind: call.RungEffort, Effort: "low"}, Enter: when(t, always)}},
		}))
		resp, _ := h.post(t, heavy, "Weir-Class", "interactive", "Weir-Tenant", `we"b`)
		got := resp.Header.Get("Weir-Explain")
		for _, want := range []string{
			`class=interactive; tenant="we\"b"; expected=`, "; used=", `; waited=0.000s,key="main",529 in 0.000s; waited=`,
			`,key="main",200 in 0.000s; would=effort`,
		} {
			if !strings.Contains(got, want) {
				t.Errorf("no %s in %s", want, got)
			}
		}
		if strings.Contains(got, secret) || resp.Header.Get("Weir-Degraded") != "" {
			t.Errorf("told: %s, degraded %q", got, resp.Header.Get("Weir-Degraded"))
		}
		if resp, _ := h.post(t, `{"model":""}`); resp.StatusCode != 400 || !strings.HasPrefix(resp.Header.Get("Weir-Explain"), "class=") {
			t.Errorf("a refusal (%d) tells %q", resp.StatusCode, resp.Header.Get("Weir-Explain"))
		}
	})
}
