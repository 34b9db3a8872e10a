package docs

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/weir-gateway/weir/internal/config"
	"github.com/weir-gateway/weir/internal/load"
	"github.com/weir-gateway/weir/internal/sentinel"
	"github.com/weir-gateway/weir/sim"
)

// root is the repository seen from this package's directory.
const root = "../.."

func pages(t *testing.T) []Page {
	t.Helper()
	all, err := Pages(root)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// maxNotRun bounds the blocks that are not run, per page in one language.
const maxNotRun = 2

func TestEveryBlockIsRun(t *testing.T) {
	for _, p := range pages(t) {
		if p.RunBy != "" {
			if _, err := os.Stat(filepath.Join(root, p.RunBy)); err != nil {
				t.Errorf("nobody runs the blocks of %s: %v", p.Name, err)
			}
			continue
		}
		skipped := 0
		for i, b := range p.Blocks {
			if fault := b.Fault(); fault != "" {
				t.Errorf("%s:%d: %s", p.Name, b.Line, fault)
			}
			if b.Output && (i == 0 || p.Blocks[i-1].Output || p.Blocks[i-1].NotRun != "") {
				t.Errorf("%s:%d: there is no block before it that prints it", p.Name, b.Line)
			}
			if b.NotRun != "" {
				skipped++
				t.Logf("%s:%d is not run: %s", p.Name, b.Line, b.NotRun)
			}
		}
		if skipped > maxNotRun {
			t.Errorf("%s has %d blocks that are not run, at most %d are taken", p.Name, skipped, maxNotRun)
		}
	}
}

func TestDataIsRead(t *testing.T) {
	for _, p := range pages(t) {
		for _, b := range p.Blocks {
			if b.NotRun != "" || p.RunBy != "" {
				continue
			}
			if err := read(t, b); err != nil {
				t.Errorf("%s:%d: %v", p.Name, b.Line, err)
			}
		}
	}
}

// read reads a block of data by the parser of whoever gets it.
func read(t *testing.T, b Block) error {
	base := path.Base(b.File)
	switch {
	case b.Kind == "json" && path.Base(path.Dir(b.File)) == "rules":
		_, err := sentinel.ParseRules(map[string][]byte{base: []byte(b.Text)})
		return err
	case b.Kind == "json":
		var v any
		return json.Unmarshal([]byte(b.Text), &v)
	case b.Configuration():
		file := filepath.Join(t.TempDir(), "weir.yaml")
		if err := os.WriteFile(file, []byte(b.Text), 0o600); err != nil {
			return err
		}
		c, err := config.Load(file, func(string) string { return "" })
		if err != nil {
			return err
		}
		return c.Check()
	case b.Prometheus():
		var v any
		return yaml.Unmarshal([]byte(b.Text), &v)
	case b.Kind == "yaml" && strings.HasPrefix(base, "workload"):
		_, err := load.Parse(base, []byte(b.Text))
		return err
	case b.Kind == "yaml":
		_, err := sim.ParseScenario(base, []byte(b.Text))
		return err
	}
	return nil
}

// The pages in Chinese have the same blocks as those in English; only what is
// said in comments and prompts differs.
func TestBothLanguagesHaveTheSameBlocks(t *testing.T) {
	english := map[string]Page{}
	for _, p := range pages(t) {
		english[p.Name] = p
	}
	for _, p := range pages(t) {
		if p.RunBy != "" {
			continue
		}
		other, ok := strings.CutSuffix(p.Name, ".zh-CN.md")
		if !ok {
			if p.Name == "README.md" || path.Dir(p.Name) == "docs/guides" {
				if _, ok := english[strings.TrimSuffix(p.Name, ".md")+".zh-CN.md"]; !ok {
					t.Errorf("%s has no Chinese page", p.Name)
				}
			}
			continue
		}
		from := english[other+".md"]
		if len(from.Blocks) != len(p.Blocks) {
			t.Errorf("%s has %d blocks, the English page has %d", p.Name, len(p.Blocks), len(from.Blocks))
			continue
		}
		for i, b := range p.Blocks {
			a := from.Blocks[i]
			if a.Kind != b.Kind || a.File != b.File || a.Output != b.Output || essence(a) != essence(b) {
				t.Errorf("%s:%d differs from %s:%d:\n%s\nagainst\n%s", p.Name, b.Line, from.Name, a.Line, essence(b), essence(a))
			}
		}
	}
}

var remark = regexp.MustCompile(`(?m)\s*(?:#|//) .*$`)

// essence is a block without its remarks and with its strings of prose masked.
func essence(b Block) string {
	if b.NotRun != "" && b.Kind == "text" {
		return "" // a drawing
	}
	return strings.TrimSpace(quoted.ReplaceAllStringFunc(remark.ReplaceAllString(b.Text, ""), func(text string) string {
		if strings.IndexFunc(text, func(r rune) bool { return r == ' ' || r > 127 }) < 0 {
			return text
		}
		return "…"
	}))
}

var quoted = regexp.MustCompile(`"[^"\n]*"`)

var link = regexp.MustCompile(`\]\(([^)#:\s]+)(?:#[^)]*)?\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	for _, p := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(p.Text, -1) {
			target := filepath.Join(root, path.Dir(p.Name), m[1])
			if _, err := os.Stat(target); err != nil && !slices.Contains(comingPages, path.Join(path.Dir(p.Name), m[1])) {
				t.Errorf("%s links to %s, which is not there", p.Name, m[1])
			}
		}
	}
}

// comingPages may be linked to before they are there.
var comingPages = []string{"docs/guides/streamlit.md", "docs/guides/streamlit.zh-CN.md"}

func TestReadmeIsShort(t *testing.T) {
	for _, p := range pages(t) {
		if n := strings.Count(p.Text, "\n"); strings.HasPrefix(p.Name, "README") && n > 200 {
			t.Errorf("%s has %d lines, 200 are the limit: move something into a guide", p.Name, n)
		}
	}
}
