package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/weir-gateway/weir"

// root is the repository seen from this package's directory.
const root = "../.."

// source is one Go file of the repository.
type source struct {
	name  string // slash-separated, from the repository's root
	dir   string // its package's directory, "." for the root
	test  bool   // ends in _test.go
	ours  bool   // belongs to the main module
	lines int
	file  *ast.File
	fset  *token.FileSet
}

// skipped are directories that no test of this package looks into.
var skipped = map[string]bool{
	".git": true, ".cache": true, "node_modules": true, "testdata": true,
	"__pycache__": true, ".pytest_cache": true,
}

// walk calls visit for every regular file of the repository that is ours to
// shape, with its slash-separated name.
func walk(t *testing.T, visit func(name string, data []byte)) {
	t.Helper()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if skipped[d.Name()] {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		info, err := d.Info()
		if err != nil || info.Size() > 1<<20 {
			return err // a megabyte is a binary or data, not source
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, p)
		visit(filepath.ToSlash(name), data)
		return err
	})
	if err != nil {
		t.Fatalf("walk the repository: %v", err)
	}
}

// sources parses every Go file of the repository.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	nested := map[string]bool{} // directories of other modules
	fset := token.NewFileSet()
	walk(t, func(name string, data []byte) {
		if path.Base(name) == "go.mod" && path.Dir(name) != "." {
			nested[path.Dir(name)] = true
		}
		if path.Ext(name) != ".go" {
			return
		}
		f, err := parser.ParseFile(fset, name, data, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Errorf("%s does not parse: %v", name, err)
			return
		}
		all = append(all, source{
			name: name, dir: path.Dir(name), file: f, fset: fset,
			test:  strings.HasSuffix(name, "_test.go"),
			lines: strings.Count(string(data), "\n"),
		})
	})
	for i, s := range all {
		all[i].ours = !within(nested, s.dir)
	}
	return all
}

// within reports whether dir is one of dirs or below one of them.
func within(dirs map[string]bool, dir string) bool {
	for ; dir != "."; dir = path.Dir(dir) {
		if dirs[dir] {
			return true
		}
	}
	return false
}
