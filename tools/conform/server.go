package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"time"
)

// startTimeout is how long a server may take until it answers, on a machine
// that is busy with other tests.
const startTimeout = 60 * time.Second

// server is a weir process that we started.
type server struct {
	cmd     *exec.Cmd
	logName string
	ended   chan struct{} // closed when the process has ended
}

// startServer starts bin with its output going to a file. The environment
// holds no key, so that the gateway passes on the callers'.
func startServer(ctx context.Context, logName, bin string, args ...string) (*server, error) {
	log, err := os.Create(logName)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the process has its own descriptor
	s := &server{cmd: exec.CommandContext(ctx, bin, args...), logName: logName, ended: make(chan struct{})}
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.Env = append(os.Environ(), "ANTHROPIC_API_KEY=", "NO_COLOR=1")
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	s.cmd.WaitDelay = 20 * time.Second
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		s.cmd.Wait() // stop says how it ended; the log says why
		close(s.ended)
	}()
	return s, nil
}

// stop asks the process to end, and kills it if it does not.
func (s *server) stop() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(10 * time.Second):
		s.cmd.Process.Kill()
		<-s.ended
	}
}

func (s *server) log() string {
	data, err := os.ReadFile(s.logName)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

var loopback = regexp.MustCompile(`https?://127\.0\.0\.1:\d+`)

// address returns the nth address that the process says it listens on, or ""
// as long as it has not.
func (s *server) address(n int) string {
	all := loopback.FindAllString(s.listening(), -1)
	if n >= len(all) {
		return ""
	}
	return all[n]
}

var announcement = regexp.MustCompile(`(?m)^weir: (data|admin) plane .*$|^weir (sim|refusals): .*$`)

// listening returns the lines of the log that name the server's own addresses.
func (s *server) listening() string {
	var all string
	for _, line := range announcement.FindAllString(s.log(), -1) {
		all += line + "\n"
	}
	return all
}

// waitReady polls the address that ready returns until it answers 200. While
// there is no address yet, ready's result begins with a slash.
func (s *server) waitReady(ctx context.Context, ready func(*server) string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-s.ended:
			return errors.New("ended before it was ready")
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", context.Cause(ctx))
		case <-tick.C:
		}
		if url := ready(s); url[0] != '/' && answers(ctx, url) {
			return nil
		}
	}
}

func answers(ctx context.Context, url string) bool { return getJSON(ctx, url, new(any)) == nil }

// getJSON reads the JSON document at url into v.
func getJSON(ctx context.Context, url string, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(v)
}
