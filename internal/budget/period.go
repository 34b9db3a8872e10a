package budget

import "time"

// Period is how often a budget starts anew.
type Period string

// The periods. A week begins on Monday.
const (
	Day   Period = "day"
	Week  Period = "week"
	Month Period = "month"
)

func (p Period) known() bool { return p == Day || p == Week || p == Month }

// span is the period that now is in: it begins and ends at the first instants
// of days in zone.
func (p Period) span(now time.Time, zone *time.Location) (start, end time.Time) {
	y, m, d := now.In(zone).Date()
	switch p {
	case Week:
		d -= (int(now.In(zone).Weekday()) + 6) % 7
		return dawn(y, m, d, zone), dawn(y, m, d+7, zone)
	case Month:
		return dawn(y, m, 1, zone), dawn(y, m+1, 1, zone)
	}
	return dawn(y, m, d, zone), dawn(y, m, d+1, zone)
}

// dawn is the first instant of a day. Where clocks are put forward at midnight
// there is no midnight, and where they are put back after it there are two.
func dawn(y int, m time.Month, d int, zone *time.Location) time.Time {
	noon := time.Date(y, m, d, 12, 0, 0, 0, zone)
	y, m, d = noon.Date()
	t := time.Date(y, m, d, 0, 0, 0, 0, zone)
	if t.Day() != d { // midnight was left out
		_, t = t.ZoneBounds()
		return t
	}
	if turn, _ := t.ZoneBounds(); !turn.IsZero() {
		_, after := t.Zone()
		_, before := turn.Add(-1).Zone()
		first := t.Add(time.Duration(after-before) * time.Second)
		if after < before && first.Before(turn) && first.Day() == d {
			return first
		}
	}
	return t
}
