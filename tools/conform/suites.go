package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/weir-gateway/weir/tools/internal/result"
)

// suiteTimeout bounds one suite; the requests held for 100 s are part of it.
const suiteTimeout = 6 * time.Minute

// suite is how one client's tests are run and counted.
type suite struct {
	dir     string
	command []string
	// prepare comes before any suite: a client that shares the machine with a
	// compiler does not keep its times.
	prepare []string
	// junit is set where the runner writes a JUnit report, to the file that
	// REPORT in command stands for; otherwise it prints go test's events.
	junit bool
}

// suites lists all suites by the name that is also the part of their keys in
// the scenario.
func suites(root string) map[string]suite {
	in := func(dir string) string { return filepath.Join(root, "conformance", dir) }
	// make vet has vetted them; doing it here would go through the whole SDK.
	goTest := []string{"go", "test", "-json", "-count=1", "-vet=off", "-parallel=16", "-timeout=5m", "./..."}
	compile := []string{"go", "test", "-count=1", "-vet=off", "-run=^$", "./..."}
	return map[string]suite{
		"go-v1": {dir: in("go-v1"), command: goTest, prepare: compile},
		"go-v2": {dir: in("go-v2"), command: goTest, prepare: compile},
		"claude-code": {dir: in("claudecode"), prepare: compile, command: []string{
			"go", "test", "-json", "-count=1", "-vet=off", "-run=^TestRefusals$", "."}},
		"typescript": {dir: in("ts"), junit: true, command: []string{
			"node", "--test", "--test-concurrency=4", "--test-reporter=spec", "--test-reporter-destination=stdout",
			"--test-reporter=junit", "--test-reporter-destination=REPORT"}},
		"python": {dir: in("python"), junit: true, command: []string{
			filepath.Join(root, ".cache", "venv", "bin", "python"), "-m", "pytest", "--junitxml=REPORT"}},
	}
}

// ready prepares the suite.
func (s suite) ready(ctx context.Context) error {
	if s.prepare == nil {
		return nil
	}
	cmd := exec.CommandContext(ctx, s.prepare[0], s.prepare[1:]...)
	cmd.Dir = s.dir
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("prepare %s: %w\n%s", s.dir, err, text)
	}
	return nil
}

// run runs the suite with files that begin with prefix, and returns what it
// counted and what it printed.
func (s suite) run(ctx context.Context, prefix string, env []string) (result.Count, string, error) {
	ctx, cancel := context.WithTimeout(ctx, suiteTimeout)
	defer cancel()
	report := prefix + ".xml"
	args := make([]string, len(s.command))
	for i, a := range s.command {
		args[i] = strings.ReplaceAll(a, "REPORT", report)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	var printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &printed
	runErr := cmd.Run()
	err := errors.Join(runErr, os.WriteFile(prefix+".log", printed.Bytes(), 0o644))
	c, text, countErr := s.count(report, &printed)
	if err == nil && countErr == nil && c.Passed == 0 {
		countErr = errors.New("no test was run")
	}
	if err = errors.Join(err, countErr); err != nil && c.Failed == 0 {
		c.Failed = 1 // it did not even start, or broke off
	}
	return c, text, err
}

// count counts the tests of a run from its report or what it printed.
func (s suite) count(report string, printed *bytes.Buffer) (result.Count, string, error) {
	if !s.junit {
		var text strings.Builder
		c, err := result.Go(printed, &text)
		return c, text.String(), err
	}
	text := printed.String()
	f, err := os.Open(report)
	if err != nil {
		return result.Count{}, text, err
	}
	defer f.Close()
	c, err := result.JUnit(f)
	return c, text, err
}
