package ledger_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/ledger"
	"github.com/weir-gateway/weir/internal/pgtest"
)

func openPostgres(t testing.TB, dir, address string) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(ledger.Config{Dir: dir, Keep: 1e6 * time.Hour, Postgres: call.NewSecret(address)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func readPostgres(t testing.TB, dir, address string) *ledger.Reader {
	t.Helper()
	r, err := ledger.ReadPostgres(call.NewSecret(address), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestPostgresSums(t *testing.T) {
	dir, address := t.TempDir(), pgtest.Database(t)
	checkSums(t, func() *ledger.Ledger { return openPostgres(t, dir, address) }, func() *ledger.Reader { return readPostgres(t, dir, address) })
}

// TestPostgresKeepsEverything: a row comes back as it was written, whatever a
// caller has put into it.
func TestPostgresKeepsEverything(t *testing.T) {
	address := pgtest.Database(t)
	l := openPostgres(t, t.TempDir(), address)
	e := event(1, "nobody\x00\xff"+strings.Repeat("é", 3000))
	e.Model, e.Client, e.Cached = strings.Repeat("m", 9000), "ci", call.CacheMiss
	l.Event(e)
	run(t, l)()
	var got []ledger.Row
	if err := readPostgres(t, "", address).Each(t.Context(), ledger.Span{}, func(r ledger.Row) error { got = append(got, r); return nil }); err != nil || len(got) != 2 {
		t.Fatalf("%d rows, %v", len(got), err)
	}
	r := got[1]
	if !strings.HasPrefix(r.Tenant, "nobody??é") && !strings.HasPrefix(r.Tenant, "nobody?\ufffdé") || r.Client != "ci" || r.Cached != "miss" || r.Gateway == "" || r.Cost != e.Cost || r.Output != 1 || !r.Exact || !r.Final || !r.At.Equal(e.Story[1].At) {
		t.Errorf("got %+v", r)
	}
}

// TestPostgresIsShared lets several gateways, which all find an empty database,
// write at once.
func TestPostgresIsShared(t *testing.T) {
	address := pgtest.Database(t)
	const gateways, calls = 4, 3000
	var all sync.WaitGroup
	for n := range gateways {
		l := openPostgres(t, t.TempDir(), address)
		all.Go(func() {
			stop := run(t, l)
			for i := range calls {
				e := event(i, strconv.Itoa(i%7))
				e.ID += "_" + strconv.Itoa(n)
				l.Event(e)
			}
			stop()
		})
	}
	all.Wait()
	r := readPostgres(t, "", address)
	total := usage(t, r, ledger.Span{}).Total
	if n := distinct(t, "shared", r); total.Requests != gateways*calls || n != 2*total.Requests || total.Attempts != n {
		t.Errorf("%d attempts, %+v", n, total)
	}
}

// TestPostgresServerKilled kills the server at random instants of a load, and
// brings it up again.
func TestPostgresServerKilled(t *testing.T) {
	server := pgtest.Start(t)
	address := server.Database(t)
	dir := t.TempDir()
	l := openPostgres(t, dir, address)
	stop := run(t, l)
	var written atomic.Int64
	enough := make(chan struct{})
	var load sync.WaitGroup
	load.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-enough:
				return
			default:
				l.Event(event(i, "a"))
				written.Add(1)
			}
		}
	})
	const rounds = 5
	for range rounds {
		for until := written.Load() + 500 + rand.Int64N(1500); written.Load() < until; {
			time.Sleep(time.Millisecond) // the load goes on
		}
		server.Kill()
		server.Up(t)
	}
	close(enough)
	load.Wait()
	stop()
	for l.Report().JournalBytes > 0 { // a slow machine: the next life carries the rest over
		l = openPostgres(t, dir, address)
		run(t, l)()
	}
	r := readPostgres(t, "", address) // the database alone
	total := usage(t, r, ledger.Span{}).Total
	if n := distinct(t, "killed", r); total.Requests != written.Load() || n != 2*total.Requests || total.Attempts != n {
		t.Errorf("%d attempts, %+v; want %d calls", n, total, written.Load())
	}
	if rep := l.Report(); rep.Lost != 0 || rep.JournalBytes != 0 || rep.Behind != 0 {
		t.Errorf("got %+v", rep)
	}
	t.Logf("%d kills of the server, %d calls", rounds, written.Load())
}

// TestPostgresWriterKilled: as TestKilled, with the store elsewhere.
func TestPostgresWriterKilled(t *testing.T) {
	dir, address, rounds := t.TempDir(), pgtest.Database(t), killRounds(t)
	booked := killWriters(t, rounds, writeLedger+"="+dir, writePostgres+"="+address)
	checkKilled(t, "after the last kill", readPostgres(t, dir, address), booked, rounds)
	l := openPostgres(t, dir, address)
	run(t, l)()
	checkKilled(t, "carried over", readPostgres(t, "", address), booked, rounds)
	t.Logf("%d kills, %d calls booked", rounds, booked)
}

// TestPostgresWordIsLost breaks the connection after the server has committed a
// batch, and before the gateway hears of it.
func TestPostgresWordIsLost(t *testing.T) {
	address := pgtest.Database(t)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	var broken atomic.Int64
	u.Host = proxy(t, u.Host, func(said []byte) bool { // the word of a batch
		return bytes.Contains(said, []byte("INSERT 0 ")) && broken.Add(1) <= 2
	})
	l := openPostgres(t, t.TempDir(), u.String())
	for i := range 100 {
		l.Event(event(i, "a"))
	}
	run(t, l)()
	r := readPostgres(t, "", address)
	total := usage(t, r, ledger.Span{}).Total
	if n := distinct(t, "word lost", r); total.Requests != 100 || n != 200 || broken.Load() < 3 {
		t.Errorf("%d attempts, %+v, %d words", n, total, broken.Load())
	}
}

// proxy passes connections on to address until what the server says is to be
// lost: then it breaks that one.
func proxy(t *testing.T, address string, lost func(said []byte) bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	pass := func(client net.Conn) {
		defer client.Close()
		server, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		defer server.Close()
		go io.Copy(server, client)
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil || lost(buf[:n]) {
				return
			}
			client.Write(buf[:n])
		}
	}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go pass(client)
		}
	}()
	return l.Addr().String()
}

// TestStoreAway: the journal grows to its bound, then memory to its own, and
// what has no room is counted. When the server comes, it gets everything else.
func TestStoreAway(t *testing.T) {
	server := pgtest.Start(t)
	address := server.Database(t)
	server.Kill()
	l, err := ledger.Open(ledger.Config{Dir: t.TempDir(), Keep: 1e6 * time.Hour, Postgres: call.NewSecret(address), MaxJournal: 1 << 20})
	if err != nil {
		t.Fatalf("a gateway without its database does not start: %v", err)
	}
	t.Cleanup(func() { l.Close() })
	calls := 0
	for ; l.Report().Lost == 0; calls++ {
		l.Event(event(calls, "a"))
	}
	calls-- // the lost one
	r := l.Report()
	if r.JournalBytes < 1<<20 || r.JournalBytes > 1<<20+4096 || r.Held != 20_000 || r.Lost != 2 || int(r.Booked)+r.Held != 2*calls {
		t.Errorf("%d calls: %+v", calls, r)
	}
	if err := l.Warning(); err == nil || !strings.Contains(err.Error(), "2 records are lost") || !strings.Contains(err.Error(), "20000 records wait in memory") {
		t.Errorf("the warning is %v", err)
	}
	server.Up(t)
	stop := run(t, l)
	for l.Report().Behind > 0 {
		time.Sleep(10 * time.Millisecond) // it catches up, or the test's own time is over
	}
	stop()
	reader := readPostgres(t, "", address)
	if n := distinct(t, "caught up", reader); n != int64(2*calls) {
		t.Errorf("%d attempts, want %d", n, 2*calls)
	}
	l.Event(event(calls, "b"))
	if r := l.Report(); r.Lost != 2 || r.Held != 0 {
		t.Errorf("afterwards: %+v", r)
	}
}

// TestJournalCannotBeWritten: what a disk does not take waits in memory.
func TestJournalCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	in := filepath.Join(dir, "journal-000000000001.log") // where the first row would go
	if err := os.Mkdir(in, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		l.Event(event(i, "a"))
	}
	if r, err := l.Report(), l.Warning(); r.Held != 20 || r.Lost != 0 || r.Booked != 0 || err == nil || !strings.Contains(err.Error(), "cannot be written") {
		t.Errorf("got %+v, %v", r, err)
	}
	if err := os.Remove(in); err != nil {
		t.Fatal(err)
	}
	run(t, l)()
	if got := usage(t, l.Reader(), ledger.Span{}).Total; got.Requests != 10 || l.Report().Held != 0 || l.Warning() != nil {
		t.Errorf("got %+v, %+v, %v", got, l.Report(), l.Warning())
	}
}

func TestPostgresForgets(t *testing.T) {
	address := pgtest.Database(t)
	l, err := ledger.Open(ledger.Config{Dir: t.TempDir(), Keep: time.Hour, Postgres: call.NewSecret(address)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for i := range 3000 { // more than go at once
		l.Event(event(i, "a"))
	}
	run(t, l)()
	stop := run(t, l) // a new life begins with it
	r := readPostgres(t, "", address)
	for distinct(t, "forgetting", r) > 0 { // or the test's own time is over
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	if got := usage(t, r, ledger.Span{}).Total; got.Requests != 3000 {
		t.Errorf("the sums of days have gone too: %+v", got)
	}
}

// TestPostgresAddress: a fault in the address never shows the password.
func TestPostgresAddress(t *testing.T) {
	for _, address := range []string{"postgres://weir:hush@host:port/db", "host='weir password=hush", "postgres://weir:hush@127.0.0.1:1/db"} {
		l, err := ledger.Open(ledger.Config{Dir: t.TempDir(), Postgres: call.NewSecret(address)})
		if err == nil {
			_, err = l.Reader().Usage(t.Context(), ledger.Span{}, nil)
			l.Close()
		}
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%v", err)
		}
	}
}

// TestPostgresNewer: tables that a newer version has made are left alone.
func TestPostgresNewer(t *testing.T) {
	address := pgtest.Database(t)
	if sum := usage(t, readPostgres(t, "", address), ledger.Span{}).Total; sum != (ledger.Sum{}) {
		t.Errorf("an empty database has %+v", sum)
	}
	l := openPostgres(t, t.TempDir(), address)
	usage(t, l.Reader(), ledger.Span{})
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), "INSERT INTO weir_ledger_schema VALUES (99)"); err != nil {
		t.Fatal(err)
	}
	if _, err := readPostgres(t, "", address).Usage(t.Context(), ledger.Span{}, nil); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("got %v", err)
	}
}

// TestPostgresMigration: tables of the first version go on in the present one.
func TestPostgresMigration(t *testing.T) {
	address := pgtest.Database(t)
	old, err := os.ReadFile("testdata/postgres1.sql")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), string(old)); err != nil {
		t.Fatal(err)
	}
	if _, err := readPostgres(t, "", address).Usage(t.Context(), ledger.Span{}, nil); err == nil || !strings.Contains(err.Error(), "older") {
		t.Errorf("a reader: %v", err)
	}
	l := openPostgres(t, t.TempDir(), address)
	e := event(1, "a")
	e.Degraded = call.Degradation{Rung: "trim", From: e.Model}
	l.Event(e)
	run(t, l)()
	if got := usage(t, readPostgres(t, "", address), ledger.Span{}).Total; got.Requests != 2 || got.Attempts != 4 || got.Degraded != 2 {
		t.Errorf("got %+v", got)
	}
}

// BenchmarkPostgres is how fast records get into a shared store.
func BenchmarkPostgres(b *testing.B) {
	const n = 40_000
	for b.Loop() {
		b.StopTimer()
		l := openPostgres(b, b.TempDir(), pgtest.Database(b))
		e := event(1, "a")
		e.Story = e.Story[1:]
		for i := range n {
			e.ID = "weir_" + strconv.Itoa(i*7919%n) // in no order, as real ones
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
