package pgtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Server is a PostgreSQL with a folder of its own.
type Server struct {
	Address string // host:port for clients

	// Static after create.
	folder   string
	programs string
	// Owned by whoever starts and ends it.
	cmd   *exec.Cmd
	guard io.WriteCloser
}

// settings are those of a server whose data nobody wants to keep beyond a
// kill: it need not survive a power cut, and nothing is replicated from it.
var settings = []string{
	"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "wal_level=minimal", "-c", "max_wal_senders=0",
	"-c", "shared_buffers=32MB", "-c", "max_connections=100",
	"-c", "unix_socket_directories=", "-c", "listen_addresses=127.0.0.1",
}

// create makes the folder and the empty cluster in it.
func create() (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	address, err := free()
	if err != nil {
		return nil, err
	}
	// Not the test's own folder: another user, whom the server may run as,
	// could not get into that.
	folder, err := os.MkdirTemp("", "pgtest-")
	if err != nil {
		return nil, err
	}
	s := &Server{Address: address, folder: folder, programs: bin}
	if err := s.initialize(); err != nil {
		os.RemoveAll(folder)
		return nil, err
	}
	return s, nil
}

func (s *Server) initialize() error {
	secret := filepath.Join(s.folder, "password")
	if err := os.WriteFile(secret, []byte(Password+"\n"), 0o600); err != nil {
		return err
	}
	if err := hand(s.folder, secret); err != nil {
		return err
	}
	cmd, err := s.command("initdb", "-D", s.data(), "-U", User, "--pwfile="+secret,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	if err != nil {
		return err
	}
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, said)
	}
	return nil
}

func (s *Server) data() string { return filepath.Join(s.folder, "data") }

// command is one of PostgreSQL's programs, run by the user who may run it.
func (s *Server) command(name string, args ...string) (*exec.Cmd, error) {
	cmd := exec.Command(filepath.Join(s.programs, name), args...)
	cmd.Dir = s.folder
	who, err := account()
	cmd.SysProcAttr = who
	return cmd, err
}

// Up starts the server, with the data that it had, and waits until it serves.
func (s *Server) Up(t testing.TB) {
	t.Helper()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

// start starts the server. What a killed one left behind may need a moment to
// go: until then the new one refuses to touch its data.
func (s *Server) start() (err error) {
	for range 100 {
		var said string
		if said, err = s.try(); err == nil || !strings.Contains(said, "still in use") {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err == nil {
		s.guard, err = guard(s.cmd.Process.Pid, s.folder)
	}
	return err
}

// try starts the server once, and returns what it said where it did not come
// up.
func (s *Server) try() (said string, err error) {
	_, port, _ := net.SplitHostPort(s.Address) // it has both
	cmd, err := s.command("postgres", append([]string{"-D", s.data(), "-p", port}, settings...)...)
	if err != nil {
		return "", err
	}
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return "", fmt.Errorf("start postgres: %w", err)
	}
	if said := ready(stderr); said != "" {
		_ = cmd.Wait() // it ended because of what it said
		return said, errors.New("postgres did not come up:\n" + said)
	}
	s.cmd = cmd
	return "", nil
}

// ready waits until the server says that it serves, and returns what it said
// if it ended instead. It goes on reading, so that the server never blocks.
func ready(stderr io.Reader) string {
	result := make(chan string, 1)
	go func() {
		var said strings.Builder
		waiting := true
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			if !waiting {
				continue
			}
			said.WriteString(lines.Text() + "\n")
			if strings.Contains(lines.Text(), "ready to accept connections") {
				result <- ""
				waiting = false
			}
		}
		if waiting {
			result <- said.String() + "(it ended)"
		}
	}()
	return <-result
}

// Kill ends the server and all its processes as a crash of the machine does.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	crash(s.cmd.Process)
	_ = s.cmd.Wait() // that it was killed
	s.cmd = nil
	release(s.guard)
}

// end ends the server and removes its folder.
func (s *Server) end() {
	s.Kill()
	_ = os.RemoveAll(s.folder) // a process of the server may still write its last
}

// guard starts a shell that ends the server and removes its folder when this
// process is gone, however it went: its end of the pipe closes then.
func guard(pid int, folder string) (io.WriteCloser, error) {
	cmd := exec.Command("sh", "-c", `read -r _ && exit
kill -QUIT "$1"
for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$1" || break; sleep 0.1; done
rm -rf "$2"`, "guard", strconv.Itoa(pid), folder)
	cmd.SysProcAttr = apart()
	pipe, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("guard the server: %w", err)
	}
	go cmd.Wait() // it says nothing
	return pipe, nil
}

// release sends a guard home, because its server has ended.
func release(guard io.WriteCloser) {
	if guard != nil {
		_, _ = io.WriteString(guard, "done\n") // it can only be gone already
		_ = guard.Close()
	}
}

// free returns a loopback address that nobody listens on.
func free() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
