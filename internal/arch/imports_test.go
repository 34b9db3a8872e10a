package arch

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The floor plan of DESIGN §3, by directory.
var (
	cellar = []string{
		"internal/breaker", "internal/dwell", "internal/fair", "internal/fault", "internal/message", "internal/price",
		"internal/quota", "internal/schema", "internal/sse", "internal/textsplit",
		"internal/warn", "internal/words",
	}
	rooms = []string{
		"internal/account", "internal/admit", "internal/budget", "internal/cache", "internal/classify",
		"internal/estimate", "internal/keys", "internal/ladder", "internal/limits", "internal/shape",
		"internal/split", "internal/upstream",
	}
	sideRooms = []string{
		"internal/batch", "internal/condition", "internal/config", "internal/dash", "internal/ledger",
		"internal/load", "internal/notify", "internal/ratelimits", "internal/question", "internal/reconcile", "internal/rules", "internal/sentinel",
		"internal/share", "internal/tokens", "internal/top", "internal/trace",
	}
	tools = []string{"internal/adminapi", "internal/files", "internal/sqlite"} // what any room and side room may use of the machine and the network
	house = join([]string{"call", "internal/flow"}, cellar, rooms, sideRooms, tools)
)

// mayImport lists, for a package, the packages of this module that its
// non-test files may import. A package that it does not know has no place in
// the house yet.
func mayImport(dir string) (allowed []string, known bool) {
	switch {
	case dir == "call", dir == "internal/memnet", dir == "internal/etcdtest", dir == "internal/pgtest", dir == "internal/arch":
		return nil, true
	case slices.Contains(cellar, dir), slices.Contains(tools, dir), dir == "internal/flow":
		return []string{"call"}, true
	case dir == "internal/config": // conditions are checked where they are read
		return join([]string{"call", "internal/condition"}, cellar, tools), true
	case slices.Contains(rooms, dir), slices.Contains(sideRooms, dir):
		return join([]string{"call"}, cellar, tools), true
	case dir == "sim":
		return []string{"internal/schema"}, true
	case dir == "conformance/refusals": // the house in every state in which it refuses
		return []string{"call", "internal/memnet", "sim", "weir"}, true
	case dir == "conformance/docs": // runs the documents, through the binary alone
		return nil, true
	case dir == "conformance/browser/stage": // the page in every state
		return []string{"call", "internal/dash"}, true
	case dir == "conformance/refusals/serve":
		return []string{"conformance/refusals"}, true
	case dir == "weir": // without CEL, which programs that embed it need not carry
		return slices.DeleteFunc(slices.Clone(house), func(d string) bool { return d == "internal/condition" }), true
	case dir == "internal/bench": // the rig that measures the house from outside
		return []string{"call", "internal/load", "internal/memnet", "sim", "weir"}, true
	case dir == "cmd/weir":
		return join([]string{"call", "weir", "sim"}, sideRooms), true
	}
	return nil, false
}

// modules are the third-party modules of DESIGN §9; a new one needs an ADR.
var modules = []string{
	"charm.land/bubbles/v2", "charm.land/bubbletea/v2", "charm.land/lipgloss/v2",
	"filippo.io/age",
	"github.com/alibaba/sentinel-golang",
	"github.com/clipperhouse/uax29/v2",
	"github.com/fsnotify/fsnotify",
	"github.com/go-json-experiment/json",
	"github.com/google/cel-go",
	"github.com/invopop/jsonschema",
	"github.com/jackc/pgx/v5",
	"github.com/klauspost/compress",
	"github.com/knadh/koanf",
	"github.com/maypok86/otter/v2",
	"github.com/nicksnyder/go-i18n/v2",
	"github.com/prometheus/client_golang",
	"github.com/redis/rueidis",
	"github.com/santhosh-tekuri/jsonschema/v6",
	"github.com/spf13/cobra",
	"github.com/spf13/pflag", // cobra's own flags
	"github.com/yuin/goldmark",
	"github.com/zeebo/xxh3",
	"go.etcd.io/etcd/api/v3", "go.etcd.io/etcd/client/v3", "go.uber.org/zap", // zap is the client's logger
	"go.opentelemetry.io/otel",
	"go.yaml.in/yaml/v3",
	"golang.org/x/sync", "golang.org/x/text",
	"gonum.org/v1/plot",
	"github.com/HdrHistogram/hdrhistogram-go",
	"modernc.org/sqlite",
}

func TestImports(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || !s.ours {
			continue
		}
		allowed, known := mayImport(s.dir)
		if !known {
			t.Errorf("%s: package %s has no place in the house: give it one in "+
				"internal/arch/imports_test.go and in docs/ARCHITECTURE.md, by an ADR", s.name, s.dir)
			continue
		}
		for _, spec := range s.file.Imports {
			imp, _ := strconv.Unquote(spec.Path.Value)
			if fault := judge(s.dir, imp, allowed); fault != "" {
				t.Errorf("%s: %s", s.fset.Position(spec.Pos()), fault)
			}
		}
	}
}

// judge returns what is wrong with package dir importing imp, and what to do.
func judge(dir, imp string, allowed []string) string {
	if inside, ok := strings.CutPrefix(imp, module+"/"); ok {
		if slices.Contains(allowed, inside) {
			return ""
		}
		return dir + " may import of this module only {" + strings.Join(allowed, ", ") + "}, not " +
			inside + ": take what you need as an argument or a field of call.Call, and wire it in package weir"
	}
	first, _, _ := strings.Cut(imp, "/")
	if !strings.Contains(first, ".") {
		return "" // the standard library
	}
	if dir == "call" {
		return "call imports the standard library alone, not " + imp
	}
	if slices.ContainsFunc(modules, func(m string) bool {
		return imp == m || strings.HasPrefix(imp, m+"/")
	}) {
		return ""
	}
	return imp + " is no dependency of DESIGN §9: use one that is, or write an ADR and add it to internal/arch/imports_test.go"
}

func join(lists ...[]string) []string { return slices.Concat(lists...) }
