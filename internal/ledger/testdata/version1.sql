-- The tables of version 1, with an attempt of one call and the sums of two.
CREATE TABLE attempt (
	call TEXT NOT NULL, attempt INTEGER NOT NULL, final INTEGER NOT NULL, at INTEGER NOT NULL,
	tenant TEXT NOT NULL, key TEXT NOT NULL, model TEXT NOT NULL, class TEXT NOT NULL,
	stream INTEGER NOT NULL, status INTEGER NOT NULL, kind TEXT NOT NULL, outcome TEXT NOT NULL,
	waited INTEGER NOT NULL, took INTEGER NOT NULL, degraded TEXT NOT NULL,
	input INTEGER NOT NULL, cache_write INTEGER NOT NULL, hour_write INTEGER NOT NULL,
	cache_read INTEGER NOT NULL, output INTEGER NOT NULL, searches INTEGER NOT NULL,
	exact INTEGER NOT NULL, cost INTEGER NOT NULL, priced INTEGER NOT NULL);
CREATE INDEX attempt_at ON attempt (at);
CREATE TABLE daily (
	day TEXT NOT NULL, tenant TEXT NOT NULL, model TEXT NOT NULL, key TEXT NOT NULL, class TEXT NOT NULL,
	requests INTEGER NOT NULL, attempts INTEGER NOT NULL, input INTEGER NOT NULL, cache_read INTEGER NOT NULL,
	cache_write INTEGER NOT NULL, output INTEGER NOT NULL, cost INTEGER NOT NULL,
	PRIMARY KEY (day, tenant, model, key, class)) WITHOUT ROWID;
CREATE TABLE mark (one INTEGER PRIMARY KEY CHECK (one = 1), segment INTEGER NOT NULL, at INTEGER NOT NULL);
INSERT INTO mark VALUES (1, 0, 0);
INSERT INTO attempt VALUES ('weir_old', 1, 1, 1795435200000, 'a', 'main', 'claude-opus-5', 'normal', 0, 200, 'ok', 'ok', 0, 1, 'fallback; from=claude-opus-4-8', 20, 0, 0, 0, 10, 0, 1, 5, 1);
INSERT INTO daily VALUES ('2026-11-23', 'a', 'claude-opus-5', 'main', 'normal', 2, 2, 40, 0, 0, 30, 10);
PRAGMA user_version = 1;
