package sim

import (
	"context"
	"time"
)

// clock is the server's own time: it starts with the server and runs speed
// times as fast as the world's.
type clock struct {
	start time.Time
	speed float64
}

// now is the time since the start.
func (c clock) now() instant {
	return time.Duration(float64(time.Since(c.start)) * c.speed)
}

// date is t as a point in the server's time, in UTC.
func (c clock) date(t instant) time.Time { return c.start.Add(t).UTC() }

// sleep waits for d of the server's time, or until ctx ends.
func (c clock) sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(time.Duration(float64(d) / c.speed))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
