package weir_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// prose is about n hundred tokens.
func prose(seed string, n int) string {
	return strings.Repeat(seed+" is careful and writes tests first. ", 10*n)
}

// asked sends a request through the gateway and returns what is booked of it.
func asked(t *testing.T, b *lodge, body string) call.Event {
	t.Helper()
	resp, answer := b.post(t, body)
	synctest.Wait()
	e, ok := b.gateway.Request(resp.Header.Get("Weir-Request-Id"))
	if resp.StatusCode != http.StatusOK || !ok {
		t.Fatalf("%d %s", resp.StatusCode, answer)
	}
	return e
}

// TestMarkedConversationsAreReadFromTheCache leads a conversation of a client
// that knows nothing of the prompt cache, in strings where it can.
func TestMarkedConversationsAreReadFromTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, err := sim.New(sim.Config{})
		if err != nil {
			t.Fatal(err)
		}
		b := newLodge(t, api, weir.WithPromptCaching(weir.PromptCaching{}))
		var turns []string
		var freed, charged call.Tokens
		for i := range 25 {
			role := [2]string{"user", "assistant"}[i%2]
			turns = append(turns, fmt.Sprintf(`{"role":"%s","content":"turn %d: %s"}`, role, i, strings.Repeat("func main() { return } ", 40+7*i)))
			if role == "assistant" {
				continue
			}
			e := asked(t, b, `{"model":"claude-sonnet-5","max_tokens":10,"messages":[`+strings.Join(turns, ",")+`],"system":"`+prose("Weir", 40)+`",`+
				`"tools":[{"name":"read","description":"`+prose("Read", 20)+`","input_schema":{"type":"object"}}]}`)
			t.Logf("turn %2d: %d marks, estimated %5d beside %5d cached; charged %5d beside %5d", i, e.Prompt.Marks, e.Estimate.Input, e.Estimate.Cached, e.Usage.Charged(), e.Usage.CacheRead)
			if marked := e.Prompt.Marks > 0; marked != (i > 0) {
				t.Errorf("turn %d: %d marks", i, e.Prompt.Marks)
			}
			if off := e.Estimate.Cached - e.Usage.CacheRead; i > 2 && (off > 50 || off < -50 || e.Usage.CacheRead < 4*e.Usage.Charged()) {
				t.Errorf("turn %d: expected to read %d from the cache, read %d", i, e.Estimate.Cached, e.Usage.CacheRead)
			}
			freed, charged = freed+e.Usage.CacheRead, charged+e.Usage.Charged()
			time.Sleep(30 * time.Second)
		}
		r := b.gateway.PromptCache()
		if r.Calls != 12 || r.Freed != freed || r.Saved <= 0 {
			t.Errorf("the report says %+v, %d tokens were freed", r, freed)
		}
		page := httptest.NewRecorder()
		b.gateway.Metrics().ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
		for _, want := range []string{"weir_prompt_cache_marked_total 12\n", fmt.Sprintf("weir_prompt_cache_freed_tokens_total %d\n", freed)} {
			if !strings.Contains(page.Body.String(), want) {
				t.Errorf("the metrics do not say %s", want)
			}
		}
	})
}

// TestManyBlocksATurn: turns of more blocks than the API looks back for an entry
// are read from the cache all the same, for the place of the last one is marked.
func TestManyBlocksATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, err := sim.New(sim.Config{})
		if err != nil {
			t.Fatal(err)
		}
		b := newLodge(t, api, weir.WithPromptCaching(weir.PromptCaching{}))
		var turns []string
		var before call.Tokens
		for i := range 6 {
			var blocks []string
			for j := range 30 {
				blocks = append(blocks, fmt.Sprintf(`{"type":"text","text":"%s"}`, prose(fmt.Sprint("file ", i, j), 1)))
			}
			turns = append(turns, `{"role":"user","content":[`+strings.Join(blocks, ",")+`]}`)
			e := asked(t, b, `{"model":"claude-sonnet-5","max_tokens":10,"messages":[`+strings.Join(turns, ",")+`]}`)
			if i > 1 && e.Usage.CacheRead != before {
				t.Errorf("turn %d: %d were read from the cache, want all %d of the turn before", i, e.Usage.CacheRead, before)
			}
			before = e.Usage.CacheRead + e.Usage.CacheWrite
			turns = append(turns, `{"role":"assistant","content":"I have read them."}`)
			time.Sleep(time.Minute)
		}
	})
}

// TestWhatNeverRepeatsStaysAsItIs: prompts that never repeat are passed on byte
// for byte, and cost what they would.
func TestWhatNeverRepeatsStaysAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, err := sim.New(sim.Config{})
		if err != nil {
			t.Fatal(err)
		}
		sent := ""
		spy := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			sent = string(body)
			r.Body = io.NopCloser(strings.NewReader(sent))
			api.ServeHTTP(w, r)
		})
		b := newLodge(t, spy, weir.WithPromptCaching(weir.PromptCaching{}))
		for i := range 60 {
			body := fmt.Sprintf(`{"model":"claude-sonnet-5","max_tokens":10,"system":"%s","messages":[{"role":"user","content":"%s"}]}`,
				prose(fmt.Sprint("person ", i), 30), prose(fmt.Sprint("question ", i), 10))
			e := asked(t, b, body)
			if sent != body || e.Prompt.Marks > 0 || e.Usage.CacheWrite > 0 {
				t.Fatalf("request %d: %d marks, %+v", i, e.Prompt.Marks, e.Usage)
			}
			time.Sleep(10 * time.Second)
		}
		if r := b.gateway.PromptCache(); r.Calls != 0 || r.Saved != 0 {
			t.Errorf("the report says %+v", r)
		}
	})
}

// TestOnlyMessagesAreMarked: what asks for other things stays as it is.
func TestOnlyMessagesAreMarked(t *testing.T) {
	var sent []string
	front := behind(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sent = append(sent, string(body))
		io.WriteString(w, `{"input_tokens":5000}`)
	}, weir.WithPromptCaching(weir.PromptCaching{}))
	body := `{"model":"claude-sonnet-5","messages":[{"role":"user","content":"` + prose("Weir", 60) + `"}]}`
	for range 3 {
		post(t, front.URL+"/v1/messages/count_tokens", body)
	}
	for _, got := range sent {
		if got != body {
			t.Errorf("it became %.80s…", got)
		}
	}
}

// TestRelaysThatKnowNoMarks: a relay that refuses the marks gets the request
// without them, and is not tried again so soon.
func TestRelaysThatKnowNoMarks(t *testing.T) {
	var refused, taken atomic.Int32
	front := behind(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "cache_control") {
			refused.Add(1)
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"type":"error","error":{"type":"invalid_request_error","message":"system.0.cache_control: Extra inputs are not permitted"}}`)
			return
		}
		taken.Add(1)
		io.WriteString(w, answer)
	}, weir.WithPromptCaching(weir.PromptCaching{}))
	for i := range 6 {
		body := fmt.Sprintf(`{"model":"claude-sonnet-5","max_tokens":10,"system":"%s","messages":[{"role":"user","content":"question %d"}]}`, prose("Weir", 60), i)
		if resp, text := post(t, front.URL+"/v1/messages", body); resp.StatusCode != http.StatusOK {
			t.Errorf("request %d: %d %s", i, resp.StatusCode, text)
		}
	}
	if refused.Load() != 1 || taken.Load() != 6 {
		t.Errorf("%d were refused and %d taken, want 1 and 6", refused.Load(), taken.Load())
	}
}

func TestPromptCachingIsChecked(t *testing.T) {
	for _, p := range []weir.PromptCaching{{TTL: time.Minute}, {Repeats: -1}} {
		if _, err := weir.New(weir.WithPromptCaching(p)); err == nil {
			t.Errorf("%+v is taken", p)
		}
	}
}
