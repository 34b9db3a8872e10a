// Package pgtest runs a real PostgreSQL for tests: a process on loopback with
// its data in a temporary folder, which no service of the machine has to do
// with. Database is what most tests want; Start is for those that kill their
// server.
package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

// The server's only role, and its password.
const (
	User     = "weir"
	Password = "not so secret" // with spaces: addresses must escape it
)

// shared is the one server that all tests of a binary make databases on. It
// ends with the process, whatever ends that (see guard).
var shared = sync.OnceValues(func() (*Server, error) {
	s, err := create()
	if err != nil {
		return nil, err
	}
	return s, s.start()
})

// Database returns the address of a new, empty database, which goes with the
// test. Where there is no PostgreSQL, the test is skipped, or fails if that
// must not be (CI is set).
func Database(t testing.TB) string {
	t.Helper()
	need(t)
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return s.Database(t)
}

// Start starts a server of the test's own, which it may kill and bring up
// again, and which ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	need(t)
	s, err := create()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.end)
	s.Up(t)
	return s
}

// need skips or fails a test that has no server to start.
func need(t testing.TB) {
	t.Helper()
	_, err := programs()
	if err == nil {
		_, err = account()
	}
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatalf("%v: install Debian's postgresql (scripts/setup.sh)", err)
	default:
		t.Skipf("%v: install Debian's postgresql", err)
	}
}

// programs returns the folder with initdb and postgres: Debian's newest, or
// that of the PATH.
func programs() (string, error) {
	debian, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // the pattern is good
	slices.SortFunc(debian, func(a, b string) int { return major(b) - major(a) })
	if len(debian) > 0 {
		return filepath.Dir(debian[0]), nil
	}
	found, err := exec.LookPath("postgres")
	if err != nil {
		return "", fmt.Errorf("there is no PostgreSQL: %w", err)
	}
	found, err = filepath.EvalSymlinks(found)
	return filepath.Dir(found), err
}

// major is the version that Debian's path names, or 0.
func major(path string) (n int) {
	_, _ = fmt.Sscanf(strings.TrimPrefix(path, "/usr/lib/postgresql/"), "%d", &n) // 0 if it is none
	return n
}

// URL is the address of one of the server's databases. The database postgres
// is there from the start.
func (s *Server) URL(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(User, Password), Host: s.Address,
		Path: "/" + database, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// databases numbers what Database makes.
var databases atomic.Int64

// Database is a new, empty database on this server; see the function of this
// name.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test%d", databases.Add(1))
	if err := s.exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// A server that was killed takes its databases with it.
		_ = s.exec(context.WithoutCancel(t.Context()), "DROP DATABASE "+name+" WITH (FORCE)")
	})
	return s.URL(name)
}

func (s *Server) exec(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}
