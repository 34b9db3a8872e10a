package main

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// asCommand makes the binary of the tests be weir itself, so that they can
// kill it.
const asCommand = "WEIR_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	os.Exit(m.Run())
}

// process is a weir of its own, which can be killed.
type process struct {
	*exec.Cmd
	lines *bufio.Scanner // of its stderr
}

// spawn starts weir with these arguments. It is killed at the end of the test.
func spawn(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.CommandContext(t.Context(), os.Args[0], args...)}
	p.Env = append(os.Environ(), asCommand+"=1", "ANTHROPIC_API_KEY=sk-ant-api-test", "WEIR_TOKEN=token-of-a-test")
	talk, err := p.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.lines = bufio.NewScanner(talk)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

// says reads on until a line has text in it, returns what is behind it, and
// lets the rest go by.
func (p *process) says(t *testing.T, text string) string {
	t.Helper()
	for p.lines.Scan() {
		if _, rest, ok := strings.Cut(p.lines.Text(), text); ok {
			return rest
		}
		t.Log(p.lines.Text())
	}
	t.Fatalf("it never said %q", text)
	return ""
}

// kill ends the process as nothing can be caught, and waits for it.
func (p *process) kill() {
	if p.ProcessState != nil {
		return
	}
	_ = p.Process.Kill() // it may have ended
	for p.lines.Scan() {
	}
	_ = p.Wait() // that it was killed is no news
}
