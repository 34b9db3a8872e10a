// Package etcdtest runs a real etcd for tests: a process on loopback with its
// data in a folder of the test, which no service of the machine has to do
// with.
package etcdtest

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Server is an etcd of its own. Its fields may be changed while it is down.
type Server struct {
	Address string   // host:port for clients
	Scheme  string   // http or https
	Args    []string // further arguments

	data  string
	peers string
	cmd   *exec.Cmd
}

// Start starts an etcd that ends with the test. Where there is none to start,
// the test is skipped, or fails if that must not be (CI is set).
func Start(t testing.TB) *Server {
	t.Helper()
	s := New(t)
	s.Up(t)
	return s
}

// New returns an etcd that is not running yet.
func New(t testing.TB) *Server {
	t.Helper()
	if _, err := exec.LookPath("etcd"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no etcd: install Debian's etcd-server (scripts/setup.sh)")
		}
		t.Skip("there is no etcd: install Debian's etcd-server")
	}
	s := &Server{Address: Free(t), Scheme: "http", data: filepath.Join(t.TempDir(), "etcd"), peers: "http://" + Free(t)}
	t.Cleanup(s.Kill)
	return s
}

// Endpoint is the server's address with its scheme.
func (s *Server) Endpoint() string { return s.Scheme + "://" + s.Address }

// Up starts the server, with the data that it had, and waits until it serves.
func (s *Server) Up(t testing.TB) {
	t.Helper()
	args := append([]string{
		"--name=test", "--data-dir=" + s.data, "--logger=zap", "--log-outputs=stderr",
		"--listen-client-urls=" + s.Endpoint(), "--advertise-client-urls=" + s.Endpoint(),
		"--listen-peer-urls=" + s.peers, "--initial-advertise-peer-urls=" + s.peers, "--initial-cluster=test=" + s.peers,
		"--heartbeat-interval=20", "--election-timeout=200", // it has nobody to wait for
	}, s.Args...)
	s.cmd = exec.Command("etcd", args...)
	stderr, err := s.cmd.StderrPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		t.Fatalf("start etcd: %v", err)
	}
	ready := make(chan string)
	go func() {
		var said strings.Builder
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			if ready == nil {
				continue // it must not block on a full pipe
			}
			said.WriteString(lines.Text() + "\n")
			if strings.Contains(lines.Text(), "client traffic") && strings.Contains(lines.Text(), "serving ") {
				ready <- ""
				ready = nil
			}
		}
		if ready != nil {
			ready <- said.String()
		}
	}()
	if said := <-ready; said != "" {
		t.Fatalf("etcd did not come up:\n%s", said)
	}
}

// Kill ends the server as a crash does.
func (s *Server) Kill() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait() // that it was killed
	s.cmd = nil
}

// Free returns a loopback address that nobody listens on.
func Free(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
