package docs

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestPages does what the pages say, each in a house of its own: a simulator
// and a gateway on free ports. WEIR_BIN is the binary; make docs sets it, after
// it has installed the SDKs.
func TestPages(t *testing.T) {
	bin := os.Getenv("WEIR_BIN")
	if bin == "" {
		t.Skip("WEIR_BIN is not set: make docs runs the blocks of the pages")
	}
	all, blocks := pages(t), t.TempDir()
	if err := Build(root, blocks, all); err != nil {
		t.Fatal(err)
	}
	run := map[string]bool{}
	for _, p := range all {
		if p.RunBy != "" || strings.TrimSpace(code(p)) == "" {
			continue
		}
		if run[code(p)] {
			t.Logf("%s has the code of the page in the other language, remarks aside", p.Name)
			continue
		}
		run[code(p)] = true
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			follow(t, p, bin, filepath.Join(blocks, "bin"))
		})
	}
}

// code is what a page runs, without remarks.
func code(p Page) string {
	var s strings.Builder
	for _, b := range p.Blocks {
		if b.NotRun == "" && (b.Output || b.Kind != "json" || b.File != "") {
			s.WriteString(b.Kind + " " + b.File + "\n" + remark.ReplaceAllString(b.Text, "") + "\n")
		}
	}
	return s.String()
}

// follow runs the blocks of one page and compares what they print.
func follow(t *testing.T, p Page, bin, goBlocks string) {
	h := House{Dir: t.TempDir(), Gateway: free(t), Admin: free(t), Sim: free(t)}
	tree, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	modules := filepath.Join(tree, "conformance", "ts", "node_modules")
	if err := os.Symlink(modules, filepath.Join(h.Dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-s")
	cmd.Dir, cmd.Stdin = h.Dir, strings.NewReader(h.Script(p))
	cmd.Env = []string{
		"PATH=" + filepath.Join(tree, ".cache", "venv", "bin") + ":" + os.Getenv("PATH"), "HOME=" + h.Dir, "LANG=C.UTF-8",
		"WEIR=" + bin, "GATEWAY=" + h.Gateway, "ADMIN=" + h.Admin, "SIM=" + h.Sim, "GOBLOCKS=" + goBlocks,
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) } // with all that it has started
	cmd.WaitDelay = 5 * time.Second
	talk, err := cmd.CombinedOutput()
	now := strings.TrimSpace(h.kept("now"))
	if err != nil {
		i, _ := strconv.Atoi(now)
		t.Fatalf("%s:%d: %v\n%s%s", p.Name, p.Blocks[i].Line, err, talk, h.kept(now))
	}
	for i, b := range p.Blocks {
		if b.Output {
			wantLines(t, p, b, h.kept(strconv.Itoa(i-1)))
		} else if want := expected(b); b.Kind == "go" && want != "" && b.NotRun == "" {
			if got := strings.TrimSpace(h.kept(strconv.Itoa(i))); got != want {
				t.Errorf("%s:%d prints\n%s\nand says\n%s", p.Name, b.Line, got, want)
			}
		}
	}
}

// kept is the output of a block.
func (h House) kept(name string) string {
	data, _ := os.ReadFile(filepath.Join(h.Dir, "out", name)) // none: the block did not run
	return string(data)
}

// wantLines checks that every line of b stands in got, … being anything.
func wantLines(t *testing.T, p Page, b Block, got string) {
	t.Helper()
	for line := range strings.Lines(b.Text) {
		parts := strings.Split(strings.TrimSpace(line), "…")
		for i, part := range parts {
			parts[i] = regexp.QuoteMeta(part)
		}
		if !regexp.MustCompile(`(?m)` + strings.Join(parts, `.*`)).MatchString(got) {
			t.Errorf("%s:%d: nothing printed %q, but\n%s", p.Name, b.Line, line, got)
		}
	}
}

// free returns an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
