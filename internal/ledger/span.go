package ledger

import (
	"fmt"
	"strings"
	"time"
)

// Span is a range of days, both included. The zero Span is all of them.
type Span struct{ First, Last time.Time }

// ParseSpan reads two days such as 2026-11-01. An empty one is no bound.
func ParseSpan(from, to string) (s Span, err error) {
	for _, day := range []struct {
		name, text string
		to         *time.Time
	}{{"from", from, &s.First}, {"to", to, &s.Last}} {
		if day.text == "" {
			continue
		}
		if *day.to, err = time.Parse(time.DateOnly, day.text); err != nil {
			return s, fmt.Errorf("%s must be a day such as 2026-11-01, not %q", day.name, day.text)
		}
	}
	return s, nil
}

func (s Span) from() string {
	if s.First.IsZero() {
		return ""
	}
	return s.First.UTC().Format(time.DateOnly)
}

func (s Span) to() string {
	if s.Last.IsZero() {
		return strings.Repeat("9", len(time.DateOnly))
	}
	return s.Last.UTC().Format(time.DateOnly)
}

// Begin is the instant at which the span begins.
func (s Span) Begin() time.Time { return s.First.UTC().Truncate(24 * time.Hour) }

// End is the instant at which the span is over.
func (s Span) End() time.Time {
	if s.Last.IsZero() {
		return time.UnixMilli(1 << 52)
	}
	return s.Last.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1)
}

func (s Span) holds(day string) bool { return day >= s.from() && day <= s.to() }
