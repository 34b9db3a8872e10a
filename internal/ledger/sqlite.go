package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/weir-gateway/weir/internal/sqlite"
)

// migrations bring the store's tables from each version to the next. A version
// that has been released does not change. Amounts are picodollars, times are
// milliseconds since 1970. Sums by day are kept along, so that no report reads
// all attempts.
var migrations = []string{`
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
INSERT OR IGNORE INTO mark VALUES (1, 0, 0);`, `
ALTER TABLE attempt ADD COLUMN client TEXT NOT NULL DEFAULT '';
ALTER TABLE attempt ADD COLUMN cached TEXT NOT NULL DEFAULT '';
ALTER TABLE daily ADD COLUMN cached INTEGER NOT NULL DEFAULT 0;`, `
ALTER TABLE daily ADD COLUMN degraded INTEGER NOT NULL DEFAULT 0;
UPDATE daily SET degraded = n FROM (
	SELECT strftime('%Y-%m-%d', at / 1000, 'unixepoch') AS d, tenant AS t, model AS m, key AS k, class AS c, count(*) AS n
	FROM attempt WHERE final AND degraded <> '' GROUP BY 1, 2, 3, 4, 5)
WHERE day = d AND tenant = t AND model = m AND key = k AND class = c;`,
}

// columns are those of an attempt, in the order in which rows are written and
// read.
const columns = `call, attempt, final, at, tenant, client, key, model, class, stream, status, kind, outcome, waited, took, degraded, cached,
	input, cache_write, hour_write, cache_read, output, searches, exact, cost, priced`

const insertAttempt = `INSERT INTO attempt (` + columns + `) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`

// figures are the columns of a day's sum.
const figures = `requests, attempts, cached, degraded, input, cache_read, cache_write, output, cost`

const upsertDaily = `INSERT INTO daily (day, tenant, model, key, class, ` + figures + `) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)
ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, attempts = attempts + excluded.attempts, cached = cached + excluded.cached,
	degraded = degraded + excluded.degraded, input = input + excluded.input, cache_read = cache_read + excluded.cache_read,
	cache_write = cache_write + excluded.cache_write, output = output + excluded.output, cost = cost + excluded.cost`

// database is the embedded store, one file. Readers and the one writer do not
// wait for each other.
type database struct{ db *sql.DB }

const databaseFile = "ledger.db"

// openDatabase opens the store of a folder; readOnly changes nothing in it.
func openDatabase(dir string, readOnly bool) (*database, error) {
	db, err := sqlite.Open(filepath.Join(dir, databaseFile), sqlite.Options{ReadOnly: readOnly})
	if err != nil {
		return nil, err
	}
	d := &database{db}
	prepare := d.migrate
	if readOnly {
		prepare = d.current
	}
	if err := prepare(); err != nil {
		db.Close()
		return nil, fmt.Errorf("prepare the ledger: %w", err)
	}
	return d, nil
}

// Another version of the program has written the store.
var (
	errNewer = errors.New("its tables were made by a newer version of weir")
	errOlder = errors.New("its tables were made by an older version of weir: start weir serve with it once")
)

// version is that of the tables.
func (d *database) version() (n int, err error) {
	if err := d.db.QueryRow(`PRAGMA user_version`).Scan(&n); err != nil {
		return 0, err
	}
	if n > len(migrations) {
		return n, errNewer
	}
	return n, nil
}

// current reports whether a reader understands the tables.
func (d *database) current() error {
	version, err := d.version()
	if err == nil && version < len(migrations) {
		err = errOlder
	}
	return err
}

// migrate brings the tables up to date, a version at a time.
func (d *database) migrate() error {
	version, err := d.version()
	if err != nil {
		return err
	}
	for n, statements := range migrations[version:] {
		tx, err := d.db.Begin()
		if err != nil {
			return err
		}
		_, err = tx.Exec(statements + fmt.Sprintf("PRAGMA user_version = %d;", version+n+1))
		if err := cmp.Or(err, tx.Commit()); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return nil
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
		if _, err := insert.ExecContext(ctx, r.Call, r.Attempt, r.Final, r.At.UnixMilli(), r.Tenant, r.Client, r.Key, r.Model, r.Class,
			r.Stream, r.Status, r.Kind, r.Outcome, r.Waited, r.Took, r.Degraded, r.Cached,
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
			s.Requests, s.Attempts, s.Cached, s.Degraded, s.Input, s.CacheRead, s.CacheWrite, s.Output, int64(s.Cost)); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, `UPDATE mark SET segment = ?, at = ?`, end.Segment, end.Offset); err != nil {
		return err
	}
	return tx.Commit()
}

// sums implements store.
func (d *database) sums(ctx context.Context, s Span, journal tailer) (map[group]Sum, []Row, error) {
	out := map[group]Sum{}
	rest, err := d.picture(ctx, journal, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT day, tenant, model, key, class, `+figures+` FROM daily WHERE day >= ? AND day <= ?`, s.from(), s.to())
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var g group
			var s Sum
			if err := rows.Scan(&g.Day, &g.Tenant, &g.Model, &g.Key, &g.Class,
				&s.Requests, &s.Attempts, &s.Cached, &s.Degraded, &s.Input, &s.CacheRead, &s.CacheWrite, &s.Output, (*int64)(&s.Cost)); err != nil {
				return err
			}
			out[g] = s
		}
		return rows.Err()
	})
	return out, rest, err
}

// picture reads what belongs together: the store as it is at one instant, and
// the rows of the journal that it has not taken by then.
func (d *database) picture(ctx context.Context, journal tailer, read func(*sql.Tx) error) ([]Row, error) {
	tx, err := d.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	var done mark
	if err := tx.QueryRowContext(ctx, `SELECT segment, at FROM mark`).Scan(&done.Segment, &done.Offset); err != nil {
		return nil, err
	}
	rest, err := journal(done)
	if err != nil {
		return nil, err
	}
	return rest, read(tx)
}

// each implements store.
func (d *database) each(ctx context.Context, s Span, journal tailer, do func(Row) error) ([]Row, error) {
	return d.picture(ctx, journal, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT `+columns+` FROM attempt WHERE at >= ? AND at < ? ORDER BY at, rowid`,
			s.Begin().UnixMilli(), s.End().UnixMilli())
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r Row
			var at int64
			if err := rows.Scan(&r.Call, &r.Attempt, &r.Final, &at, &r.Tenant, &r.Client, &r.Key, &r.Model, &r.Class,
				&r.Stream, &r.Status, &r.Kind, &r.Outcome, &r.Waited, &r.Took, &r.Degraded, &r.Cached,
				&r.Input, &r.CacheWrite, &r.HourWrite, &r.CacheRead, &r.Output, &r.Searches, &r.Exact, (*int64)(&r.Cost), &r.Priced); err != nil {
				return err
			}
			r.At = time.UnixMilli(at).UTC()
			if err := do(r); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// forget implements store.
func (d *database) forget(ctx context.Context, before time.Time, limit int64) (int64, error) {
	res, err := d.db.ExecContext(ctx, `DELETE FROM attempt WHERE rowid IN (SELECT rowid FROM attempt WHERE at < ? LIMIT ?)`, before.UnixMilli(), limit)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}
