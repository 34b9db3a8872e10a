package cache

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/weir-gateway/weir/call"
)

// question is one call of a random history.
type question struct {
	at      time.Duration
	tenant  string
	owner   string
	version string
	n       int // of the request
	stream  bool
	wish    call.CacheWish
	leaves  time.Duration // 0: never
	purge   bool          // of its tenant's answers, before it is asked
}

func drawQuestion(t *rapid.T) question {
	small := func(name string, n int) int { return rapid.IntRange(0, n-1).Draw(t, name) }
	return question{
		at:     time.Duration(small("at", 20)) * 250 * time.Millisecond,
		tenant: "t" + fmt.Sprint(small("tenant", 3)), owner: "o" + fmt.Sprint(small("owner", 2)),
		version: fmt.Sprint(small("version", 2)), n: small("request", 2), stream: rapid.Bool().Draw(t, "stream"),
		wish:   call.CacheWish(small("wish", 5)),
		leaves: time.Duration(max(0, small("leaves", 12)-8)) * time.Second, purge: small("purge", 8) == 0,
	}
}

// asked says on whose behalf an answer was made, and to what.
type asked struct {
	Tenant, Owner, Version string
	N                      int
}

// TestTenantsStayApart holds that nobody ever gets an answer that was made on
// behalf of another tenant or owner, or to another request, whoever asks when
// and how, joins, leaves and purges; where answers are shared, the request alone
// must be the same.
func TestTenantsStayApart(t *testing.T) {
	var shared, own int
	rapid.Check(t, func(rt *rapid.T) {
		share := rapid.Bool().Draw(rt, "share")
		history := rapid.SliceOfN(rapid.Custom(drawQuestion), 2, 40).Draw(rt, "history")
		var mu sync.Mutex
		var wrong []string
		synctest.Test(t, func(t *testing.T) {
			r := newRoom(t, Config{Share: share, MaxBytes: 1 << 20, MaxAge: 3 * time.Second})
			u := &upstream{room: r, pause: 300 * time.Millisecond, text: func(c *call.Call) string {
				n := 0
				fmt.Sscanf(string(c.Body[strings.LastIndex(string(c.Body), `:"`)+2:]), "%d", &n)
				text, _ := json.Marshal(asked{c.Tenant, c.Owner, c.Header.Get("Anthropic-Version"), n})
				return strings.ReplaceAll(string(text), `"`, "'")
			}}
			u.parts = func(_ *call.Call, whole string) []string { return strings.SplitAfter(whole, "\n\n") }
			var wg sync.WaitGroup
			for _, q := range history {
				wg.Go(func() {
					fault, other := ask(t, u, q, share)
					mu.Lock()
					defer mu.Unlock()
					if fault != "" {
						wrong = append(wrong, fault)
					}
					if other {
						shared++
					} else {
						own++
					}
				})
			}
			wg.Wait()
		})
		if len(wrong) > 0 {
			rt.Fatal(strings.Join(wrong, "\n"))
		}
	})
	if shared == 0 || own == 0 {
		t.Errorf("%d shared answers and %d own: the test brings nothing about", shared, own)
	}
}

// ask asks q, and returns what is wrong with the answer, and whether it was made
// for somebody else.
func ask(t *testing.T, u *upstream, q question, share bool) (fault string, other bool) {
	time.Sleep(q.at)
	if q.purge {
		if err := u.room.Purge(q.tenant); err != nil {
			return err.Error(), false
		}
	}
	c := newCall(q.tenant, body(q.n, q.stream))
	c.Owner, c.CacheWish = q.owner, q.wish
	c.Header.Set("Anthropic-Version", q.version)
	ctx := t.Context()
	if q.leaves > 0 {
		ctx = leaving(t, q.leaves)
	}
	got, err := u.get(ctx, c)
	if err != nil {
		if q.leaves > 0 {
			return "", false
		}
		return err.Error(), false
	}
	at := strings.Index(got, "{'")
	if at < 0 {
		return "no answer: " + got, false
	}
	text, _, _ := strings.Cut(got[at:], "}")
	var made asked
	if err := json.Unmarshal([]byte(strings.ReplaceAll(text, "'", `"`)+"}"), &made); err != nil {
		return fmt.Sprintf("%v: %s", err, text), false
	}
	other = made.Tenant != q.tenant || made.Owner != q.owner
	switch {
	case made.N != q.n || made.Version != q.version:
		return fmt.Sprintf("%+v got the answer to another request: %+v", q, made), other
	case other && !share:
		return fmt.Sprintf("%+v got the answer of somebody else: %+v", q, made), other
	case strings.HasPrefix(got, "event:") != q.stream || !strings.Contains(got, "end_turn"):
		return fmt.Sprintf("%+v got %s", q, got), other
	}
	return "", other
}
