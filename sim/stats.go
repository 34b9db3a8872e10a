package sim

import (
	"encoding/json"
	"maps"
	"net/http"
	"sync"
	"time"
)

// Stats is what the server has seen since it started or since
// [Server.ResetStats].
type Stats struct {
	At       time.Time         `json:"at"` // of the server's clock
	Since    time.Time         `json:"since"`
	Requests int64             `json:"requests"` // all that were answered or broken off
	Running  int               `json:"running"`  // admitted and not answered in full yet
	Status   map[int]int64     `json:"status"`   // answers by HTTP status; 0: connection broken
	Limited  map[Limiter]int64 `json:"limited"`  // 429 answers by what refused them
	Batches  BatchStats        `json:"batches"`  // since the server started, whatever was reset
	Buckets  []BucketStats     `json:"buckets"`  // of organizations first, then of workspaces
}

// BucketStats is the state of one bucket. What refilled since the statistics
// began is Admitted + Others + Overflow + (Level − LevelAtStart), exactly.
type BucketStats struct {
	Organization string  `json:"organization"`
	Workspace    string  `json:"workspace,omitempty"` // empty: the organization's own bucket
	Group        string  `json:"group"`
	Limiter      Limiter `json:"limiter"`
	Limit        float64 `json:"limit"` // per minute
	Level        float64 `json:"level"` // now, true, unrounded; negative: debt
	LevelAtStart float64 `json:"level_at_start"`
	Admitted     float64 `json:"admitted"` // charged, less what was given back
	Others       float64 `json:"others"`   // taken by hidden consumers
	Overflow     float64 `json:"overflow"` // refill that found the bucket full
}

// Used is the share of what a perfect client could have used that was used:
// admitted ÷ (admitted + overflow + growth of the level). It is 0 when nothing
// was admitted.
func (b BucketStats) Used() float64 {
	if b.Admitted <= 0 {
		return 0
	}
	return b.Admitted / (b.Admitted + b.Overflow + b.Level - b.LevelAtStart)
}

// Used is the share of a limiter that was used, over all organizations' own
// buckets that admitted anything.
func (s Stats) Used(l Limiter) float64 {
	var all BucketStats
	for _, b := range s.Buckets {
		if b.Limiter == l && b.Workspace == "" && b.Admitted > 0 {
			all.Admitted += b.Admitted
			all.Overflow += b.Overflow
			all.Level += b.Level
			all.LevelAtStart += b.LevelAtStart
		}
	}
	return all.Used()
}

// Binding is the limiter that was used most, which is the one that limits.
func (s Stats) Binding() (l Limiter, used float64) {
	for _, name := range limiterNames {
		if u := s.Used(name); u > used {
			l, used = name, u
		}
	}
	return l, used
}

// counters count what is not in a bucket. They are safe for concurrent use.
type counters struct {
	mu       sync.Mutex
	since    instant
	requests int64
	statuses map[int]int64
	limited  map[Limiter]int64
}

func newCounters() *counters {
	return &counters{statuses: map[int]int64{}, limited: map[Limiter]int64{}}
}

func (c *counters) status(code int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	c.statuses[code]++
}

func (c *counters) limit(l Limiter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limited[l]++
}

// Stats returns a consistent picture of each bucket as it is now.
func (s *Server) Stats() Stats {
	now := s.clock.now()
	st := Stats{At: s.clock.date(now), Batches: s.batches.stats(now), Status: map[int]int64{}, Limited: map[Limiter]int64{}}
	s.counters.mu.Lock()
	st.Since = s.clock.date(s.counters.since)
	st.Requests = s.counters.requests
	maps.Copy(st.Status, s.counters.statuses)
	maps.Copy(st.Limited, s.counters.limited)
	s.counters.mu.Unlock()
	s.eachPool(now, func(o *organization, p *pool) {
		for l, b := range p.main {
			if b == nil {
				continue
			}
			line := BucketStats{
				Organization: o.id, Group: p.group, Limiter: limiterNames[l], Limit: b.limit, Level: b.level,
				LevelAtStart: b.start, Admitted: b.admitted, Others: b.others, Overflow: b.overflow,
			}
			if p.workspace != nil {
				line.Workspace = p.workspace.id
			}
			st.Buckets = append(st.Buckets, line)
		}
	})
	for _, o := range s.directory.organizations {
		o.mu.Lock()
		st.Running += o.running
		o.mu.Unlock()
	}
	return st
}

// ResetStats begins new statistics, for example after a warm-up.
func (s *Server) ResetStats() {
	now := s.clock.now()
	s.counters.mu.Lock()
	s.counters.since, s.counters.requests = now, 0
	clear(s.counters.statuses)
	clear(s.counters.limited)
	s.counters.mu.Unlock()
	s.eachPool(now, func(_ *organization, p *pool) {
		for l := range numLimiters {
			p.both(l, (*bucket).reset)
		}
	})
}

// eachPool calls f with every pool as of now, under its lock.
func (s *Server) eachPool(now instant, f func(*organization, *pool)) {
	for _, o := range s.directory.organizations {
		o.mu.Lock()
		for _, p := range o.all() {
			p.advance(now)
			f(o, p)
		}
		o.mu.Unlock()
	}
}

func (s *Server) serveStats(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s.Stats()) // fails only if the client left
}
