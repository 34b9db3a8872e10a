package keys_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/keys"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func key(name string) call.Key {
	return call.Key{Name: name, Print: "key-" + name, Secret: call.NewSecret("sk-ant-api-" + name)}
}

func from(name string) *call.Call { return &call.Call{Credential: key(name)} }

func reason(err error) call.Reason {
	if r, ok := errors.AsType[*call.Refusal](err); ok {
		return r.Reason
	}
	return call.InternalFailure
}

func TestWhoPays(t *testing.T) {
	pool := keys.New([]call.Key{key("pool")})
	for name, c := range map[string]*call.Call{"with-own-key": from("caller"), "without": {}} {
		if got, err := pool.Pick(now, c, call.Outlook{}); err != nil || got.Name != "pool" {
			t.Errorf("pool, %s: %q, %v", name, got.Name, err)
		}
	}
	through := keys.New(nil)
	if got, err := through.Pick(now, from("caller"), call.Outlook{}); err != nil || got.Name != "caller" {
		t.Errorf("pass-through: %q, %v", got.Name, err)
	}
	if _, err := through.Pick(now, &call.Call{}, call.Outlook{}); reason(err) != call.NoKey {
		t.Errorf("no key at all: %v", err)
	}
}

func TestBlockOfAnOrganization(t *testing.T) {
	room := keys.New(nil)
	org := call.Limits{Organization: "org"}
	for _, name := range []string{"a", "b"} {
		room.Observe(now, call.Evidence{Key: key(name), Limits: org, Verdict: call.Verdict{}})
	}
	until := now.Add(72 * time.Hour)
	room.Observe(now, call.Evidence{Key: key("a"), Limits: org, Verdict: call.Verdict{Kind: call.SpendCap, Until: until, Message: "cap"}})
	_, err := room.Pick(now, from("b"), call.Outlook{})
	r, _ := errors.AsType[*call.Refusal](err)
	if reason(err) != call.AccountBlocked || r.RetryIn != 72*time.Hour || r.Verdict.Kind != call.SpendCap {
		t.Fatalf("the organization's other key: %v", err)
	}
	if _, err := room.Pick(now, from("stranger"), call.Outlook{}); err != nil {
		t.Errorf("another organization: %v", err)
	}
	if rep := room.Report(now); len(rep) != 1 || rep[0].State != "blocked" || rep[0].Reason != "spend_cap" || !rep[0].Until.Equal(until) {
		t.Errorf("report %+v", rep)
	}
	if _, err := room.Pick(until, from("b"), call.Outlook{}); err != nil {
		t.Errorf("at its date the block ends: %v", err)
	}
}

func TestRecheck(t *testing.T) {
	room := keys.New(nil)
	room.Observe(now, call.Evidence{Key: key("a"), Limits: call.Limits{}, Verdict: call.Verdict{Kind: call.NoCredit}})
	later := now.Add(keys.Recheck)
	if _, err := room.Pick(later.Add(-1), from("a"), call.Outlook{}); err == nil {
		t.Error("let through before the recheck")
	}
	if _, err := room.Pick(later, from("a"), call.Outlook{}); err != nil {
		t.Errorf("the recheck was refused: %v", err)
	}
	if _, err := room.Pick(later, from("a"), call.Outlook{}); err == nil {
		t.Error("let a second one through before the first was answered")
	}
	room.Observe(later, call.Evidence{Key: key("a"), Limits: call.Limits{}, Verdict: call.Verdict{}})
	if _, err := room.Pick(later, from("a"), call.Outlook{}); err != nil {
		t.Errorf("a good answer must lift the block: %v", err)
	}
}

func TestBadKey(t *testing.T) {
	bad := call.Verdict{Kind: call.BadKey, Status: 401}
	through := keys.New(nil)
	through.Observe(now, call.Evidence{Key: key("a"), Limits: call.Limits{}, Verdict: bad})
	if _, err := through.Pick(now, from("a"), call.Outlook{}); err != nil {
		t.Errorf("pass-through leaves the caller's key to the upstream: %v", err)
	}
	pool := keys.New([]call.Key{key("pool")})
	pool.Observe(now, call.Evidence{Key: key("pool"), Limits: call.Limits{}, Verdict: bad})
	if _, err := pool.Pick(now, &call.Call{}, call.Outlook{}); reason(err) != call.AccountBlocked {
		t.Errorf("the pool's own key: %v", err)
	}
}

func TestTransientFailuresBlockNothing(t *testing.T) {
	room := keys.New(nil)
	for _, k := range []call.Kind{call.RateLimited, call.Overloaded, call.UpstreamFailed, call.Unreachable, call.BadRequest, call.Forbidden} {
		room.Observe(now, call.Evidence{Key: key("a"), Limits: call.Limits{}, Verdict: call.Verdict{Kind: k}})
	}
	if _, err := room.Pick(now, from("a"), call.Outlook{}); err != nil {
		t.Error(err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	room := keys.New(nil)
	for i := range 30_000 {
		name := fmt.Sprint(i)
		room.Observe(now, call.Evidence{Key: key(name), Limits: call.Limits{Organization: name}, Verdict: call.Verdict{Kind: call.NoCredit}})
	}
	if n := len(room.Report(now)); n > 10_000 {
		t.Errorf("remembers %d blocks", n)
	}
}

// even expects the same wait whoever pays.
var even call.Outlook

func TestChoice(t *testing.T) {
	room := keys.New([]call.Key{key("a"), key("b"), key("c")})
	pick := func(session string, o call.Outlook) string {
		got, err := room.Pick(now, &call.Call{Session: session}, o)
		if err != nil {
			t.Fatal(err)
		}
		return got.Name
	}
	used := map[string]int{}
	for i := range 300 {
		session := fmt.Sprint(i)
		first := pick(session, even)
		used[first]++
		if again := pick(session, even); again != first {
			t.Fatalf("conversation %s moved from %s to %s", session, first, again)
		}
		busy := call.Outlook{Wait: func(_ time.Time, _ *call.Call, key call.Key) time.Duration {
			if key.Name == first {
				return keys.Patience + time.Second
			}
			return 0
		}}
		if other := pick(session, busy); other == first {
			t.Fatalf("conversation %s waits for %s although others are free", session, first)
		}
	}
	for name, n := range used {
		if n < 60 {
			t.Errorf("key %s has %d of 300 conversations", name, n)
		}
	}
	room.Observe(now, call.Evidence{Key: key("a"), Limits: call.Limits{}, Verdict: call.Verdict{Kind: call.BadKey}})
	for i := range 300 {
		if got := pick(fmt.Sprint(i), even); got == "a" {
			t.Fatal("a refused key was picked")
		}
	}
}

func TestWorkspaceStateStaysWithTheFirstKey(t *testing.T) {
	room := keys.New([]call.Key{key("a"), key("b")})
	for i := range 20 {
		for _, c := range []*call.Call{
			{Pool: call.PoolBatches}, {Pool: call.PoolFiles}, {Body: []byte(`{"x":{"file_id":"f"}}`)},
		} {
			c.Session = fmt.Sprint(i)
			if got, _ := room.Pick(now, c, even); got.Name != "a" {
				t.Fatalf("%+v went to %s", c, got.Name)
			}
		}
	}
}

func TestKeysThatShareAQuotaAreNamed(t *testing.T) {
	room := keys.New([]call.Key{key("a"), key("b"), key("c")})
	for name, org := range map[string]string{"a": "one", "b": "one", "c": "two"} {
		room.Observe(now, call.Evidence{Key: key(name), Limits: call.Limits{Organization: org}, Verdict: call.Verdict{}})
	}
	report := room.Report(now)
	if len(report[0].SameQuota) != 1 || report[0].SameQuota[0] != "b" || report[2].SameQuota != nil {
		t.Errorf("report %+v", report)
	}
}

func TestAllBlocked(t *testing.T) {
	room := keys.New([]call.Key{key("a"), key("b")})
	room.Observe(now, call.Evidence{Key: key("a"), Limits: call.Limits{}, Verdict: call.Verdict{Kind: call.SpendCap, Until: now.Add(72 * time.Hour)}})
	room.Observe(now, call.Evidence{Key: key("b"), Limits: call.Limits{}, Verdict: call.Verdict{Kind: call.SpendCap, Until: now.Add(24 * time.Hour)}})
	_, err := room.Pick(now, &call.Call{}, even)
	if r, ok := errors.AsType[*call.Refusal](err); !ok || r.RetryIn != 24*time.Hour {
		t.Errorf("got %v, want the block that ends first", err)
	}
}

func TestAnUpstreamThatFailedIsShunned(t *testing.T) {
	away := key("away")
	away.Upstream = "http://relay"
	room := keys.New([]call.Key{key("a"), key("b"), away})
	for i := range 30 {
		c := &call.Call{Session: fmt.Sprint(i), Shunned: key("a")}
		if got, err := room.Pick(now, c, even); err != nil || got.Name != "away" {
			t.Errorf("after a failure of the main upstream: %s, %v", got.Name, err)
		}
		c.Shunned = away
		if got, err := room.Pick(now, c, even); err != nil || got.Name == "away" {
			t.Errorf("after a failure of the relay: %s, %v", got.Name, err)
		}
	}
	alone := keys.New([]call.Key{key("a"), key("b")})
	if _, err := alone.Pick(now, &call.Call{Shunned: key("a")}, even); err != nil {
		t.Errorf("there is no other upstream: %v", err)
	}
}

func TestShutUpstreams(t *testing.T) {
	room := keys.New([]call.Key{key("a"), key("b")})
	shut := func(names ...string) call.Outlook {
		return call.Outlook{Shut: func(_ time.Time, _ *call.Call, k call.Key) *call.Refusal {
			for i, name := range names {
				if k.Name == name {
					return &call.Refusal{Reason: call.UpstreamDown, RetryIn: time.Duration(i+1) * time.Second}
				}
			}
			return nil
		}}
	}
	for i := range 30 {
		if got, err := room.Pick(now, &call.Call{Session: fmt.Sprint(i)}, shut("a")); err != nil || got.Name != "b" {
			t.Errorf("a is shut: %s, %v", got.Name, err)
		}
	}
	_, err := room.Pick(now, &call.Call{}, shut("b", "a"))
	if r, ok := errors.AsType[*call.Refusal](err); !ok || r.Reason != call.UpstreamDown || r.RetryIn != time.Second {
		t.Errorf("both are shut: %v, want the one that opens first", err)
	}
}

func TestDue(t *testing.T) {
	room := keys.New([]call.Key{key("a"), key("b"), key("c")})
	org := call.Limits{Organization: "org"}
	cap := call.Verdict{Kind: call.SpendCap, Until: now.Add(5 * time.Hour)}
	for _, name := range []string{"a", "b"} {
		room.Observe(now, call.Evidence{Key: key(name), Model: "m", Limits: org, Verdict: cap})
	}
	if due, next := room.Due(now); len(due) != 0 || !next.Equal(now.Add(keys.Recheck)) {
		t.Errorf("at once: %v, %v", due, next)
	}
	var looks []time.Duration
	for at := now; at.Before(now.Add(8 * time.Hour)); {
		due, next := room.Due(at)
		if len(due) > 1 || len(due) == 1 && (due[0].Key.Name != "a" || due[0].Model != "m") {
			t.Fatalf("due %+v, want one key of the organization", due)
		}
		if len(due) == 1 {
			looks = append(looks, at.Sub(now))
			room.Observe(at, call.Evidence{Key: key("a"), Model: "m", Limits: org, Verdict: cap})
		}
		if next.IsZero() {
			break // its date has come
		}
		at = next
	}
	if len(looks) < 20 || len(looks) > 25 || looks[0] != time.Minute || looks[1] != 3*time.Minute || looks[9]-looks[8] != 16*time.Minute {
		t.Errorf("looked %v after the beginning", looks)
	}
	if _, err := room.Pick(now.Add(6*time.Hour), &call.Call{}, even); err != nil {
		t.Errorf("after its date: %v", err)
	}
}

// TestBlocksAreToldInFull: what blocks, since when and until when, and the
// same after a restart.
func TestBlocksAreToldInFull(t *testing.T) {
	until := now.Add(72 * time.Hour)
	for want, v := range map[string]call.Verdict{
		"spend_cap":       {Kind: call.SpendCap, Until: until},
		"contract_cap":    {Kind: call.SpendCap, Code: "contract_spend_limit_reached", Until: until},
		"own_limit":       {Kind: call.OwnLimit, Until: until},
		"workspace_limit": {Kind: call.OwnLimit, Workspace: true, Until: until},
		"no_credit":       {Kind: call.NoCredit},
		"disabled":        {Kind: call.Disabled},
		"on_hold":         {Kind: call.Disabled, Code: "organization_on_hold"},
		"bad_key":         {Kind: call.BadKey},
	} {
		t.Run(want, func(t *testing.T) {
			pool := []call.Key{key("a")}
			first, second := keys.New(pool), keys.New(pool)
			first.Observe(now, call.Evidence{Key: key("a"), Verdict: v})
			memory, err := first.Remember()
			if err != nil {
				t.Fatal(err)
			}
			later := now.Add(time.Hour)
			if err := second.Recall(later, memory); err != nil {
				t.Fatal(err)
			}
			for name, room := range map[string]*keys.Room{"at once": first, "after a restart": second} {
				got := room.Report(later)[0]
				dated := got.Until != nil && got.Until.Equal(until)
				if got.Block != want || got.Since == nil || !got.Since.Equal(now) || dated == v.Until.IsZero() {
					t.Errorf("%s: %+v", name, got)
				}
			}
		})
	}
}
