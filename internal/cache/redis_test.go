package cache

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
)

// redisServer is a Redis of the test's own, on loopback.
type redisServer struct {
	address string
	cmd     *exec.Cmd
}

func startRedis(t *testing.T) *redisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no redis-server: install Debian's (scripts/setup.sh)")
		}
		t.Skip("there is no redis-server: install Debian's")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &redisServer{address: l.Addr().String()}
	l.Close()
	s.up(t)
	t.Cleanup(s.kill)
	return s
}

func (s *redisServer) up(t *testing.T) {
	t.Helper()
	_, port, _ := net.SplitHostPort(s.address)
	s.cmd = exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
		"--dir", t.TempDir(), "--requirepass", "sesame")
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "Redis to listen", func() bool {
		conn, err := net.Dial("tcp", s.address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

func (s *redisServer) kill() {
	_ = s.cmd.Process.Kill() // or it has ended already
	_ = s.cmd.Wait()
}

func (s *redisServer) cli(t *testing.T, args ...string) string {
	t.Helper()
	_, port, _ := net.SplitHostPort(s.address)
	out, err := exec.Command("redis-cli", append([]string{"-p", port, "-a", "sesame", "--no-auth-warning"}, args...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// eventually waits for what another process is to do.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 10 s for %s", what)
		}
	}
}

// instance is a gateway's cache on a Redis that it shares with others.
func (s *redisServer) instance(t *testing.T, secret string) *Room {
	t.Helper()
	r := newRoom(t, Config{Secret: call.NewSecret(secret), Redis: Redis{Address: s.address, Password: call.NewSecret("sesame")}})
	tended(t, r)
	eventually(t, "a connection", func() bool { _, err := r.stores[0].store.(*remote).connected(); return err == nil })
	return r
}

// kept waits until nothing is left to be written.
func kept(t *testing.T, s *redisServer, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d answers in Redis", n), func() bool {
		return strings.Count(s.cli(t, "--scan", "--pattern", "weir:cache:a:*"), "\n") == n
	})
}

func TestInstancesShare(t *testing.T) {
	s := startRedis(t)
	a, b, stranger := s.instance(t, "one"), s.instance(t, "one"), s.instance(t, "another")
	asking(t, a, "t", 1)
	asking(t, a, "u", 1)
	kept(t, s, 2)
	if got := asking(t, b, "t", 1); got != call.CacheHit {
		t.Errorf("the other instance: %v", got)
	}
	if got := asking(t, stranger, "t", 1); got != call.CacheMiss {
		t.Errorf("an instance with another secret: %v", got)
	}
	kept(t, s, 3)
	dump := s.cli(t, "--scan")
	for name := range strings.Lines(dump) {
		name = strings.TrimSpace(name)
		if ttl := strings.TrimSpace(s.cli(t, "pttl", name)); strings.HasPrefix(ttl, "-") {
			t.Errorf("%s stays for ever", name)
		}
		if strings.Contains(name, ":a:") && bytes.Contains([]byte(s.cli(t, "get", name)), []byte("secret answer")) {
			t.Errorf("%s holds its answer in clear", name)
		}
	}

	// a purges: b forgets what it had in its memory
	asking(t, b, "u", 1)
	if err := a.Purge("t"); err != nil {
		t.Fatal(err)
	}
	kept(t, s, 2)
	eventually(t, "the purge to be followed", func() bool { return b.Report(time.Now()).Entries == 1 })
	if t1, u1 := asking(t, b, "t", 1), asking(t, b, "u", 1); t1 != call.CacheMiss || u1 != call.CacheHit {
		t.Errorf("after the purge of t: t %v, u %v", t1, u1)
	}
	if err := a.Purge(""); err != nil {
		t.Fatal(err)
	}
	kept(t, s, 0)
}

// TestRedisGoes: no call notices that Redis is away, frozen or back, but for a
// miss, and for a few milliseconds.
func TestRedisGoes(t *testing.T) {
	s := startRedis(t)
	r := s.instance(t, "one")
	asking(t, r, "t", 1)
	kept(t, s, 1)
	r.stores[0].budget = redisBudget

	if err := s.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	worst, began := time.Duration(0), time.Now()
	for n := range 20 {
		at := time.Now()
		asking(t, r, "t", 100+n)
		worst = max(worst, time.Since(at))
	}
	t.Logf("frozen: 20 misses took %v, the longest %v", time.Since(began), worst)
	if worst > 500*time.Millisecond {
		t.Errorf("a call waited %v for a frozen Redis", worst)
	}
	if got := asking(t, r, "t", 1); got != call.CacheHit {
		t.Errorf("the memory: %v", got)
	}
	s.kill()
	at := time.Now()
	if got := asking(t, r, "t", 200); got != call.CacheMiss || time.Since(at) > 500*time.Millisecond {
		t.Errorf("dead: %v after %v", got, time.Since(at))
	}
	if err := r.Purge("t"); err == nil {
		t.Error("a purge did not say that it has not reached Redis")
	}
	if state := r.Report(time.Now()).Stores[0]; state.State != "away" || state.Error == "" {
		t.Errorf("%+v", state)
	}
	if got := asking(t, r, "t", 1); got != call.CacheMiss {
		t.Errorf("after the purge: %v", got)
	}

	s.up(t)
	n := 1000
	eventually(t, "answers in Redis again", func() bool {
		n++
		asking(t, r, "t", n)
		return strings.Contains(s.cli(t, "dbsize"), "2") || strings.Count(s.cli(t, "--scan"), ":a:") > 0
	})
}

// TestNoRedisAtStart: the gateway starts without it, and uses it when it comes.
func TestNoRedisAtStart(t *testing.T) {
	s := startRedis(t)
	s.kill()
	r := newRoom(t, Config{Redis: Redis{Address: "redis://:sesame@" + s.address + "/1"}})
	tended(t, r)
	asking(t, r, "t", 1)
	if got := asking(t, r, "t", 1); got != call.CacheHit {
		t.Errorf("the memory: %v", got)
	}
	s.up(t)
	eventually(t, "a connection", func() bool { _, err := r.stores[0].store.(*remote).connected(); return err == nil })
}
