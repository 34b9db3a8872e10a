package docs

import (
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// imports are what a block of statements may use without saying so, by the name
// that stands before the dot.
var imports = map[string]string{
	"anthropic": "github.com/anthropics/anthropic-sdk-go/v2", "option": "github.com/anthropics/anthropic-sdk-go/v2/option",
	"weir": "github.com/weir-gateway/weir/weir", "call": "github.com/weir-gateway/weir/call", "sim": "github.com/weir-gateway/weir/sim",
	"context": "context", "errors": "errors", "fmt": "fmt", "http": "net/http", "httptest": "net/http/httptest",
	"json": "encoding/json", "log": "log", "os": "os", "slog": "log/slog", "time": "time",
}

// program is a block as a file of its own: a program as it is, statements as the
// body of a function. Whole reports whether it is a program, which is run and
// not only compiled.
func program(b Block) (text string, whole bool) {
	if strings.Contains(b.Text, "package main\n") {
		return b.Text, true
	}
	var s strings.Builder
	s.WriteString("package fragment\n\nimport (\n")
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`\b(\w+)\.[A-Z]`).FindAllStringSubmatch(b.Text, -1) {
		if from, ok := imports[m[1]]; ok && !used[from] {
			used[from] = true
			fmt.Fprintf(&s, "\t%q\n", from)
		}
	}
	s.WriteString(")\n\nfunc _() {\n" + b.Text)
	for _, m := range regexp.MustCompile(`(?m)^(\w+)(?:, err)? :=`).FindAllStringSubmatch(b.Text, -1) {
		fmt.Fprintf(&s, "\t_ = %s\n", m[1]) // a fragment need not use what it makes
	}
	s.WriteString("}\n")
	return s.String(), false
}

// binary is the name of a block's program.
func binary(b Block) string {
	sum := fnv.New64a()
	sum.Write([]byte(b.Text))
	return fmt.Sprintf("block%x", sum.Sum64())
}

// Build compiles the Go blocks of all pages into dir, in a workspace of this
// module and of that which has the SDK.
func Build(root, dir string, pages []Page) error {
	abs, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	files := map[string]string{
		"go.work": fmt.Sprintf("go 1.26.0\nuse (\n\t.\n\t%s\n\t%s\n)\n", abs, filepath.Join(abs, "conformance", "go-v2")),
		"go.mod":  "module blocks\n\ngo 1.26.0\n",
	}
	var places []string
	for _, p := range pages {
		for _, b := range p.Blocks {
			if b.Kind == "go" && b.NotRun == "" && p.RunBy == "" {
				text, _ := program(b)
				files[filepath.Join(binary(b), "main.go")] = text
				places = append(places, fmt.Sprintf("%s:%d is %s", p.Name, b.Line, binary(b)))
			}
		}
	}
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return err
		}
	}
	if len(places) == 0 {
		return nil
	}
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "bin")+string(filepath.Separator), "./...")
	cmd.Dir = dir
	cmd.Env = slices.Concat(os.Environ(), []string{"GOWORK=" + filepath.Join(dir, "go.work"), "GOFLAGS="})
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s%s", err, out, strings.Join(places, "\n"))
	}
	return nil
}

// expected is what a Go block says that it prints, or "".
func expected(b Block) string {
	_, out, _ := strings.Cut(b.Text, "// Output:\n")
	out, _, _ = strings.Cut(out, "\n}")
	var s strings.Builder
	for line := range strings.Lines(out) {
		s.WriteString(strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(line), "//"), " ") + "\n")
	}
	return strings.TrimSpace(s.String())
}
