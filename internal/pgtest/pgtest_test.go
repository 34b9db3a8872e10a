package pgtest

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
)

// connect opens a database, for as long as the test lasts.
func connect(t *testing.T, address string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func TestDatabasesAreEmptyAndApart(t *testing.T) {
	for range 2 {
		conn := connect(t, Database(t))
		if _, err := conn.Exec(t.Context(), "CREATE TABLE calls (id text)"); err != nil {
			t.Errorf("a new database: %v", err)
		}
	}
}

func TestKilledServerKeepsWhatWasCommitted(t *testing.T) {
	s := Start(t)
	address := s.Database(t)
	conn := connect(t, address)
	if _, err := conn.Exec(t.Context(), "CREATE TABLE calls (id int)"); err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		conn := connect(t, address)
		if _, err := conn.Exec(t.Context(), "INSERT INTO calls VALUES ($1)", round); err != nil {
			t.Fatal(err)
		}
		s.Kill()
		if _, err := pgx.Connect(t.Context(), address); err == nil {
			t.Fatal("the killed server answers")
		}
		s.Up(t)
		var n int
		if err := connect(t, address).QueryRow(t.Context(), "SELECT count(*) FROM calls").Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n != round+1 {
			t.Errorf("after kill %d: %d rows, want %d", round, n, round+1)
		}
	}
}
