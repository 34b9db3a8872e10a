package sqlite_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/weir-gateway/weir/internal/sqlite"
)

// TestOpen: whatever the file is called, it is the one that is opened.
func TestOpen(t *testing.T) {
	for _, name := range []string{"plain.db", "50% of it?.db", "a#b c.db"} {
		file := filepath.Join(t.TempDir(), name)
		db, err := sqlite.Open(file, sqlite.Options{Durable: true})
		if err != nil {
			t.Fatal(err)
		}
		var mode string
		var sync int
		if err := db.QueryRow(`PRAGMA journal_mode`).Scan(&mode); err != nil || mode != "wal" {
			t.Errorf("%s: mode %q, %v", name, mode, err)
		}
		if err := db.QueryRow(`PRAGMA synchronous`).Scan(&sync); err != nil || sync != 2 {
			t.Errorf("%s: synchronous %d, %v", name, sync, err)
		}
		if _, err := db.Exec(`CREATE TABLE t (n INTEGER)`); err != nil {
			t.Error(err)
		}
		reader, err := sqlite.Open(file, sqlite.Options{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := reader.Exec(`INSERT INTO t VALUES (1)`); err == nil {
			t.Errorf("%s: a reader has written", name)
		}
		reader.Close()
		db.Close()
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
	}
	db, err := sqlite.Open(filepath.Join(t.TempDir(), "none.db"), sqlite.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Ping(); err == nil {
		t.Error("a reader has made the file")
	}
}
