package ledger

import (
	"context"
	"time"
)

// store is where the rows of the journal go. Each implementation takes a row
// once, however often it is given: [database] by the mark that it keeps beside
// its rows, [postgres] by their ids.
type store interface {
	// done is the place in the journal up to which the store has everything.
	done(ctx context.Context) (mark, error)
	// take writes rows and the place in the journal where they end, all or nothing.
	take(ctx context.Context, rows []Row, end mark) error
	// sums adds up the days of a span by all dimensions, and returns beside them
	// the rows of the journal that they lack.
	sums(ctx context.Context, s Span, journal tailer) (map[group]Sum, []Row, error)
	// each hands the attempts of a span to do, the oldest first, and returns the
	// rows of the journal that were not among them.
	each(ctx context.Context, s Span, journal tailer, do func(Row) error) ([]Row, error)
	// forget removes at most so many attempts from before a time. Sums stay.
	forget(ctx context.Context, before time.Time, limit int64) (n int64, err error)
	close() error
}

// tailer reads the rows of the journal behind a place.
type tailer func(from mark) ([]Row, error)
