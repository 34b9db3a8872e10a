// Package dwell keeps switches from flapping: what is on stays on for a while,
// and what is off stays off as long. It reads no clock.
package dwell

import "time"

// Switch is off or on. The zero Switch is off, and may go on at once. It is not
// safe for concurrent use.
type Switch struct {
	on      bool
	changed time.Time
}

// On reports whether it is on.
func (s *Switch) On() bool { return s.on }

// Changed is when it changed last; zero: never.
func (s *Switch) Changed() time.Time { return s.changed }

// Free is how long after now it may change again, for a switch that dwells so
// long; 0: at once.
func (s *Switch) Free(now time.Time, least time.Duration) time.Duration {
	if s.changed.IsZero() {
		return 0
	}
	return max(0, s.changed.Add(least).Sub(now))
}

// Feed tells the switch what holds now, and reports whether it has changed: it
// goes on where enter holds, and off where leave does and enter does not, but
// never sooner than least after it changed last. Between the two conditions it
// stays as it is.
func (s *Switch) Feed(now time.Time, enter, leave bool, least time.Duration) bool {
	switch {
	case s.Free(now, least) > 0:
		return false
	case !s.on && enter:
		s.on = true
	case s.on && leave && !enter:
		s.on = false
	default:
		return false
	}
	s.changed = now
	return true
}
