package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/weir-gateway/weir/internal/files"
)

// sums implements store.
func (p *postgres) sums(ctx context.Context, s Span, journal tailer) (map[group]Sum, []Row, error) {
	out := map[group]Sum{}
	rest, err := p.picture(ctx, journal, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT day, tenant, model, key, class, `+figures+` FROM weir_ledger_daily WHERE day >= $1 AND day <= $2`, s.from(), s.to())
		if err != nil {
			return err
		}
		var g group
		var s Sum
		_, err = pgx.ForEachRow(rows, []any{
			&g.Day, &g.Tenant, &g.Model, &g.Key, &g.Class,
			&s.Requests, &s.Attempts, &s.Cached, &s.Degraded, (*int64)(&s.Input), (*int64)(&s.CacheRead), (*int64)(&s.CacheWrite), (*int64)(&s.Output), (*int64)(&s.Cost),
		}, func() error {
			out[g] = s
			return nil
		})
		return err
	})
	return out, rest, err
}

// each implements store.
func (p *postgres) each(ctx context.Context, s Span, journal tailer, do func(Row) error) ([]Row, error) {
	return p.picture(ctx, journal, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+pgColumns+` FROM weir_ledger_attempt WHERE at >= $1 AND at < $2 ORDER BY at, call, attempt`, s.Begin(), s.End())
		if err != nil {
			return err
		}
		var r Row
		_, err = pgx.ForEachRow(rows, []any{
			&r.Call, &r.Attempt, &r.Gateway, &r.Final, &r.At, &r.Tenant, &r.Client, &r.Key, &r.Model, &r.Class, &r.Stream, &r.Status, &r.Kind, &r.Outcome,
			&r.Waited, &r.Took, &r.Degraded, &r.Cached, (*int64)(&r.Input), (*int64)(&r.CacheWrite), (*int64)(&r.HourWrite), (*int64)(&r.CacheRead),
			(*int64)(&r.Output), &r.Searches, &r.Exact, (*int64)(&r.Cost), &r.Priced,
		}, func() error {
			r.At = r.At.UTC()
			return do(r)
		})
		return err
	})
}

// picture reads the database as it is at one instant. The journal is read
// before, so that a row that is carried over meanwhile is in both, and then
// taken out of the rest.
func (p *postgres) picture(ctx context.Context, journal tailer, read func(pgx.Tx) error) ([]Row, error) {
	var done mark
	var err error
	if p.dir != "" {
		if done, err = p.done(ctx); err != nil {
			return nil, err
		}
	}
	rest, err := journal(done)
	if err != nil {
		return nil, err
	}
	if err := p.prepare(ctx); errors.Is(err, errNoTables) {
		return rest, nil
	} else if err != nil {
		return nil, err
	}
	err = pgx.BeginTxFunc(ctx, p.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if err := read(tx); err != nil {
			return err
		}
		rest, err = lacking(ctx, tx, rest)
		return err
	})
	return rest, err
}

// lacking are the rows that the database has not got.
func lacking(ctx context.Context, tx pgx.Tx, rows []Row) ([]Row, error) {
	type id struct {
		call    string
		attempt int64
	}
	there := map[id]bool{}
	for from := 0; from < len(rows); from += batchRows {
		var calls []string
		for _, r := range rows[from:min(from+batchRows, len(rows))] {
			calls = append(calls, r.Call)
		}
		found, err := tx.Query(ctx, `SELECT call, attempt FROM weir_ledger_attempt WHERE call = ANY($1)`, calls)
		if err != nil {
			return nil, err
		}
		var one id
		if _, err := pgx.ForEachRow(found, []any{&one.call, &one.attempt}, func() error { there[one] = true; return nil }); err != nil {
			return nil, err
		}
	}
	var out []Row
	for _, r := range rows {
		if !there[id{r.Call, int64(r.Attempt)}] {
			out = append(out, r)
		}
	}
	return out, nil
}

// columnsOf turns rows into the arrays that pgTake takes, a column each.
func (p *postgres) columnsOf(rows []Row) []any {
	column := func(of func(*Row) string) []string {
		out := make([]string, len(rows))
		for i := range rows {
			out[i] = storable(of(&rows[i]))
		}
		return out
	}
	number := func(of func(*Row) int64) []int64 {
		out := make([]int64, len(rows))
		for i := range rows {
			out[i] = of(&rows[i])
		}
		return out
	}
	truth := func(of func(*Row) bool) []bool {
		out := make([]bool, len(rows))
		for i := range rows {
			out[i] = of(&rows[i])
		}
		return out
	}
	at := make([]time.Time, len(rows))
	for i := range rows {
		at[i] = rows[i].At
	}
	return []any{
		column(func(r *Row) string { return r.Call }), number(func(r *Row) int64 { return int64(r.Attempt) }),
		column(func(*Row) string { return p.gateway }), truth(func(r *Row) bool { return r.Final }), at,
		column(func(r *Row) string { return r.Tenant }), column(func(r *Row) string { return r.Client }),
		column(func(r *Row) string { return r.Key }), column(func(r *Row) string { return r.Model }), column(func(r *Row) string { return r.Class }),
		truth(func(r *Row) bool { return r.Stream }), number(func(r *Row) int64 { return int64(r.Status) }),
		column(func(r *Row) string { return r.Kind }), column(func(r *Row) string { return r.Outcome }),
		number(func(r *Row) int64 { return r.Waited }), number(func(r *Row) int64 { return r.Took }),
		column(func(r *Row) string { return r.Degraded }), column(func(r *Row) string { return r.Cached }),
		number(func(r *Row) int64 { return int64(r.Input) }), number(func(r *Row) int64 { return int64(r.CacheWrite) }),
		number(func(r *Row) int64 { return int64(r.HourWrite) }), number(func(r *Row) int64 { return int64(r.CacheRead) }),
		number(func(r *Row) int64 { return int64(r.Output) }), number(func(r *Row) int64 { return r.Searches }),
		truth(func(r *Row) bool { return r.Exact }), number(func(r *Row) int64 { return int64(r.Cost) }), truth(func(r *Row) bool { return r.Priced }),
	}
}

// longestName is how much of a text the database gets: its indexes hold no long
// ones, and one row that it refuses would hold up all others.
const longestName = 400

// storable is s as PostgreSQL takes it: valid, without zero bytes, not too long.
func storable(s string) string {
	if len(s) > longestName {
		s = s[:longestName]
	}
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\x00", "?")
}

// identity names the gateway whose folder it is, among those that share a
// database. It is made once.
func identity(dir string) (string, error) {
	path := filepath.Join(dir, "gateway")
	raw, err := os.ReadFile(path)
	if err == nil && len(raw) > 0 {
		return strings.TrimSpace(string(raw)), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "gateway"
	}
	name := fmt.Sprintf("%s-%s", host, rand.Text()[:8])
	return name, files.Replace(path, []byte(name+"\n"))
}
