// Package sqlite opens files of SQLite as Weir's stores want them: readers and
// the one writer do not wait for each other (WAL), and a transaction takes the
// right to write when it begins.
package sqlite

import (
	"database/sql"
	"fmt"
	"net/url"
	"time"

	"modernc.org/sqlite" // the driver, too
)

// Error is what SQLite says is wrong, with its result code.
type Error = sqlite.Error

// Options says how a file is opened.
type Options struct {
	Patience time.Duration // for the lock of another process; 0: 10 s
	Durable  bool          // a commit outlives a power cut, not only the process
	ReadOnly bool          // nothing is changed, and the file is not made
}

// defaultPatience is for stores that nobody waits for in the hot path.
const defaultPatience = 10 * time.Second

// Open opens a file, or makes it. The file is touched when it is first used. It
// must be closed.
func Open(file string, o Options) (*sql.DB, error) {
	if o.Patience == 0 {
		o.Patience = defaultPatience
	}
	sync := "normal"
	if o.Durable {
		sync = "full"
	}
	q := url.Values{"_pragma": {fmt.Sprintf("busy_timeout(%d)", o.Patience.Milliseconds()), "synchronous(" + sync + ")"}}
	if o.ReadOnly {
		q.Set("mode", "ro")
	} else {
		q.Add("_pragma", "journal_mode(wal)")
		q.Set("_txlock", "immediate")
	}
	return sql.Open("sqlite", "file:"+(&url.URL{Path: file}).EscapedPath()+"?"+q.Encode())
}
