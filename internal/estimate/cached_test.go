package estimate_test

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/estimate"
)

// conversation is a request of n blocks of a thousand tokens each, whose mark
// is at the last block.
func conversation(tenant string, n int, ttl time.Duration) *call.Call {
	c := english(0)
	c.Tenant = tenant
	var m call.Measure
	for i := range n {
		m.Text[call.Letters] += 3600
		m.Messages++
		c.Content.Prefixes = append(c.Content.Prefixes, call.Prefix{Measure: m, Hash: uint64(i + 1)})
	}
	c.Content.Measure = m
	c.Content.Prefixes[n-1].TTL = ttl
	return c
}

// cache plays the upstream: it keeps the longest prefix so far.
type cache struct{ blocks int }

func (k *cache) serve(room *estimate.Room, c *call.Call) (e call.Estimate, u call.Usage) {
	c.Estimate = room.Estimate(c)
	n := len(c.Content.Prefixes)
	read := min(n, k.blocks) * 1000
	u = call.Usage{Input: 10, CacheRead: call.Tokens(read), CacheWrite: call.Tokens(1000*n - read), Output: 1, Exact: true}
	k.blocks = max(n, k.blocks)
	room.Learn(c, u)
	return c.Estimate, u
}

func TestKnowsWhatTheCacheHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room, k := estimate.New(), &cache{}
		for n := 1; n <= 40; n++ {
			e, u := k.serve(room, conversation("t", n, 5*time.Minute))
			// The reserve for a miss shrinks with every hit.
			if n > 30 && (e.Input < u.Charged() || e.Input > 2*u.Charged()+1500) {
				t.Errorf("turn %d: estimated %+v, charged %d", n, e, u.Charged())
			}
			if n > 1 && math.Abs(float64(e.Cached-u.CacheRead)) > 0.05*float64(u.CacheRead) {
				t.Errorf("turn %d: expected to read %d, read %d", n, e.Cached, u.CacheRead)
			}
			time.Sleep(time.Minute)
		}
		if e := room.Estimate(conversation("other", 41, time.Minute)); e.Cached != 0 || e.Input < 35_000 {
			t.Errorf("another tenant's cache is not known to be shared: %+v", e)
		}
		time.Sleep(4 * time.Minute)
		if e := room.Estimate(conversation("t", 41, time.Minute)); e.Cached != 0 || e.Input < 35_000 {
			t.Errorf("after its life the cache is empty: %+v", e)
		}
	})
}

func TestColdPrefixesAreChargedInFull(t *testing.T) {
	room := estimate.New()
	for i := range 50 {
		c := conversation(fmt.Sprint("t", i%5), 9, 5*time.Minute)
		for j := range c.Content.Prefixes {
			c.Content.Prefixes[j].Hash = uint64(1000*i + j + 1) // never the same text
		}
		if e, _ := (&cache{}).serve(room, c); e.Cached != 0 || e.Input < 7000 {
			t.Fatalf("call %d: %+v", i, e)
		}
	}
}

func TestLearnsThatOthersKeepThePrefixWarm(t *testing.T) {
	room := estimate.New()
	var last call.Estimate
	for i := range 60 {
		c := conversation("t", 10, 5*time.Minute)
		for j := range c.Content.Prefixes {
			c.Content.Prefixes[j].Hash = uint64(1000*i + j + 1)
		}
		last, _ = (&cache{blocks: 9}).serve(room, c)
	}
	if last.Input < 1000 || last.Input > 2500 {
		t.Errorf("%+v for 1,010 charged tokens", last)
	}
}

func TestMissesRaiseTheReserve(t *testing.T) {
	room := estimate.New()
	var last call.Estimate
	for range 40 {
		last, _ = (&cache{}).serve(room, conversation("t", 10, time.Hour)) // the upstream forgets at once
	}
	if last.Input < 9000 {
		t.Errorf("%+v: a cache that never holds what it should must not be counted on", last)
	}
}

func TestPrefixesAreBounded(t *testing.T) {
	room := estimate.New()
	c := conversation("t", 20, time.Hour)
	for i := range 110_000 {
		c.Content.Prefixes[19].Hash = uint64(i + 100)
		room.Learn(c, call.Usage{Input: 1, CacheWrite: 20_000, Exact: true})
	}
	if n := room.Prefixes(); n > 100_000 || n < 80_000 {
		t.Errorf("remembers %d prefixes", n)
	}
}
