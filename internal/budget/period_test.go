package budget

import (
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"
)

var zones = []string{
	"UTC", "Europe/Berlin", "America/New_York", "Asia/Shanghai", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Cairo",
	"Asia/Beirut", "America/Santiago", "America/Havana", "Atlantic/Azores", "America/Nuuk", "Pacific/Apia", "America/Sao_Paulo",
}

func date(t time.Time) string { return t.Format(time.DateOnly) }

// TestPeriodsMeet: any instant is in its period, which begins at the first
// instant of a day and ends where the next one begins.
func TestPeriodsMeet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		p := rapid.SampledFrom([]Period{Day, Week, Month}).Draw(t, "period")
		now := time.Unix(rapid.Int64Range(1_325_376_000, 1_900_000_000).Draw(t, "now"), 0)
		start, end := p.span(now, zone)
		if now.Before(start) || !now.Before(end) {
			t.Fatalf("%v is not between %v and %v", now.In(zone), start, end)
		}
		for _, edge := range []time.Time{start, end} {
			if date(edge) == date(edge.Add(-time.Nanosecond)) || date(edge.Add(-time.Hour)) == date(edge) {
				t.Fatalf("%v is not the first instant of its day", edge)
			}
		}
		if next, _ := p.span(end, zone); !next.Equal(end) {
			t.Fatalf("the next one begins at %v, not %v", next, end)
		}
		if last, _ := p.span(end.Add(-1), zone); !last.Equal(start) {
			t.Fatalf("its last instant is in one that began at %v, not %v", last, start)
		}
		if p == Week && start.Weekday() != time.Monday || p == Month && start.Day() != 1 {
			t.Fatalf("a %s begins on %v", p, start)
		}
	})
}

// TestPeriods has lengths done by hand.
func TestPeriods(t *testing.T) {
	for name, tt := range map[string]struct {
		zone   string
		p      Period
		now    string
		start  string
		length time.Duration
	}{
		"utc":          {"UTC", Day, "2026-11-25T13:00:00Z", "2026-11-25T00:00:00Z", 24 * time.Hour},
		"berlin-short": {"Europe/Berlin", Day, "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", 23 * time.Hour},
		"berlin-long":  {"Europe/Berlin", Day, "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", 25 * time.Hour},
		"berlin-week":  {"Europe/Berlin", Week, "2026-10-25T12:00:00Z", "2026-10-18T22:00:00Z", 169 * time.Hour},
		"berlin-month": {"Europe/Berlin", Month, "2026-03-31T21:59:59Z", "2026-02-28T23:00:00Z", 31*24*time.Hour - time.Hour},
		"shanghai":     {"Asia/Shanghai", Month, "2026-11-30T16:00:00Z", "2026-11-30T16:00:00Z", 31 * 24 * time.Hour},
		"no-midnight":  {"America/Sao_Paulo", Day, "2017-10-15T12:00:00Z", "2017-10-15T03:00:00Z", 23 * time.Hour},
		"two-midnight": {"America/Havana", Day, "2026-11-01T12:00:00Z", "2026-11-01T04:00:00Z", 25 * time.Hour},
		"leap":         {"UTC", Month, "2028-02-29T00:00:00Z", "2028-02-01T00:00:00Z", 29 * 24 * time.Hour},
		"new-year":     {"UTC", Week, "2027-01-01T00:00:00Z", "2026-12-28T00:00:00Z", 7 * 24 * time.Hour},
	} {
		zone, err := time.LoadLocation(tt.zone)
		if err != nil {
			t.Fatal(err)
		}
		now, err := time.Parse(time.RFC3339, tt.now)
		if err != nil {
			t.Fatal(err)
		}
		start, end := tt.p.span(now, zone)
		if start.UTC().Format(time.RFC3339) != tt.start || end.Sub(start) != tt.length {
			t.Errorf("%s: from %v for %v, want %s for %v", name, start.UTC(), end.Sub(start), tt.start, tt.length)
		}
	}
}
