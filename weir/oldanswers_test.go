package weir_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/message"
	"github.com/weir-gateway/weir/internal/sse"
	"github.com/weir-gateway/weir/weir"
)

// lever is a condition that a test moves.
type lever struct{ atomic.Bool }

func (l *lever) Holds(call.Signals) (bool, error) { return l.Load(), nil }
func (l *lever) PerTenant() bool                  { return false }
func (l *lever) String() string                   { return "the lever is down" }

// move moves the lever, and waits until rungs have followed.
func (l *lever) move(down bool) {
	l.Store(down)
	time.Sleep(2 * time.Second)
}

// rung is one that the lever puts in force.
func (l *lever) rung(kind call.RungKind) weir.Rung {
	return weir.Rung{Do: call.Rung{Kind: kind}, Enter: l, Dwell: time.Second}
}

// keepable is an answer that the cache keeps.
const keepable = `{"id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[{"type":"text","text":"hello"}],` +
	`"stop_reason":"end_turn","usage":{"input_tokens":9,"output_tokens":3}}`

// answering counts what reaches it, and answers with keepable.
func answering(n *atomic.Int64) http.HandlerFunc {
	list, err := message.Events([]byte(keepable))
	if err != nil {
		panic(err)
	}
	var stream []byte
	for _, e := range list {
		stream = sse.Append(stream, e.Name, e.Data)
	}
	return func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		if raw, _ := io.ReadAll(r.Body); strings.Contains(string(raw), `"stream":true`) {
			serveEvents(w, string(stream))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, keepable)
	}
}

// TestOldAnswers: while the rung is in force, an answer of any age does for
// whoever had it, and says so. Whoever wants no such thing, or has no such
// answer, asks as usual.
func TestOldAnswers(t *testing.T) {
	const old = "cached; from=claude-haiku-4-5"
	for name, c := range map[string]struct {
		age          time.Duration // of the answer when it is asked for again
		first, again []string      // headers
		stream       [2]bool       // at first, and again
		purge        bool
		mark         string
		asks         bool // the upstream, a second time
	}{
		"old":             {age: 3 * time.Hour, mark: old},
		"old-stream":      {age: 3 * time.Hour, stream: [2]bool{true, true}, mark: old},
		"old-as-stream":   {age: 3 * time.Hour, stream: [2]bool{false, true}, mark: old},
		"old-as-message":  {age: 3 * time.Hour, stream: [2]bool{true, false}, mark: old},
		"very-old":        {age: 30 * time.Hour, mark: old},
		"young":           {age: 5 * time.Minute},
		"another-tenant":  {age: 3 * time.Hour, again: []string{"Weir-Tenant", "other"}, asks: true},
		"another-owner":   {age: 3 * time.Hour, again: []string{"X-Api-Key", "sk-ant-api-other"}, asks: true},
		"another-version": {age: 3 * time.Hour, again: []string{"Anthropic-Version", "2023-06-01"}, asks: true},
		"cache-off":       {age: 3 * time.Hour, again: []string{"Weir-Cache", "off"}, asks: true},
		"cache-write":     {age: 3 * time.Hour, again: []string{"Weir-Cache", "write"}, asks: true},
		"cache-read":      {age: 3 * time.Hour, again: []string{"Weir-Cache", "read"}, mark: old},
		"degrade-off":     {age: 3 * time.Hour, again: []string{"Weir-Degrade", "off"}, asks: true},
		"protected":       {age: 3 * time.Hour, first: []string{"Weir-Tenant", "core-1"}, again: []string{"Weir-Tenant", "core-1"}, asks: true},
		"not-kept":        {age: 3 * time.Hour, first: []string{"Weir-Cache", "read"}, asks: true},
		"purged":          {age: 3 * time.Hour, purge: true, asks: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked atomic.Int64
				var pull lever
				h := newHouse(t, answering(&asked), weir.WithCache(weir.Cache{Default: call.CacheOn, MaxAge: 10 * time.Minute}),
					weir.WithLadder(weir.Ladder{Rungs: []weir.Rung{pull.rung(call.RungCached)}, Tenants: []string{"core*"}}))
				running(t, h.gateway)
				of := func(stream bool) string { return map[bool]string{false: request, true: streamed}[stream] }
				_, first := h.post(t, of(c.stream[0]), append([]string{"Weir-Tenant", "own"}, c.first...)...)
				time.Sleep(c.age)
				if c.purge {
					if err := h.gateway.PurgeCache("own"); err != nil {
						t.Fatal(err)
					}
				}
				pull.move(true)
				resp, text := h.post(t, of(c.stream[1]), append([]string{"Weir-Tenant", "own"}, c.again...)...)
				if got := resp.Header.Get("Weir-Degraded"); got != c.mark || resp.StatusCode != 200 || asked.Load() == 2 != c.asks {
					t.Errorf("%s, marked %q, want %q; %d asked", resp.Status, got, c.mark, asked.Load())
				}
				if hit := resp.Header.Get("Weir-Cache") == "hit"; hit == c.asks {
					t.Errorf("weir-cache: %s", resp.Header.Get("Weir-Cache"))
				}
				if !c.asks && c.stream[0] == c.stream[1] && text != first || !strings.Contains(text, "hello") || strings.Contains(text, "message_stop") != c.stream[1] {
					t.Errorf("first %s\nthen %s", first, text)
				}
				h.journal.mu.Lock()
				defer h.journal.mu.Unlock()
				if last := h.journal.list[len(h.journal.list)-1]; last.Degraded.String() != c.mark || last.Cached == call.CacheHit != !c.asks {
					t.Errorf("booked as %q, cached: %v", last.Degraded, last.Cached)
				}
				if page := scrape(t, h.gateway); strings.Contains(page, `weir_degraded_total{rung="cached"} 1`) != (c.mark != "") {
					t.Error("the metric does not count it")
				}
			})
		})
	}
}

// TestOldAnswersAreGivenUp: when the rung is left, answers grow old as before;
// when the ladder has none, they leave the memory.
func TestOldAnswersAreGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		var pull lever
		ladder := weir.Ladder{Rungs: []weir.Rung{pull.rung(call.RungCached)}}
		h := newHouse(t, answering(&asked), weir.WithCache(weir.Cache{Default: call.CacheOn, MaxAge: time.Minute}), weir.WithLadder(ladder))
		running(t, h.gateway)
		kept := func() int64 {
			report, _ := h.gateway.Cache()
			return report.Entries
		}
		h.post(t, request)
		time.Sleep(time.Hour)
		if kept() != 1 {
			t.Errorf("the ladder may need it, and %d are kept", kept())
		}
		if resp, _ := h.post(t, request); resp.Header.Get("Weir-Degraded") != "" || resp.Header.Get("Weir-Cache") != "miss" || asked.Load() != 2 {
			t.Errorf("not in force: %v, %d asked", resp.Header, asked.Load())
		}
		time.Sleep(time.Hour)
		pull.move(true)
		h.post(t, request)
		pull.move(false)
		if resp, _ := h.post(t, request); resp.Header.Get("Weir-Degraded") != "" || asked.Load() != 3 {
			t.Errorf("not in force any more: %v, %d asked", resp.Header, asked.Load())
		}
		ladder.DryRun = true
		if err := h.gateway.SetLadder(ladder); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if kept() != 0 {
			t.Errorf("nothing may need them, and %d are kept", kept())
		}
	})
}
