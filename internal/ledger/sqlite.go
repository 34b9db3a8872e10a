package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// schema is the store's. Amounts are picodollars, times are milliseconds since
// 1970. Sums by day are kept along, so that no report reads all attempts.
const schema = `
CREATE TABLE IF NOT EXISTS attempt (
	call TEXT NOT NULL, attempt INTEGER NOT NULL, final INTEGER NOT NULL, at INTEGER NOT NULL,
	tenant TEXT NOT NULL, key TEXT NOT NULL, model TEXT NOT NULL, class TEXT NOT NULL,
	stream INTEGER NOT NULL, status INTEGER NOT NULL, kind TEXT NOT NULL, outcome TEXT NOT NULL,
	waited INTEGER NOT NULL, took INTEGER NOT NULL, degraded TEXT NOT NULL,
	input INTEGER NOT NULL, cache_write INTEGER NOT NULL, hour_write INTEGER NOT NULL,
	cache_read INTEGER NOT NULL, output INTEGER NOT NULL, searches INTEGER NOT NULL,
	exact INTEGER NOT NULL, cost INTEGER NOT NULL, priced INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS attempt_at ON attempt (at);
CREATE TABLE IF NOT EXISTS daily (
	day TEXT NOT NULL, tenant TEXT NOT NULL, model TEXT NOT NULL, key TEXT NOT NULL, class TEXT NOT NULL,
	requests INTEGER NOT NULL, attempts INTEGER NOT NULL, input INTEGER NOT NULL, cache_read INTEGER NOT NULL,
	cache_write INTEGER NOT NULL, output INTEGER NOT NULL, cost INTEGER NOT NULL,
	PRIMARY KEY (day, tenant, model, key, class)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mark (one INTEGER PRIMARY KEY CHECK (one = 1), segment INTEGER NOT NULL, at INTEGER NOT NULL);
INSERT OR IGNORE INTO mark VALUES (1, 0, 0);
PRAGMA user_version = 1;`

const insertAttempt = `INSERT INTO attempt VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`

const upsertDaily = `INSERT INTO daily VALUES (?,?,?,?,?,?,?,?,?,?,?,?)
ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, attempts = attempts + excluded.attempts,
	input = input + excluded.input, cache_read = cache_read + excluded.cache_read,
	cache_write = cache_write + excluded.cache_write, output = output + excluded.output, cost = cost + excluded.cost`

// database is the embedded store, one file. Readers and the one writer do not
// wait for each other.
type database struct{ db *sql.DB }

const databaseFile = "ledger.db"

// openDatabase opens the store of a folder; readOnly changes nothing in it.
func openDatabase(dir string, readOnly bool) (*database, error) {
	q := url.Values{"_pragma": {"busy_timeout(10000)", "synchronous(normal)"}}
	if readOnly {
		q.Set("mode", "ro")
	} else {
		q.Add("_pragma", "journal_mode(wal)")
		q.Set("_txlock", "immediate")
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, databaseFile)+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	d := &database{db}
	if !readOnly {
		if _, err := db.Exec(schema); err != nil {
			db.Close()
			return nil, fmt.Errorf("prepare the ledger: %w", err)
		}
	}
	return d, nil
}

func (d *database) close() error { return d.db.Close() }

// done is the place in the journal up to which the store has everything.
func (d *database) done(ctx context.Context) (m mark, err error) {
	err = d.db.QueryRowContext(ctx, `SELECT segment, at FROM mark`).Scan(&m.Segment, &m.Offset)
	return m, err
}

// take writes rows and the place in the journal where they end, all or nothing.
func (d *database) take(ctx context.Context, rows []Row, end mark) error {
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after the commit
	insert, err := tx.PrepareContext(ctx, insertAttempt)
	if err != nil {
		return err
	}
	defer insert.Close()
	sums := map[group]*Sum{}
	for i := range rows {
		r := &rows[i]
		if _, err := insert.ExecContext(ctx, r.Call, r.Attempt, r.Final, r.At.UnixMilli(), r.Tenant, r.Key, r.Model, r.Class,
			r.Stream, r.Status, r.Kind, r.Outcome, r.Waited, r.Took, r.Degraded,
			r.Input, r.CacheWrite, r.HourWrite, r.CacheRead, r.Output, r.Searches, r.Exact, int64(r.Cost), r.Priced); err != nil {
			return err
		}
		g := r.group()
		if sums[g] == nil {
			sums[g] = &Sum{}
		}
		sums[g].count(r)
	}
	for g, s := range sums {
		if _, err := tx.ExecContext(ctx, upsertDaily, g.Day, g.Tenant, g.Model, g.Key, g.Class,
			s.Requests, s.Attempts, s.Input, s.CacheRead, s.CacheWrite, s.Output, int64(s.Cost)); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, `UPDATE mark SET segment = ?, at = ?`, end.Segment, end.Offset); err != nil {
		return err
	}
	return tx.Commit()
}

// sums adds up the days of a span, by all dimensions, and says up to which
// place in the journal.
func (d *database) sums(ctx context.Context, s Span) (out map[group]Sum, done mark, err error) {
	tx, err := d.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // one picture
	if err != nil {
		return nil, mark{}, err
	}
	defer tx.Rollback()
	if err := tx.QueryRowContext(ctx, `SELECT segment, at FROM mark`).Scan(&done.Segment, &done.Offset); err != nil {
		return nil, mark{}, err
	}
	rows, err := tx.QueryContext(ctx, `SELECT day, tenant, model, key, class, requests, attempts, input, cache_read, cache_write, output, cost
		FROM daily WHERE day >= ? AND day <= ?`, s.from(), s.to())
	if err != nil {
		return nil, mark{}, err
	}
	defer rows.Close()
	out = map[group]Sum{}
	for rows.Next() {
		var g group
		var s Sum
		if err := rows.Scan(&g.Day, &g.Tenant, &g.Model, &g.Key, &g.Class,
			&s.Requests, &s.Attempts, &s.Input, &s.CacheRead, &s.CacheWrite, &s.Output, (*int64)(&s.Cost)); err != nil {
			return nil, mark{}, err
		}
		out[g] = s
	}
	return out, done, rows.Err()
}

// each hands the attempts of a span to do, the oldest first.
func (d *database) each(ctx context.Context, s Span, do func(Row) error) (done mark, err error) {
	tx, err := d.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return mark{}, err
	}
	defer tx.Rollback()
	if err := tx.QueryRowContext(ctx, `SELECT segment, at FROM mark`).Scan(&done.Segment, &done.Offset); err != nil {
		return mark{}, err
	}
	rows, err := tx.QueryContext(ctx, `SELECT * FROM attempt WHERE at >= ? AND at < ? ORDER BY at, rowid`,
		s.Begin().UnixMilli(), s.End().UnixMilli())
	if err != nil {
		return mark{}, err
	}
	defer rows.Close()
	for rows.Next() {
		var r Row
		var at int64
		if err := rows.Scan(&r.Call, &r.Attempt, &r.Final, &at, &r.Tenant, &r.Key, &r.Model, &r.Class,
			&r.Stream, &r.Status, &r.Kind, &r.Outcome, &r.Waited, &r.Took, &r.Degraded,
			&r.Input, &r.CacheWrite, &r.HourWrite, &r.CacheRead, &r.Output, &r.Searches, &r.Exact, (*int64)(&r.Cost), &r.Priced); err != nil {
			return mark{}, err
		}
		r.At = time.UnixMilli(at).UTC()
		if err := do(r); err != nil {
			return mark{}, err
		}
	}
	return done, rows.Err()
}

// forget removes attempts from before a time, a piece at a time so that nobody
// waits for long; the sums by day stay. It reports how many are gone.
func (d *database) forget(ctx context.Context, before time.Time) (n int64, err error) {
	const piece = 5000
	for {
		res, err := d.db.ExecContext(ctx, `DELETE FROM attempt WHERE rowid IN (SELECT rowid FROM attempt WHERE at < ? LIMIT ?)`, before.UnixMilli(), piece)
		if err != nil {
			return n, err
		}
		gone, err := res.RowsAffected()
		n += gone
		if err != nil || gone < piece {
			return n, err
		}
	}
}

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
