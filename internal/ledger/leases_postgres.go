package ledger

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/weir-gateway/weir/call"
)

// SharedLeases is what several gateways have leased of budgets, in PostgreSQL.
// It implements [call.Leases].
type SharedLeases struct {
	lender
	pool *pgxpool.Pool

	mu    sync.Mutex // guards ready
	ready bool       // the table is there
}

const pgLeases = `CREATE TABLE IF NOT EXISTS weir_budget_lease (
	budget text NOT NULL, period text NOT NULL, subject text NOT NULL, start timestamptz NOT NULL,
	finish timestamptz NOT NULL, total bigint NOT NULL CHECK (total >= 0),
	PRIMARY KEY (budget, period, subject, start))`

// OpenSharedLeases opens the leases of a database. They must be closed.
func OpenSharedLeases(address call.Secret) (*SharedLeases, error) {
	p, err := openPostgres(address, "")
	if err != nil {
		return nil, err
	}
	l := &SharedLeases{pool: p.pool}
	l.lender = l.change
	return l, nil
}

// prepare makes the table when the server is there for the first time.
func (l *SharedLeases) prepare(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ready {
		return nil
	}
	err := pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(pgLock)); err != nil {
			return err // two that make one table at once would meet an error
		}
		_, err := tx.Exec(ctx, pgLeases)
		return err
	})
	l.ready = err == nil
	return err
}

// change replaces the total of a purse, which is locked meanwhile. A commit of
// which the answer is lost leaves a lease that nobody has: it counts as spent.
func (l *SharedLeases) change(ctx context.Context, p call.Purse, to func(before call.USD) call.USD) error {
	if err := l.prepare(ctx); err != nil {
		return fmt.Errorf("leases of the budgets: %w", err)
	}
	err := pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `SET LOCAL synchronous_commit = on`)
		if err == nil {
			_, err = tx.Exec(ctx, `INSERT INTO weir_budget_lease VALUES ($1, $2, $3, $4, $5, 0) ON CONFLICT DO NOTHING`,
				p.Budget, p.Period, p.Subject, p.Start, p.End)
		}
		var before call.USD
		if err == nil {
			err = tx.QueryRow(ctx, `SELECT total FROM weir_budget_lease WHERE budget = $1 AND period = $2 AND subject = $3 AND start = $4 FOR UPDATE`,
				p.Budget, p.Period, p.Subject, p.Start).Scan((*int64)(&before))
		}
		if err == nil {
			_, err = tx.Exec(ctx, `UPDATE weir_budget_lease SET total = $5 WHERE budget = $1 AND period = $2 AND subject = $3 AND start = $4`,
				p.Budget, p.Period, p.Subject, p.Start, int64(to(before)))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("leases of the budgets: %w", err)
	}
	return nil
}

// Purses implements [call.Leases].
func (l *SharedLeases) Purses(ctx context.Context, now time.Time) (map[call.Purse]call.USD, error) {
	if err := l.prepare(ctx); err != nil {
		return nil, err
	}
	if _, err := l.pool.Exec(ctx, `DELETE FROM weir_budget_lease WHERE finish < $1`, now.Add(-keptLeases)); err != nil {
		return nil, err
	}
	rows, err := l.pool.Query(ctx, `SELECT budget, period, subject, start, finish, total FROM weir_budget_lease WHERE finish > $1`, now)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[call.Purse]call.USD{}
	for rows.Next() {
		var p call.Purse
		var total call.USD
		if err := rows.Scan(&p.Budget, &p.Period, &p.Subject, &p.Start, &p.End, (*int64)(&total)); err != nil {
			return nil, err
		}
		p.Start, p.End = p.Start.UTC(), p.End.UTC()
		out[p] = total
	}
	return out, rows.Err()
}

// Close ends the connections.
func (l *SharedLeases) Close() error {
	l.pool.Close()
	return nil
}
