package arch

import (
	"go/ast"
	"slices"
	"strconv"
	"testing"
)

// The cellar is pure: the same lines run in the simulator, in tests and in
// production because time comes in as an argument.
var (
	impure = []string{"net", "os", "os/exec", "sync", "sync/atomic", "database/sql", "log", "log/slog"}
	clocks = []string{"After", "AfterFunc", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until"}
)

func TestCellarIsPure(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || !slices.Contains(cellar, s.dir) {
			continue
		}
		for _, spec := range s.file.Imports {
			if imp, _ := strconv.Unquote(spec.Path.Value); slices.Contains(impure, imp) {
				t.Errorf("%s: the cellar has no I/O, lock or log, so it does not import %s: "+
					"move that part to the room that calls it", s.fset.Position(spec.Pos()), imp)
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clocks, sel.Sel.Name) {
				t.Errorf("%s: the cellar reads no clock: take now time.Time as an argument instead of time.%s",
					s.fset.Position(sel.Pos()), sel.Sel.Name)
			}
			return true
		})
	}
}
