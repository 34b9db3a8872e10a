package ledger_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/ledger"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// event is the n-th finished call of a tenant.
func event(n int, tenant string) call.Event {
	at := noon.Add(time.Duration(n) * time.Second)
	return call.Event{
		ID: fmt.Sprintf("weir_%s_%d", tenant, n), At: at.Add(time.Second), Model: []string{"claude-opus-5", "claude-haiku-4-5"}[n%2],
		Tenant: tenant, Class: call.Class(n % 3), Status: 200, Outcome: "ok",
		Usage: call.Usage{Input: 100, CacheRead: 10, CacheWrite: 5, Output: call.Tokens(n), Exact: true},
		Cost:  call.USD(n) * 1_000_003, Priced: true,
		Story: []call.Attempt{{At: at, Key: "main", Status: 529, Kind: "overloaded"}, {At: at, Key: "main", Status: 200, Kind: "ok"}},
	}
}

func open(t testing.TB, dir string) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(ledger.Config{Dir: dir, Keep: 1e6 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// run runs l until the function that it returns is called.
func run(t testing.TB, l *ledger.Ledger) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func usage(t testing.TB, r *ledger.Reader, s ledger.Span, by ...ledger.Dimension) ledger.Report {
	t.Helper()
	report, err := r.Usage(context.Background(), s, by)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func read(t testing.TB, dir string) *ledger.Reader {
	t.Helper()
	r, err := ledger.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// TestSums: the same sums come from the journal alone, from journal and store,
// and from the store alone, while the ledger is open and after.
func TestSums(t *testing.T) {
	dir := t.TempDir()
	checkSums(t, func() *ledger.Ledger { return open(t, dir) }, func() *ledger.Reader { return read(t, dir) })
}

func checkSums(t *testing.T, open func() *ledger.Ledger, read func() *ledger.Reader) {
	l := open()
	var want ledger.Sum
	for i := range 300 {
		e := event(i, []string{"a", "b", "c"}[i%3])
		if i%10 == 0 {
			e.Degraded = call.Degradation{Rung: "effort+trim", From: e.Model}
			want.Degraded++
		}
		l.Event(e)
		want.Requests++
		want.Attempts += 2
		want.Input += e.Usage.Input
		want.CacheRead += e.Usage.CacheRead
		want.CacheWrite += e.Usage.CacheWrite
		want.Output += e.Usage.Output
		want.Cost += e.Cost
	}
	check := func(when string) {
		t.Helper()
		for _, r := range []*ledger.Reader{l.Reader(), read()} {
			got := usage(t, r, ledger.Span{}, ledger.ByTenant, ledger.ByModel)
			var sum ledger.Sum
			for _, line := range got.Rows {
				sum.Requests += line.Requests
				sum.Cost += line.Cost
			}
			if got.Total != want || len(got.Rows) != 6 || sum.Cost != want.Cost || sum.Requests != 300 {
				t.Errorf("%s: %d rows, total %+v, want %+v", when, len(got.Rows), got.Total, want)
			}
			n := 0
			if err := r.Each(t.Context(), ledger.Span{First: noon, Last: noon}, func(ledger.Row) error { n++; return nil }); err != nil || n != 600 {
				t.Errorf("%s: %d attempts, %v", when, n, err)
			}
			if other := usage(t, r, ledger.Span{First: noon.AddDate(0, 0, 1)}); other.Total != (ledger.Sum{}) {
				t.Errorf("%s: another day has %+v", when, other.Total)
			}
		}
	}
	check("journal alone")
	run(t, l)()
	check("store")
	for i := 300; i < 310; i++ {
		e := event(i, "a")
		e.Usage, e.Cost = call.Usage{}, 0
		e.Story = nil // was never sent: no row
		l.Event(e)
	}
	check("calls that were never sent")
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	l = open()
	check("opened again")
	e := event(1000, "a")
	l.Event(e)
	want.Requests, want.Attempts, want.Input, want.CacheRead, want.CacheWrite = want.Requests+1, want.Attempts+2, want.Input+100, want.CacheRead+10, want.CacheWrite+5
	want.Output, want.Cost = want.Output+1000, want.Cost+e.Cost
	if got := usage(t, l.Reader(), ledger.Span{}).Total; got != want {
		t.Errorf("in a second life: %+v, want %+v", got, want)
	}
}

// TestMigration: a ledger of the first version goes on in the present one.
func TestMigration(t *testing.T) {
	dir := t.TempDir()
	old, err := os.ReadFile("testdata/version1.sql")
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(string(old)); err != nil {
		t.Fatal(err)
	}
	db.Close()
	if _, err := ledger.Read(dir); err == nil || !strings.Contains(err.Error(), "older version") {
		t.Errorf("a reader: %v", err)
	}
	l := open(t, dir)
	l.Event(event(1, "a"))
	run(t, l)()
	got := usage(t, read(t, dir), ledger.Span{}).Total
	if got.Requests != 3 || got.Attempts != 4 || got.Output != 31 || got.Degraded != 1 || distinct(t, "migrated", l.Reader()) != 3 {
		t.Errorf("got %+v", got)
	}
}

func TestFolderBelongsToOne(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	if _, err := ledger.Open(ledger.Config{Dir: dir}); err == nil {
		t.Error("a second process would have written the same ledger")
	}
	l.Close()
	open(t, dir)
	if _, err := ledger.Read(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no ledger: %v", err)
	}
}

// TestTornJournal: half a row at the end, or a broken one in the middle, costs
// nothing else.
func TestTornJournal(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	for i := range 10 {
		l.Event(event(i, "a"))
	}
	l.Close()
	names, _ := filepath.Glob(filepath.Join(dir, "journal-*.log"))
	text, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	text[40] ^= 1 // the first row
	if err := os.WriteFile(names[0], append(text, "0badc0de {\"call\":\"weir"...), 0o600); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir)
	l.Event(event(10, "a"))
	run(t, l)()
	if got := usage(t, l.Reader(), ledger.Span{}).Total; got.Attempts != 21 || got.Requests != 11 {
		t.Errorf("got %+v, want 21 attempts of 11 calls", got)
	}
}

func TestOldAttemptsAreForgotten(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	for i := range 10 {
		l.Event(event(i, "a"))
	}
	run(t, l)()
	l.Close()
	l, err := ledger.Open(ledger.Config{Dir: dir, Keep: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	defer run(t, l)()
	for left := 1; left > 0; { // or the test's own time is over
		left = 0
		if err := l.Reader().Each(t.Context(), ledger.Span{}, func(ledger.Row) error { left++; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if got := usage(t, l.Reader(), ledger.Span{}).Total; got.Requests != 10 {
		t.Errorf("the sums of days have gone too: %+v", got)
	}
}

// writeLedger is set for a child process of the tests, which writes a ledger
// until it is killed, and says of each call that it has been booked.
const (
	writeLedger   = "WEIR_TEST_WRITE_LEDGER"
	writePostgres = "WEIR_TEST_WRITE_POSTGRES" // its store; empty: a file
)

func TestMain(m *testing.M) {
	dir := os.Getenv(writeLedger)
	if dir == "" {
		os.Exit(m.Run())
	}
	l, err := ledger.Open(ledger.Config{Dir: dir, Keep: 1e6 * time.Hour, Postgres: call.NewSecret(os.Getenv(writePostgres))})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	go l.Run(context.Background())
	for i := 0; ; i++ {
		l.Event(event(i, strconv.Itoa(os.Getpid())))
		fmt.Println(i)
	}
}

// TestKilled kills a writer at random instants, 50 times. What it had booked is
// there, once, and at most the one call more whose word did not get out, or a
// part of it: the kernel breaks a write off between two pages.
func TestKilled(t *testing.T) {
	dir, rounds := t.TempDir(), killRounds(t)
	booked := killWriters(t, rounds, writeLedger+"="+dir)
	checkKilled(t, "after the last kill", read(t, dir), booked, rounds)
	l := open(t, dir)
	run(t, l)()
	checkKilled(t, "carried over", l.Reader(), booked, rounds)
	t.Logf("%d kills, %d calls booked", rounds, booked)
}

// killRounds is how many writers are killed: 12, or as many as WEIR_KILL_ROUNDS
// says (make prove-ledger: 50).
func killRounds(t *testing.T) int {
	t.Helper()
	text := os.Getenv("WEIR_KILL_ROUNDS")
	if text == "" {
		return 12
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// killWriters starts and kills writers, one after another, and returns how many
// calls they said they had booked.
func killWriters(t *testing.T, rounds int, env ...string) (booked int64) {
	t.Helper()
	for range rounds {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), env...)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		last := int64(-1)
		for until := 1 + rand.Int64N(400); last < until && lines.Scan(); {
			if last, err = strconv.ParseInt(lines.Text(), 10, 64); err != nil {
				t.Fatal(lines.Text())
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it had said before it died
			if n, err := strconv.ParseInt(lines.Text(), 10, 64); err == nil {
				last = n
			}
		}
		cmd.Wait()
		booked += last + 1
	}
	return booked
}

// checkKilled checks that what was booked is there, once.
func checkKilled(t *testing.T, when string, r *ledger.Reader, booked int64, rounds int) {
	t.Helper()
	total := usage(t, r, ledger.Span{}).Total
	halves := total.Attempts - 2*total.Requests // of calls that were being written
	if total.Requests < booked || total.Requests > booked+int64(rounds) || halves < 0 || halves > int64(rounds) {
		t.Errorf("%s: %+v, want %d calls, and at most %d more", when, total, booked, rounds)
	}
	if n := distinct(t, when, r); n != total.Attempts {
		t.Errorf("%s: %d attempts, the sums say %d", when, n, total.Attempts)
	}
}

// distinct counts the attempts, none of which may be there twice.
func distinct(t *testing.T, when string, r *ledger.Reader) int64 {
	t.Helper()
	seen := map[string]bool{}
	err := r.Each(t.Context(), ledger.Span{}, func(row ledger.Row) error {
		id := row.Call + "/" + strconv.Itoa(row.Attempt)
		if seen[id] {
			t.Fatalf("%s: %s is there twice", when, id)
		}
		seen[id] = true
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	return int64(len(seen))
}

func TestJSON(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	l.Event(event(3, "a"))
	raw, err := json.Marshal(usage(t, l.Reader(), ledger.Span{}, ledger.ByTenant))
	const want = `{"total":{"requests":1,"attempts":2,"input_tokens":100,"cache_read_tokens":10,"cache_write_tokens":5,"output_tokens":3,"cost_usd":"0.000003000009"},` +
		`"rows":[{"tenant":"a","requests":1,"attempts":2,"input_tokens":100,"cache_read_tokens":10,"cache_write_tokens":5,"output_tokens":3,"cost_usd":"0.000003000009"}]}`
	if err != nil || string(raw) != want {
		t.Errorf("got %s, %v", raw, err)
	}
}

func BenchmarkEvent(b *testing.B) {
	l := open(b, b.TempDir())
	defer run(b, l)()
	e := event(1, "a")
	e.Story = e.Story[1:]
	b.ReportAllocs()
	for b.Loop() {
		l.Event(e)
	}
}

// BenchmarkCarry is how fast records get into the store.
func BenchmarkCarry(b *testing.B) {
	const n = 40_000
	for b.Loop() {
		b.StopTimer()
		l := open(b, b.TempDir())
		e := event(1, "a")
		e.Story = e.Story[1:]
		for i := range n {
			e.ID = strconv.Itoa(i)
			l.Event(e)
		}
		b.StartTimer()
		run(b, l)()
		b.StopTimer()
		l.Close()
		b.StartTimer()
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "records/s")
}
