package cache

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
)

// tended runs the room's background until stop, or the end of the test.
func tended(t testing.TB, r *Room) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { r.Run(ctx) })
	stop = func() {
		cancel()
		wg.Wait()
	}
	t.Cleanup(stop)
	return stop
}

func diskIn(dir string) Config { return Config{Folder: dir, Disk: true} }

// asking reports what becomes of the n-th request.
func asking(t *testing.T, r *Room, tenant string, n int) call.CacheResult {
	t.Helper()
	c := newCall(tenant, body(n, false))
	(&upstream{room: r, text: echo(fmt.Sprintf("the secret answer %d", n))}).must(t, c)
	return c.Cached
}

func TestDiskOutlivesTheProcess(t *testing.T) {
	dir := t.TempDir()
	first := newRoom(t, diskIn(dir))
	stop := tended(t, first)
	asking(t, first, "t", 1)
	stop() // writes what is left
	first.Close()

	for _, name := range []string{diskFile, keyFile} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	for _, name := range []string{diskFile, diskFile + "-wal"} {
		raw, _ := os.ReadFile(filepath.Join(dir, name))
		for _, secret := range []string{"secret answer", "messages", "req_", "claude"} {
			if bytes.Contains(raw, []byte(secret)) {
				t.Errorf("%s holds %q in clear", name, secret)
			}
		}
	}
	second := newRoom(t, diskIn(dir))
	if got := asking(t, second, "t", 1); got != call.CacheHit {
		t.Errorf("after a restart: %v", got)
	}
	if got := asking(t, second, "u", 1); got != call.CacheMiss {
		t.Errorf("another tenant: %v", got)
	}
}

// TestDamagedDisk: whatever has become of the files, the gateway starts, and
// keeps answers again.
func TestDamagedDisk(t *testing.T) {
	noise := make([]byte, 64<<10)
	rand.Read(noise)
	for name, damage := range map[string]func(file string) error{
		"noise":     func(file string) error { return os.WriteFile(file, noise, 0o600) },
		"empty":     func(file string) error { return os.WriteFile(file, nil, 0o600) },
		"cut":       func(file string) error { return os.Truncate(file, 5000) },
		"no-folder": func(file string) error { return os.RemoveAll(filepath.Dir(file)) },
		"bad-middle": func(file string) error {
			raw, err := os.ReadFile(file)
			if err == nil {
				copy(raw[100:], noise[:len(raw)-200])
				err = os.WriteFile(file, raw, 0o600)
			}
			return err
		},
		"bad-key": func(file string) error {
			return os.WriteFile(filepath.Join(filepath.Dir(file), keyFile), []byte("no key"), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			r := newRoom(t, diskIn(dir))
			stop := tended(t, r)
			for n := range 40 {
				asking(t, r, "t", n)
			}
			stop()
			r.Close()
			if err := damage(filepath.Join(dir, diskFile)); err != nil {
				t.Fatal(err)
			}
			r = newRoom(t, diskIn(dir))
			stop = tended(t, r)
			for n := range 40 {
				asking(t, r, "t", n) // and be right
			}
			asking(t, r, "t", 1000)
			stop()
			r.Close()
			r = newRoom(t, diskIn(dir))
			if got := asking(t, r, "t", 1000); got != call.CacheHit {
				t.Errorf("it keeps nothing any more: %v", got)
			}
		})
	}
}

// TestUselessFolder: where nothing can be written, the memory goes on alone.
func TestUselessFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRoom(t, Config{Folder: file, Disk: true, Secret: call.NewSecret("s")})
	asking(t, r, "t", 1)
	if got := asking(t, r, "t", 1); got != call.CacheHit || len(r.stores) != 0 {
		t.Errorf("%v, %d stores", got, len(r.stores))
	}
}

func TestDiskIsBounded(t *testing.T) {
	cfg := diskIn(t.TempDir())
	cfg.DiskBytes = 1 << 20
	r := newRoom(t, cfg)
	stop := tended(t, r)
	u := &upstream{room: r, text: echo(strings.Repeat("x", 50<<10))}
	for n := range 60 {
		u.must(t, newCall("t", body(n, false)))
	}
	stop()
	if held := r.Report(time.Now()).Stores[0].Bytes; held > 1<<20 || held < 700<<10 {
		t.Errorf("%d bytes on disk", held)
	}
	r.Close()
	r = newRoom(t, cfg)
	if got := asking(t, r, "t", 0); got != call.CacheMiss {
		t.Errorf("the oldest is still there: %v", got)
	}
	if got := asking(t, r, "t", 59); got != call.CacheHit {
		t.Errorf("the newest is gone: %v", got)
	}
}

// TestPurgedDisk: nothing comes back, not even what was still to be written.
func TestPurgedDisk(t *testing.T) {
	dir := t.TempDir()
	r := newRoom(t, diskIn(dir))
	for n := range 20 { // nothing is written yet
		asking(t, r, "a", n)
		asking(t, r, "b", n)
	}
	time.Sleep(2 * time.Millisecond) // the disk counts in milliseconds
	if err := r.Purge("a"); err != nil {
		t.Fatal(err)
	}
	stop := tended(t, r)
	stop()
	r.Close()
	r = newRoom(t, diskIn(dir))
	for n := range 20 {
		a, b := asking(t, r, "a", n), asking(t, r, "b", n)
		if a != call.CacheMiss || b != call.CacheHit {
			t.Errorf("%d: a %v, b %v", n, a, b)
		}
	}
}

// killEnv makes a test process keep answers until it is killed.
const killEnv = "WEIR_TEST_CACHE_DIR"

// TestMain is the killed process of TestKilledProcess, too.
func TestMain(m *testing.M) {
	if dir := os.Getenv(killEnv); dir != "" {
		keepForever(dir)
	}
	os.Exit(m.Run())
}

// keepForever asks and keeps, every second answer broken off in its middle. It
// says which it has kept.
func keepForever(dir string) {
	r, err := New(diskIn(dir), Books{End: func(*call.Call, int, string, string) {}})
	if err != nil {
		panic(err)
	}
	go r.Run(context.Background())
	for n := 0; ; n++ {
		c := newCall("t", body(n, n%2 == 0))
		c.CacheWish = call.CacheOn
		u := &upstream{room: r, text: echo(strings.Repeat(fmt.Sprintf("answer %d ", n), 1000))}
		if n%4 == 0 {
			u.parts = func(_ *call.Call, whole string) []string { return []string{whole[:len(whole)/2]} }
		}
		_, _ = u.get(context.Background(), c)
		fmt.Println(n)
	}
}

// TestKilledProcess kills a process that keeps answers on disk, at random
// instants. What is there afterwards is whole and right; of streams that were
// broken off there is nothing.
func TestKilledProcess(t *testing.T) {
	dir := t.TempDir()
	found := 0
	for round := range 5 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killEnv+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		said := 0
		chunk := make([]byte, 16)
		for said < 40+37*round { // somewhere in its work, another place each time
			n, err := out.Read(chunk)
			if err != nil {
				t.Fatalf("the process ended by itself: %v", err)
			}
			said += bytes.Count(chunk[:n], []byte("\n"))
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed

		r := newRoom(t, diskIn(dir))
		for n := range said + 20 {
			k, err := r.keyOf(newCall("t", body(n, false)))
			if err != nil {
				t.Fatal(err)
			}
			e, ok := r.find(t.Context(), k, false)
			if !ok {
				continue
			}
			found++
			want := messageOf(strings.Repeat(fmt.Sprintf("answer %d ", n), 1000))
			if e.Stream {
				want = streamOf(strings.Repeat(fmt.Sprintf("answer %d ", n), 1000))
			}
			if n%4 == 0 || string(e.Body) != want {
				t.Errorf("round %d: answer %d is kept, %d bytes of %d", round, n, len(e.Body), len(want))
			}
		}
		r.Close()
	}
	if t.Logf("%d answers outlived their processes", found); found == 0 {
		t.Error("no answer outlived its process: the test proves nothing")
	}
}
