package shape

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Breakpoints is the step that puts cache_control marks into requests whose
// callers set none, where a prefix has repeated (ADR 18). It must be the first
// step: it finds its places by those in the body as it came. It is safe for
// concurrent use.
//
// What it learns is kept apart for each tenant, credential and model: what one
// tenant sends never decides whether another one's requests are marked.
type Breakpoints struct {
	// Static after NewBreakpoints.
	cfg  BreakpointsConfig
	seed maphash.Seed

	mu     sync.Mutex
	habits *habits // Guarded by mu.
}

// BreakpointsConfig says when marks are put in. The zero value works.
type BreakpointsConfig struct {
	Repeats int           // how often a beginning must have been seen, this time included; 0: 2
	TTL     time.Duration // 5 minutes or 1 hour; 0: 5 minutes

	ExceptTenants []string
	ExceptModels  []string
}

// NewBreakpoints returns the step, with nothing learned.
func NewBreakpoints(cfg BreakpointsConfig) *Breakpoints {
	cfg.Repeats, cfg.TTL = max(2, cfg.Repeats), cmp.Or(cfg.TTL, shortTTL)
	return &Breakpoints{cfg: cfg, seed: maphash.MakeSeed(), habits: newHabits(cfg.TTL, cfg.Repeats)}
}

// Prepare implements [Step].
func (b *Breakpoints) Prepare(c *call.Call) bool {
	ends, read := c.Content.Ends, c.Content.Read
	c.Content.Ends, c.Content.Read = nil, nil
	if len(ends) == 0 || len(c.Body) != len(read) || &c.Body[0] != &read[0] {
		return false // the places are those in another body
	}
	if slices.Contains(b.cfg.ExceptTenants, c.Tenant) || slices.Contains(b.cfg.ExceptModels, c.Model) {
		return false
	}
	o := newOutline(c, ends)
	if len(o.open) == 0 {
		return false
	}
	b.mu.Lock()
	marks := b.habits.plan(time.Now(), b.subject(c), o)
	b.mu.Unlock()
	if len(marks) == 0 {
		return false
	}
	chosen := make([]call.End, len(marks))
	for i, at := range marks {
		ends[at].TTL = b.cfg.TTL
		chosen[i] = ends[at]
	}
	c.Body = withMarks(c.Body, chosen, b.cfg.TTL)
	c.Content.Prefixes = call.Readable(ends)
	c.Prompt.Marks = len(marks)
	return true
}

// Undo takes the marks out of a call that was refused for them, as a relay does
// that does not know them, and sets none for such calls for an hour.
func (b *Breakpoints) Undo(now time.Time, c *call.Call, v call.Verdict) bool {
	if c.Prompt.Marks == 0 || !strings.Contains(v.Message, "cache_control") {
		return false
	}
	c.Body = withoutMarks(c.Body, b.cfg.TTL)
	c.Content.Prefixes, c.Prompt = nil, call.PromptCaching{}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.habits.purse(b.subject(c)).shut = now.Add(pause)
	return true
}

// Learn takes the real usage of a finished call.
func (b *Breakpoints) Learn(c *call.Call, u call.Usage) {
	read, written := 0.0, 0.0
	if c.Prompt.Marks > 0 {
		read, written = float64(u.CacheRead), float64(u.CacheWrite)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.habits.purse(b.subject(c)).settle(b.cfg.TTL, float64(u.Charged()+u.CacheRead), read, written)
}

// subject is whose habits count for c.
func (b *Breakpoints) subject(c *call.Call) uint64 {
	var h maphash.Hash
	h.SetSeed(b.seed)
	for _, s := range [...]string{c.Tenant, c.Credential.Print, c.Model, c.Pool} {
		h.WriteString(s)
		h.WriteByte(0)
	}
	return h.Sum64()
}

// outline is where marks may go in a request.
type outline struct {
	ends  []call.End
	open  []int  // those that may carry one and are long enough, in order
	tools int    // the last of them in the tools; -1: none
	sys   int    // the last of them in the system prompt, or else in the tools; -1: none
	tail  int    // the last of them in the messages; -1: none
	mode  uint64 // what spoils the cache of messages when it changes
}

func newOutline(c *call.Call, ends []call.End) outline {
	o := outline{ends: ends, open: make([]int, 0, len(ends)), tools: -1, sys: -1, tail: -1}
	least := longEnough(c)
	for i := range ends {
		if !ends[i].Open || weight(&ends[i].Measure) < least {
			continue
		}
		o.open = append(o.open, i)
		switch ends[i].Part {
		case call.InTools:
			o.tools, o.sys = i, i
		case call.InSystem:
			o.sys = i
		case call.InMessages:
			o.tail = i
		}
	}
	if c.Content.Thinking {
		o.mode |= 1 << 62
	}
	if c.Content.Forced {
		o.mode |= 1 << 61
	}
	return o
}

// key is under which the prefix that ends at i is known.
func (o *outline) key(subject uint64, i int) uint64 {
	key := o.ends[i].Hash ^ subject
	if o.ends[i].Part == call.InMessages {
		key ^= o.mode
	}
	return key
}
