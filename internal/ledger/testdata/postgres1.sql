-- The tables of version 1 in PostgreSQL, with one call of two attempts.
CREATE TABLE weir_ledger_schema (version int PRIMARY KEY);
INSERT INTO weir_ledger_schema VALUES (1);
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
	PRIMARY KEY (day, tenant, model, key, class));
INSERT INTO weir_ledger_attempt VALUES
	('weir_old', 1, 'g', false, '2026-11-23 23:59:59Z', 'a', '', 'main', 'claude-opus-5', 'normal', false, 529, 'overloaded', '', 0, 1, '', '', 0, 0, 0, 0, 0, 0, true, 0, true),
	('weir_old', 2, 'g', true, '2026-11-23 23:59:59Z', 'a', '', 'main', 'claude-opus-5', 'normal', false, 200, 'ok', 'ok', 0, 1, 'effort; from=claude-opus-5', '', 20, 0, 0, 0, 10, 0, true, 5, true);
INSERT INTO weir_ledger_daily VALUES ('2026-11-23', 'a', 'claude-opus-5', 'main', 'normal', 1, 2, 0, 20, 0, 0, 10, 5);
