package cache

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-gateway/weir/internal/sqlite"
)

const diskSchema = `
CREATE TABLE IF NOT EXISTS answer (key BLOB PRIMARY KEY, owner BLOB NOT NULL, asked INTEGER NOT NULL, size INTEGER NOT NULL, value BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS answer_asked ON answer (asked, size);
CREATE INDEX IF NOT EXISTS answer_owner ON answer (owner, asked);
PRAGMA user_version = 1;`

// diskFile is where the answers are in the data folder.
const diskFile = "cache.db"

// diskPatience bounds the wait for another process that writes.
const diskPatience = 2 * time.Second

// disk keeps entries in a file. A file that is damaged is given up for a new
// one: it is but a cache.
type disk struct {
	// Static after openDisk.
	path   string
	limit  int64
	maxAge func() time.Duration
	log    *slog.Logger

	held atomic.Int64 // bytes of all values

	mu sync.RWMutex // guards db, which is replaced when its file is damaged
	db *sql.DB
}

func openDisk(dir string, limit int64, maxAge func() time.Duration, log *slog.Logger) (*disk, error) {
	d := &disk{path: filepath.Join(dir, diskFile), limit: limit, maxAge: maxAge, log: log}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	err := d.open()
	if err == nil {
		return d, nil
	}
	return d, d.renew(err)
}

// open opens the file and counts what is in it.
func (d *disk) open() error {
	f, err := os.OpenFile(d.path, os.O_CREATE|os.O_RDWR, 0o600) // before SQLite makes it for others to read
	if err != nil {
		return err
	}
	f.Close()
	db, err := sqlite.Open(d.path, sqlite.Options{Patience: diskPatience})
	if err != nil {
		return err
	}
	var held int64
	if _, err = db.Exec(diskSchema); err == nil {
		err = db.QueryRow(`SELECT coalesce(sum(size), 0) FROM answer`).Scan(&held)
	}
	if err != nil {
		return errors.Join(err, db.Close())
	}
	d.db = db
	d.held.Store(held)
	return nil
}

// renew gives up what is there and begins anew.
func (d *disk) renew(cause error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.log.Warn("the cache on disk is damaged: it is emptied", "file", d.path, "cause", cause)
	if d.db != nil {
		d.db.Close()
		d.db = nil
	}
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(d.path + end); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove the damaged cache: %w", err)
		}
	}
	return d.open()
}

// The results of SQLite that mean a damaged file.
const (
	sqliteCorrupt = 11
	sqliteNotDB   = 26
)

func damaged(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code()&0xff == sqliteCorrupt || e.Code()&0xff == sqliteNotDB)
}

var errNoDisk = errors.New("the file is not open")

// with runs f on the database, and renews that if it turns out to be damaged.
func (d *disk) with(f func(*sql.DB) error) error {
	d.mu.RLock()
	db := d.db
	err := errNoDisk
	if db != nil {
		err = f(db)
	}
	d.mu.RUnlock()
	if damaged(err) {
		return d.renew(err)
	}
	return err
}

func (d *disk) load(ctx context.Context, k key) (of owner, value []byte, err error) {
	err = d.with(func(db *sql.DB) error {
		var whose []byte
		err := db.QueryRowContext(ctx, `SELECT owner, value FROM answer WHERE key = ?`, k[:]).Scan(&whose, &value)
		if errors.Is(err, sql.ErrNoRows) || (err == nil && len(whose) != len(of)) {
			value = nil
			return nil
		}
		if err == nil {
			of = owner(whose)
		}
		return err
	})
	return of, value, err
}

func (d *disk) save(ctx context.Context, list []sealed) error {
	return d.with(func(db *sql.DB) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback() // does nothing after the commit
		for _, e := range list {
			if _, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO answer VALUES (?,?,?,?,?)`,
				e.key[:], e.owner[:], e.asked.UnixMilli(), len(e.value), e.value); err != nil {
				return err
			}
		}
		if err := d.count(ctx, tx); err != nil {
			return err
		}
		return tx.Commit()
	})
}

// count makes room for what is above the limit, the oldest first, and takes
// note of what is left.
func (d *disk) count(ctx context.Context, tx *sql.Tx) error {
	var held int64
	if err := tx.QueryRowContext(ctx, `SELECT coalesce(sum(size), 0) FROM answer`).Scan(&held); err != nil {
		return err
	}
	if held > d.limit {
		if _, err := tx.ExecContext(ctx, `DELETE FROM answer WHERE rowid IN (SELECT rowid FROM
			(SELECT rowid, sum(size) OVER (ORDER BY asked DESC, rowid) AS upto FROM answer) WHERE upto > ?)`, d.limit-d.limit/8); err != nil {
			return err
		}
		if err := tx.QueryRowContext(ctx, `SELECT coalesce(sum(size), 0) FROM answer`).Scan(&held); err != nil {
			return err
		}
	}
	d.held.Store(held)
	return nil
}

func (d *disk) purge(ctx context.Context, of *owner, at time.Time, _ bool) error {
	where, args := `asked <= ?`, []any{at.UnixMilli()}
	if of != nil {
		where, args = `owner = ? AND asked <= ?`, []any{of[:], at.UnixMilli()}
	}
	return d.remove(ctx, where, args...)
}

func (d *disk) remove(ctx context.Context, where string, args ...any) error {
	return d.with(func(db *sql.DB) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if _, err := tx.ExecContext(ctx, `DELETE FROM answer WHERE `+where, args...); err != nil {
			return err
		}
		if err := d.count(ctx, tx); err != nil {
			return err
		}
		return tx.Commit()
	})
}

// tend sweeps once in a while.
func (d *disk) tend(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := d.sweep(ctx, time.Now()); err != nil && ctx.Err() == nil {
				d.log.Warn("cannot remove old answers from the cache on disk", "cause", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// sweep removes what is too old by then. The ladder's rung for old answers has
// the memory alone: here they would crowd out those of which all have the use.
func (d *disk) sweep(ctx context.Context, now time.Time) error {
	return d.remove(ctx, `asked <= ?`, now.Add(-d.maxAge()).UnixMilli())
}

func (d *disk) bytes() int64 { return d.held.Load() }

func (d *disk) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.db == nil {
		return nil
	}
	err := d.db.Close()
	d.db = nil
	return err
}
