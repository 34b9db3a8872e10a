package arch

import (
	"go/ast"
	"go/token"
	"maps"
	"slices"
	"strings"
	"testing"
)

// The sizes of STYLE §2.
const (
	maxFile     = 400
	maxTestFile = 600
	maxFunc     = 60
)

func TestFilesAreShort(t *testing.T) {
	for _, s := range sources(t) {
		limit := maxFile
		if s.test {
			limit = maxTestFile
		}
		if s.lines > limit && !ast.IsGenerated(s.file) {
			t.Errorf("%s has %d lines, %d is the limit: split it by the thing inside", s.name, s.lines, limit)
		}
	}
}

func TestFunctionsAreShort(t *testing.T) {
	for f, s := range functions(t) {
		from, to := s.fset.Position(f.Pos()), s.fset.Position(f.End())
		if n := to.Line - from.Line + 1; n > maxFunc && !strings.Contains(f.Doc.Text(), "Long because ") {
			t.Errorf("%s: %s has %d lines, %d is the limit: split it, or say in its comment "+
				"on one line \"Long because …\"", from, f.Name.Name, n, maxFunc)
		}
	}
}

func TestNoInit(t *testing.T) {
	for f, s := range functions(t) {
		if f.Recv == nil && f.Name.Name == "init" {
			t.Errorf("%s: no init functions: build it in New and pass it on", s.fset.Position(f.Pos()))
		}
	}
}

func TestPackagesAreDocumented(t *testing.T) {
	documented := map[string]bool{}
	for _, s := range sources(t) {
		if s.ours && !s.test {
			documented[s.dir] = documented[s.dir] || s.file.Doc != nil
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(documented)) {
		if !documented[dir] {
			t.Errorf("package %s has no doc comment: put one over the package clause of its main file", dir)
		}
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	for _, s := range sources(t) {
		if !s.ours || s.test || s.file.Name.Name == "main" || ast.IsGenerated(s.file) {
			continue
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && exportedReceiver(d) {
					s.wantDoc(t, d.Name, d.Doc)
				}
			case *ast.GenDecl:
				s.checkGroup(t, d)
			}
		}
	}
}

// checkGroup checks a type, const or var declaration. In a group, a comment
// over the group or beside the name will do.
func (s source) checkGroup(t *testing.T, d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			doc := spec.Doc
			if !d.Lparen.IsValid() {
				doc = d.Doc
			}
			if spec.Name.IsExported() {
				s.wantDoc(t, spec.Name, doc)
			}
		case *ast.ValueSpec:
			for _, name := range spec.Names {
				if name.IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
					t.Errorf("%s: %s %s has no comment: say what it is", s.fset.Position(name.Pos()), d.Tok, name)
				}
			}
		}
	}
}

// wantDoc checks that doc begins with name, as godoc shows it.
func (s source) wantDoc(t *testing.T, name *ast.Ident, doc *ast.CommentGroup) {
	text := doc.Text()
	for _, article := range []string{"A ", "An ", "The "} {
		text = strings.TrimPrefix(text, article)
	}
	if rest, ok := strings.CutPrefix(text, name.Name); !ok || token.IsIdentifier("x"+firstRune(rest)) {
		t.Errorf("%s: %s needs a comment that begins with its name and says what it does",
			s.fset.Position(name.Pos()), name)
	}
}

// firstRune returns s's first rune, or a space.
func firstRune(s string) string {
	for _, r := range s {
		return string(r)
	}
	return " "
}

// exportedReceiver reports whether f is a function or a method of an exported
// type.
func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	typ := f.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}

// functions yields the functions of all non-test files of the main module.
func functions(t *testing.T) func(yield func(*ast.FuncDecl, source) bool) {
	return func(yield func(*ast.FuncDecl, source) bool) {
		for _, s := range sources(t) {
			if s.test || !s.ours || ast.IsGenerated(s.file) {
				continue
			}
			for _, d := range s.file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && !yield(f, s) {
					return
				}
			}
		}
	}
}
