package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/files"
)

// postgres is a store that several gateways share. A row's id, which is random,
// and the number of the attempt keep it from being there twice, so that whoever
// does not know what became of a batch gives it again. Where a gateway has come
// to in its journal stands in its own folder.
type postgres struct {
	pool    *pgxpool.Pool
	dir     string // of the journal; "": none
	gateway string // that writes; a reader has none

	mu    sync.Mutex // guards ready
	ready bool       // the tables are up to date
}

// pgMigrations are those of PostgreSQL; see migrations. People may query these
// tables, so that times are times. Amounts are picodollars.
var pgMigrations = []string{`
CREATE TABLE weir_ledger_attempt (
	call text NOT NULL, attempt bigint NOT NULL, gateway text NOT NULL, final boolean NOT NULL, at timestamptz NOT NULL,
	tenant text NOT NULL, client text NOT NULL, key text NOT NULL, model text NOT NULL, class text NOT NULL,
	stream boolean NOT NULL, status bigint NOT NULL, kind text NOT NULL, outcome text NOT NULL,
	waited_ms bigint NOT NULL, took_ms bigint NOT NULL, degraded text NOT NULL, cached text NOT NULL,
	input bigint NOT NULL, cache_write bigint NOT NULL, hour_write bigint NOT NULL,
	cache_read bigint NOT NULL, output bigint NOT NULL, searches bigint NOT NULL,
	exact boolean NOT NULL, cost bigint NOT NULL, priced boolean NOT NULL,
	PRIMARY KEY (call, attempt));
CREATE INDEX weir_ledger_attempt_at ON weir_ledger_attempt (at);
CREATE TABLE weir_ledger_daily (
	day text NOT NULL, tenant text NOT NULL, model text NOT NULL, key text NOT NULL, class text NOT NULL,
	requests bigint NOT NULL, attempts bigint NOT NULL, cached bigint NOT NULL, input bigint NOT NULL, cache_read bigint NOT NULL,
	cache_write bigint NOT NULL, output bigint NOT NULL, cost bigint NOT NULL,
	PRIMARY KEY (day, tenant, model, key, class));`, `
ALTER TABLE weir_ledger_daily ADD COLUMN degraded bigint NOT NULL DEFAULT 0;
UPDATE weir_ledger_daily SET degraded = n FROM (
	SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS d, tenant AS t, model AS m, key AS k, class AS c, count(*) AS n
	FROM weir_ledger_attempt WHERE final AND degraded <> '' GROUP BY 1, 2, 3, 4, 5) AS old
WHERE day = d AND tenant = t AND model = m AND key = k AND class = c;`,
}

// pgLock is the advisory lock of whoever changes the tables.
const pgLock = 0x77656972_6c656467

const pgColumns = `call, attempt, gateway, final, at, tenant, client, key, model, class, stream, status, kind, outcome,
	waited_ms, took_ms, degraded, cached, input, cache_write, hour_write, cache_read, output, searches, exact, cost, priced`

// pgTake writes a batch in one statement: the attempts that are not there yet,
// and what they add to the sums of days. Days come in one order, so that
// gateways that write at once do not block each other for good.
const pgTake = `WITH fresh AS (
	INSERT INTO weir_ledger_attempt (` + pgColumns + `)
	SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::boolean[], $5::timestamptz[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
		$11::boolean[], $12::bigint[], $13::text[], $14::text[], $15::bigint[], $16::bigint[], $17::text[], $18::text[],
		$19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[], $24::bigint[], $25::boolean[], $26::bigint[], $27::boolean[])
	ON CONFLICT DO NOTHING RETURNING at, tenant, model, key, class, attempt, final, degraded, input, cache_read, cache_write, output, cost)
INSERT INTO weir_ledger_daily AS d (day, tenant, model, key, class, ` + figures + `)
SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, tenant, model, key, class,
	count(*) FILTER (WHERE final AND attempt > 0), count(*) FILTER (WHERE attempt > 0), count(*) FILTER (WHERE attempt = 0),
	count(*) FILTER (WHERE final AND degraded <> ''),
	sum(input)::bigint, sum(cache_read)::bigint, sum(cache_write)::bigint, sum(output)::bigint, sum(cost)::bigint
FROM fresh GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
ON CONFLICT (day, tenant, model, key, class) DO UPDATE SET requests = d.requests + excluded.requests, attempts = d.attempts + excluded.attempts,
	cached = d.cached + excluded.cached, degraded = d.degraded + excluded.degraded, input = d.input + excluded.input, cache_read = d.cache_read + excluded.cache_read,
	cache_write = d.cache_write + excluded.cache_write, output = d.output + excluded.output, cost = d.cost + excluded.cost`

const (
	pgConns   = 4
	pgConnect = 5 * time.Second
	pgIdle    = "30s" // no reader keeps a picture open for longer without reading
	markFile  = "carried.json"
)

// openPostgres opens the store without contacting it.
func openPostgres(address call.Secret, dir string) (*postgres, error) {
	cfg, err := pgxpool.ParseConfig(address.Reveal())
	if err != nil { // which would quote the address
		return nil, errors.New("the address of PostgreSQL cannot be read: write it as postgres://user:password@host:5432/database")
	}
	cfg.MaxConns = pgConns
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = pgConnect
	}
	cfg.ConnConfig.RuntimeParams["application_name"] = "weir"
	cfg.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = pgIdle
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	return &postgres{pool: pool, dir: dir}, err
}

// errNoTables says that no gateway has written into the database yet.
var errNoTables = errors.New("there is no ledger in the database yet")

// prepare makes the tables, or brings them up to date, when the server is there
// for the first time. A reader changes nothing.
func (p *postgres) prepare(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ready {
		return nil
	}
	version, err := p.version(ctx)
	switch {
	case err != nil:
		return err
	case version > len(pgMigrations):
		return errNewer
	case version == len(pgMigrations):
	case p.gateway != "":
		err = p.migrate(ctx)
	case version == 0:
		err = errNoTables
	default:
		err = errOlder
	}
	p.ready = err == nil
	return err
}

// version is that of the tables; 0: there are none.
func (p *postgres) version(ctx context.Context) (n int, err error) {
	var there bool
	if err := p.pool.QueryRow(ctx, `SELECT to_regclass('weir_ledger_schema') IS NOT NULL`).Scan(&there); err != nil || !there {
		return 0, err
	}
	err = p.pool.QueryRow(ctx, `SELECT coalesce(max(version), 0) FROM weir_ledger_schema`).Scan(&n)
	return n, err
}

func (p *postgres) migrate(ctx context.Context) error {
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		var version int
		_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(pgLock))
		if err == nil {
			_, err = tx.Exec(ctx, `CREATE TABLE IF NOT EXISTS weir_ledger_schema (version int PRIMARY KEY)`)
		}
		if err == nil {
			err = tx.QueryRow(ctx, `SELECT coalesce(max(version), 0) FROM weir_ledger_schema`).Scan(&version)
		}
		if err != nil {
			return err
		}
		for n := version; n < len(pgMigrations); n++ { // another gateway may have been here first
			if _, err := tx.Exec(ctx, pgMigrations[n]); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `INSERT INTO weir_ledger_schema VALUES ($1)`, n+1); err != nil {
				return err
			}
		}
		return nil
	})
}

// done implements store. Without a mark the whole journal is given anew.
func (p *postgres) done(context.Context) (m mark, err error) {
	raw, err := os.ReadFile(filepath.Join(p.dir, markFile))
	if errors.Is(err, os.ErrNotExist) {
		return m, nil
	}
	if err != nil || json.Unmarshal(raw, &m) != nil {
		return mark{}, err // one that cannot be read is as good as none
	}
	return m, nil
}

// take implements store. The mark is written last: a process that is killed in
// between gives one batch again.
func (p *postgres) take(ctx context.Context, rows []Row, end mark) error {
	if len(rows) > 0 {
		if err := p.prepare(ctx); err != nil {
			return err
		}
		if _, err := p.pool.Exec(ctx, pgTake, p.columnsOf(rows)...); err != nil {
			return err
		}
	}
	raw, err := json.Marshal(end)
	if err != nil {
		return err
	}
	return files.Replace(filepath.Join(p.dir, markFile), raw)
}

// forget implements store. Gateways that do it at once share the work.
func (p *postgres) forget(ctx context.Context, before time.Time, limit int64) (int64, error) {
	if err := p.prepare(ctx); err != nil {
		return 0, err
	}
	tag, err := p.pool.Exec(ctx, `DELETE FROM weir_ledger_attempt WHERE (call, attempt) IN
		(SELECT call, attempt FROM weir_ledger_attempt WHERE at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`, before, limit)
	return tag.RowsAffected(), err
}

func (p *postgres) close() error {
	p.pool.Close()
	return nil
}
