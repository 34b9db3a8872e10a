package weir_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/weir"
)

func TestMaxTokensOfARequest(t *testing.T) {
	var policy weir.MaxTokens
	policy.Classes[call.Normal] = weir.MaxTokensBound{Default: 4000, Cap: 8000}
	policy.Classes[call.Batch] = weir.MaxTokensBound{Cap: 500}
	policy.Tenants = map[string]weir.MaxTokensBound{"acme": {Cap: 900}}
	var asked string
	front := behind(t, func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		asked = string(raw)
		io.WriteString(w, answer)
	}, weir.WithMaxTokens(policy))
	for name, c := range map[string]struct {
		body, want, warning string
		headers             []string
	}{
		"within":  {request, request, "", nil},
		"none":    {strings.Replace(request, `"max_tokens":10,`, "", 1), strings.Replace(request, `{"model":"claude-haiku-4-5","max_tokens":10,`, `{"max_tokens":4000,"model":"claude-haiku-4-5",`, 1), "", nil},
		"above":   {strings.Replace(request, "10", "9000", 1), strings.Replace(request, "10", "8000", 1), "max_tokens lowered; from=9000; to=8000", nil},
		"tenant":  {strings.Replace(request, "10", "9000", 1), strings.Replace(request, "10", "900", 1), "max_tokens lowered; from=9000; to=900", []string{"Weir-Tenant", "acme"}},
		"class":   {strings.Replace(request, "10", "9000", 1), strings.Replace(request, "10", "500", 1), "max_tokens lowered; from=9000; to=500", []string{"Weir-Class", "batch", "Weir-Tenant", "acme", "Weir-Degrade", "off"}},
		"no-more": {strings.Replace(request, `"max_tokens":10,`, "", 1), strings.Replace(request, `"max_tokens":10,`, "", 1), "", []string{"Weir-Class", "batch"}},
	} {
		t.Run(name, func(t *testing.T) {
			resp, _ := post(t, front.URL+"/v1/messages", c.body, c.headers...)
			if asked != c.want || resp.StatusCode != 200 || resp.Header.Get("Weir-Warning") != c.warning || resp.Header.Get("Weir-Degraded") != "" {
				t.Errorf("asked %s\nwant %s\nheaders %v", asked, c.want, resp.Header)
			}
		})
	}
	if _, err := weir.New(weir.WithMaxTokens(weir.MaxTokens{All: weir.MaxTokensBound{Default: 2, Cap: 1}, Tenants: map[string]weir.MaxTokensBound{"x": {Cap: -1}}})); err == nil ||
		!strings.Contains(err.Error(), "above the cap") || !strings.Contains(err.Error(), "tenant x") {
		t.Errorf("got %v", err)
	}
	if _, err := weir.New(weir.WithStreamAbove(-1)); err == nil {
		t.Error("a negative bound was taken")
	}
}

func TestMaxTokensWhileItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
			raw, _ := io.ReadAll(r.Body)
			asked = append(asked, string(raw))
			if strings.Contains(string(raw), "opus") {
				w.WriteHeader(529)
				io.WriteString(w, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`)
				return
			}
			time.Sleep(10 * time.Second)
			serveEvents(w, strings.Join(fullStream, ""))
		}, weir.WithFallback("claude-opus-5", "claude-haiku-4-5"))
		if err := h.gateway.SetMaxTokens(weir.MaxTokens{All: weir.MaxTokensBound{Cap: -1}}); err == nil {
			t.Error("a negative cap was taken")
		}
		if err := h.gateway.SetMaxTokens(weir.MaxTokens{All: weir.MaxTokensBound{Cap: 5}}); err != nil {
			t.Fatal(err)
		}
		// The header goes out with the first ping, before there is an answer.
		resp, got := h.post(t, streamed)
		if want := "max_tokens lowered; from=10; to=5"; resp.Header.Get("Weir-Warning") != want || !strings.Contains(got, ping) || !strings.Contains(asked[0], `"max_tokens":5`) {
			t.Errorf("asked %s; headers %v", asked[0], resp.Header)
		}
		// A fallback is announced beside it.
		resp, _ = h.post(t, strings.Replace(request, "claude-haiku-4-5", "claude-opus-5", 1))
		last := asked[len(asked)-1]
		if resp.Header.Get("Weir-Degraded") != "fallback; from=claude-opus-5" || resp.Header.Get("Weir-Warning") != "max_tokens lowered; from=10; to=5" ||
			!strings.Contains(last, `"max_tokens":5`) || !strings.Contains(last, "haiku") {
			t.Errorf("asked %s; headers %v", last, resp.Header)
		}
	})
}
