package batch

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/weir-gateway/weir/internal/sqlite"
)

// schema is the store's. Times are milliseconds since 1970.
const schema = `
CREATE TABLE IF NOT EXISTS owner (batch TEXT PRIMARY KEY, key TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batch (
	number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, form TEXT NOT NULL, at INTEGER NOT NULL,
	size INTEGER NOT NULL, id TEXT NOT NULL, state INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS request (
	id TEXT PRIMARY KEY, same TEXT NOT NULL, keyed INTEGER NOT NULL, tenant TEXT NOT NULL, client TEXT NOT NULL,
	model TEXT NOT NULL, form TEXT NOT NULL, body BLOB, at INTEGER NOT NULL, batch INTEGER NOT NULL,
	type TEXT NOT NULL, result BLOB, done INTEGER NOT NULL, booked INTEGER NOT NULL, delivered INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS request_same ON request (same);
CREATE INDEX IF NOT EXISTS request_batch ON request (batch, type);
PRAGMA user_version = 1;`

// Store is what batches must be remembered for: which key made which, and the
// requests of callers that wait for one. It is safe for concurrent use.
type Store struct{ db *sql.DB }

// OpenStore opens the store in a file. It must be closed.
func OpenStore(file string) (*Store, error) {
	db, err := sqlite.Open(file, sqlite.Options{})
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // one writer at a time
	if _, err := db.Exec(schema); err != nil {
		db.Close()
		return nil, fmt.Errorf("store of batches %s: %w", file, err)
	}
	return &Store{db}, nil
}

// Close closes the store.
func (s *Store) Close() error { return s.db.Close() }

// within runs f in one transaction, all or nothing.
func (s *Store) within(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after the commit
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// Owner is the fingerprint of the key that a batch belongs to, or "".
func (s *Store) Owner(ctx context.Context, batch string) string {
	var key string
	if err := s.db.QueryRowContext(ctx, `SELECT key FROM owner WHERE batch = ?`, batch).Scan(&key); err != nil {
		return "" // not known, or not to be read: then it is looked for
	}
	return key
}

// Own remembers whose batches these are.
func (s *Store) Own(ctx context.Context, key string, batches ...string) error {
	return s.within(ctx, func(tx *sql.Tx) error {
		for _, id := range batches {
			if _, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO owner VALUES (?,?,?)`, id, key, time.Now().UnixMilli()); err != nil {
				return err
			}
		}
		return nil
	})
}

// keptOwners is how long it is remembered whose batch it is. The API keeps
// results for 29 days.
const keptOwners = 60 * 24 * time.Hour

// keptUnasked is how long what nobody waits for any more may stay in no batch,
// beyond the time that results are kept.
const keptUnasked = 7 * 24 * time.Hour

// ask is one request of a caller that waits for a batch.
type ask struct {
	id, same       string // custom_id; what the same request has too
	keyed          bool   // the caller gave it an idempotency key
	tenant, client string
	model, form    string
	body           []byte
	at             time.Time
	batch          int64 // 0: in none yet
	result         Result
}

// begun reports whether the request is in a batch, or has its result.
func (a ask) begun() bool { return a.batch != 0 || a.result.Type != "" }

const askColumns = `id, same, keyed, tenant, client, model, form, at, batch, type, result`

func scanAsk(rows interface{ Scan(...any) error }) (a ask, err error) {
	var at int64
	err = rows.Scan(&a.id, &a.same, &a.keyed, &a.tenant, &a.client, &a.model, &a.form, &at, &a.batch, &a.result.Type, (*[]byte)(&a.result.Raw))
	a.at, a.result.ID = time.UnixMilli(at), a.id
	return a, err
}

// asks returns those that a condition holds for, without their bodies, the
// oldest first.
func (s *Store) asks(ctx context.Context, where string, args ...any) (list []ask, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT `+askColumns+` FROM request WHERE `+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		a, err := scanAsk(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, rows.Err()
}

// find returns what is there of the same request, the oldest first.
func (s *Store) find(ctx context.Context, same string) ([]ask, error) {
	return s.asks(ctx, `same = ? AND (keyed = 1 OR delivered = 0) ORDER BY at`, same)
}

func (s *Store) get(ctx context.Context, id string) (ask, error) {
	return scanAsk(s.db.QueryRowContext(ctx, `SELECT `+askColumns+` FROM request WHERE id = ?`, id))
}

// insert writes a request down.
func (s *Store) insert(ctx context.Context, a ask) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO request VALUES (?,?,?,?,?,?,?,?,?,0,'',NULL,0,0,0)`,
		a.id, a.same, a.keyed, a.tenant, a.client, a.model, a.form, a.body, a.at.UnixMilli())
	return err
}

// delivered notes that callers have their answers. One with an idempotency key
// may come for it again.
func (s *Store) delivered(ctx context.Context, ids []string) error {
	return s.within(ctx, func(tx *sql.Tx) error {
		for _, id := range ids {
			if _, err := tx.ExecContext(ctx, `UPDATE request SET delivered = ? WHERE id = ?`, time.Now().UnixMilli(), id); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `DELETE FROM request WHERE id = ? AND keyed = 0 AND booked = 1`, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// forget removes a request that is answered in another way.
func (s *Store) forget(ctx context.Context, id string) error {
	_, err := s.db.ExecContext(ctx, `DELETE FROM request WHERE id = ?`, id)
	return err
}

// purge removes results that nobody has come for, and what else is old.
func (s *Store) purge(ctx context.Context, before time.Time) error {
	return errors.Join(
		s.exec(ctx, `DELETE FROM request WHERE done > 0 AND done < ? AND booked = 1`, before.UnixMilli()),
		s.exec(ctx, `DELETE FROM request WHERE batch = 0 AND type = '' AND at < ?`, before.Add(-keptUnasked).UnixMilli()),
		s.exec(ctx, `DELETE FROM batch WHERE state IN (?,?) AND at < ? AND number NOT IN (SELECT batch FROM request)`, never, finished, before.UnixMilli()),
		s.exec(ctx, `DELETE FROM owner WHERE at < ?`, time.Now().Add(-keptOwners).UnixMilli()),
	)
}

func (s *Store) exec(ctx context.Context, query string, args ...any) error {
	_, err := s.db.ExecContext(ctx, query, args...)
	return err
}

// counts is how much is kept.
type counts struct{ waiting, queued, ready int }

func (s *Store) counts(ctx context.Context) (c counts, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT
		COALESCE(SUM(type = '' AND batch = 0), 0), COALESCE(SUM(type = '' AND batch > 0), 0),
		COALESCE(SUM(type <> '' AND delivered = 0), 0) FROM request`).Scan(&c.waiting, &c.queued, &c.ready)
	return c, err
}
