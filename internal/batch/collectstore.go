package batch

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"time"
)

// cutBatch is a batch of collected requests.
type cutBatch struct {
	number int64
	key    string // fingerprint of the key that makes it
	form   string
	at     time.Time
	size   int
	ids    []string // of its requests, when it is cut
	id     string   // "" until it is known
	state  batchState
}

// cutOf says what a batch is to be made of.
type cutOf struct {
	key    string
	size   int             // at most
	wanted map[string]bool // requests
}

func (b *cutBatch) shape() (f form) {
	_ = json.Unmarshal([]byte(b.form), &f) // formOf has written it
	return f
}

// cut makes a batch of the requests that have waited longest and have the same
// form, and writes it down as one that is about to be made. Its size is 0 if
// nothing waits.
func (s *Store) cut(ctx context.Context, of cutOf) (b cutBatch, body []byte, err error) {
	b = cutBatch{key: of.key, at: time.Now()}
	err = s.within(ctx, func(tx *sql.Tx) (err error) {
		body, err = b.oldest(ctx, tx, of)
		if err != nil || len(b.ids) == 0 {
			return err
		}
		b.size = len(b.ids)
		res, err := tx.ExecContext(ctx, `INSERT INTO batch (key, form, at, size, id, state) VALUES (?,?,?,?,'',?)`,
			b.key, b.form, b.at.UnixMilli(), b.size, intended)
		if err != nil {
			return err
		}
		if b.number, err = res.LastInsertId(); err != nil {
			return err
		}
		for _, id := range b.ids {
			if _, err := tx.ExecContext(ctx, `UPDATE request SET batch = ? WHERE id = ?`, b.number, id); err != nil {
				return err
			}
		}
		return nil
	})
	return b, body, err
}

// oldest takes in the requests that have waited longest, all of the form of the
// first, and returns them as the body of a batch.
func (b *cutBatch) oldest(ctx context.Context, tx *sql.Tx, of cutOf) ([]byte, error) {
	rows, err := tx.QueryContext(ctx, `SELECT id, form, body FROM request WHERE batch = 0 AND type = '' ORDER BY at`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	buf := bytes.NewBufferString(`{"requests":[`)
	for len(b.ids) < of.size && rows.Next() {
		var id, form string
		var params sql.RawBytes
		if err := rows.Scan(&id, &form, &params); err != nil {
			return nil, err
		}
		if !of.wanted[id] || len(b.ids) > 0 && form != b.form {
			continue
		}
		if len(b.ids) > 0 && buf.Len()+len(params) > maxBytes {
			break
		}
		appendRequest(buf, len(b.ids), id, params)
		b.ids, b.form = append(b.ids, id), form
	}
	buf.WriteString("]}")
	return buf.Bytes(), rows.Err()
}

// made writes down a batch's id, and whose it is.
func (s *Store) made(ctx context.Context, number int64, id string) error {
	return s.within(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE batch SET id = ?, state = ? WHERE number = ?`, id, waiting, number); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO owner SELECT id, key, at FROM batch WHERE number = ?`, number)
		return err
	})
}

// undo frees the requests of a batch that was not made for another one.
func (s *Store) undo(ctx context.Context, number int64) error {
	return s.within(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE request SET batch = 0 WHERE batch = ?`, number); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE batch SET state = ? WHERE number = ?`, never, number)
		return err
	})
}

func (s *Store) state(ctx context.Context, number int64, state batchState) error {
	return s.exec(ctx, `UPDATE batch SET state = ? WHERE number = ?`, state, number)
}

// batch reads one.
func (s *Store) batch(ctx context.Context, number int64) (cutBatch, error) {
	list, err := s.batches(ctx, `number = ?`, number)
	if err != nil || len(list) == 0 {
		return cutBatch{number: number}, err
	}
	return list[0], nil
}

// open lists the batches that are not finished, the oldest first.
func (s *Store) open(ctx context.Context) ([]cutBatch, error) {
	return s.batches(ctx, `state IN (?,?) ORDER BY number`, intended, waiting)
}

func (s *Store) batches(ctx context.Context, where string, args ...any) (list []cutBatch, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT number, key, form, at, size, id, state FROM batch WHERE `+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var b cutBatch
		var at int64
		if err := rows.Scan(&b.number, &b.key, &b.form, &at, &b.size, &b.id, &b.state); err != nil {
			return nil, err
		}
		b.at = time.UnixMilli(at)
		list = append(list, b)
	}
	return list, rows.Err()
}

// has reports whether a batch is one of those that were made here.
func (s *Store) has(ctx context.Context, id string) bool {
	var n int
	err := s.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM batch WHERE id = ?`, id).Scan(&n)
	return err == nil && n > 0
}

// results writes down what has come of a batch's requests, once each.
func (s *Store) results(ctx context.Context, number int64, list []Result) error {
	now := time.Now().UnixMilli()
	return s.within(ctx, func(tx *sql.Tx) error {
		for _, r := range list {
			_, err := tx.ExecContext(ctx, `UPDATE request SET type = ?, result = ?, done = ?, body = NULL WHERE id = ? AND batch = ? AND type = ''`,
				r.Type, []byte(r.Raw), now, r.ID, number)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// unbooked lists what was answered and is not marked as booked.
func (s *Store) unbooked(ctx context.Context) ([]ask, error) {
	return s.asks(ctx, `type <> '' AND booked = 0 ORDER BY at`)
}

// booked marks requests as booked.
func (s *Store) booked(ctx context.Context, list []ask) error {
	return s.within(ctx, func(tx *sql.Tx) error {
		for _, a := range list {
			if _, err := tx.ExecContext(ctx, `UPDATE request SET booked = 1 WHERE id = ?`, a.id); err != nil {
				return err
			}
		}
		return nil
	})
}

// sweep removes what is delivered and booked.
func (s *Store) sweep(ctx context.Context) error {
	return s.exec(ctx, `DELETE FROM request WHERE delivered > 0 AND booked = 1 AND keyed = 0`)
}
