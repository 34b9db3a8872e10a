package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

// process is one that we started, with its output in a file.
type process struct {
	name, log string
	cmd       *exec.Cmd
	ended     chan struct{}
}

func start(ctx context.Context, dir, name, bin string, args ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(dir, name+".log"), cmd: exec.CommandContext(ctx, bin, args...), ended: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the process has its own descriptor
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Env = append(os.Environ(), "ANTHROPIC_API_KEY=")
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 10 * time.Second
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.cmd.Wait() // how it ended is in its log
		close(p.ended)
	}()
	return p, nil
}

// stop asks the process to end, and kills it if it does not. Stopping twice
// does no harm.
func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		p.cmd.Process.Kill()
		<-p.ended
	}
}

// says waits until the log matches the pattern, and returns its last group.
func (p *process) says(ctx context.Context, pattern string) (string, error) {
	re := regexp.MustCompile(pattern)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		text, _ := os.ReadFile(p.log)
		if m := re.FindSubmatch(text); m != nil {
			return string(m[len(m)-1]), nil
		}
		select {
		case <-tick.C:
		case <-p.ended:
			return "", fmt.Errorf("%s ended: %s", p.name, text)
		case <-ctx.Done():
			return "", fmt.Errorf("%s never said %s: %s", p.name, pattern, text)
		}
	}
}
