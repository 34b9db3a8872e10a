package main

import (
	"net/http"
	"time"

	"github.com/weir-gateway/weir/internal/load"
	"github.com/weir-gateway/weir/sim"
)

// window is the measured time of one side.
type window struct {
	from, to time.Time // zero: not yet
	warm     int64     // 429s that the upstream sent before from
	end      sim.Stats // at to
}

// reading is how one side has fared in the measured time so far, or in the
// warm-up while that lasts.
type reading struct {
	load.Report
	sim      sim.Stats
	upstream int64 // 429s that the upstream sent
	cut      int   // still under way at the end
	warm     warmUp
}

// used is the share of a limiter that was used. A level that falls below its
// first makes it a little more than all, which would puzzle more than tell.
func (r reading) used(l sim.Limiter) float64 { return min(r.sim.Used(l), 1) }

// warmUp is what happened before the measured time.
type warmUp struct {
	rateLimited int   // 429s that users saw
	upstream    int64 // 429s that the upstream sent
}

// startMeasuring begins the measured time on both sides.
func (d *demo) startMeasuring() {
	for _, s := range d.sides() {
		s.window.warm = s.sim.Stats().Status[http.StatusTooManyRequests]
		s.sim.ResetStats()
		s.window.from = time.Now()
	}
}

// stopMeasuring ends it.
func (d *demo) stopMeasuring() {
	for _, s := range d.sides() {
		s.window.to, s.window.end = time.Now(), s.sim.Stats()
	}
}

// reading returns the figures of one side of a demo that began then.
func (s *side) reading(began time.Time) reading {
	from, to, stats := s.window.from, s.window.to, s.window.end
	if from.IsZero() {
		from = began
	}
	if to.IsZero() {
		to, stats = time.Now(), s.sim.Stats()
	}
	return reading{
		Report:   s.rec.Report(from, to, nil),
		sim:      stats,
		upstream: stats.Status[http.StatusTooManyRequests],
		cut:      s.rec.Report(from, time.Now().Add(time.Second), nil).Cut,
		warm: warmUp{
			rateLimited: s.rec.Report(began, from, nil).RateLimited,
			upstream:    s.window.warm,
		},
	}
}
