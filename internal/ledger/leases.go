package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/sqlite"
)

// Leases is what is leased of budgets, in one file. It implements
// [call.Leases]; a lease is on the disk when it is granted.
type Leases struct {
	lender
	db   *sql.DB
	lock *os.File
}

const leasesFile = "leases.db"

const leasesSchema = `
CREATE TABLE IF NOT EXISTS lease (
	budget TEXT NOT NULL, period TEXT NOT NULL, subject TEXT NOT NULL, start INTEGER NOT NULL,
	finish INTEGER NOT NULL, total INTEGER NOT NULL CHECK (total >= 0),
	PRIMARY KEY (budget, period, subject, start)) WITHOUT ROWID;
PRAGMA user_version = 1;`

// keptLeases is how long the sums of periods that are over are kept.
const keptLeases = 400 * 24 * time.Hour

// OpenLeases opens the leases of a folder, which belongs to one process at a
// time, and makes it if need be. They must be closed.
func OpenLeases(dir string) (*Leases, error) {
	l := &Leases{}
	l.lender = l.change
	if err := l.open(dir); err != nil {
		l.Close()
		return nil, fmt.Errorf("leases of the budgets in %s: %w", dir, err)
	}
	return l, nil
}

func (l *Leases) open(dir string) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if l.lock, err = lockFolder(dir); err != nil {
		return err
	}
	if l.db, err = sqlite.Open(filepath.Join(dir, leasesFile), sqlite.Options{Durable: true}); err != nil {
		return err
	}
	l.db.SetMaxOpenConns(1)
	_, err = l.db.Exec(leasesSchema)
	return err
}

// change replaces the total of a purse, alone.
func (l *Leases) change(ctx context.Context, p call.Purse, to func(before call.USD) call.USD) error {
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after the commit
	var before call.USD
	err = tx.QueryRowContext(ctx, `SELECT coalesce(sum(total), 0) FROM lease WHERE budget = ? AND period = ? AND subject = ? AND start = ?`,
		p.Budget, p.Period, p.Subject, p.Start.Unix()).Scan((*int64)(&before))
	if err != nil {
		return err
	}
	after := to(before)
	if after == before {
		return nil
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO lease VALUES (?,?,?,?,?,?) ON CONFLICT DO UPDATE SET total = excluded.total`,
		p.Budget, p.Period, p.Subject, p.Start.Unix(), p.End.Unix(), int64(after))
	if err != nil {
		return err
	}
	return tx.Commit()
}

// Purses implements [call.Leases].
func (l *Leases) Purses(ctx context.Context, now time.Time) (map[call.Purse]call.USD, error) {
	if _, err := l.db.ExecContext(ctx, `DELETE FROM lease WHERE finish < ?`, now.Add(-keptLeases).Unix()); err != nil {
		return nil, err
	}
	rows, err := l.db.QueryContext(ctx, `SELECT budget, period, subject, start, finish, total FROM lease WHERE finish > ?`, now.Unix())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[call.Purse]call.USD{}
	for rows.Next() {
		var p call.Purse
		var start, finish int64
		var total call.USD
		if err := rows.Scan(&p.Budget, &p.Period, &p.Subject, &start, &finish, (*int64)(&total)); err != nil {
			return nil, err
		}
		p.Start, p.End = time.Unix(start, 0).UTC(), time.Unix(finish, 0).UTC()
		out[p] = total
	}
	return out, rows.Err()
}

// Close gives the folder back.
func (l *Leases) Close() error {
	var first error
	if l.db != nil {
		first = l.db.Close()
	}
	if l.lock != nil {
		if err := l.lock.Close(); first == nil {
			first = err
		}
	}
	return first
}
