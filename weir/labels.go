package weir

import (
	"maps"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/weir-gateway/weir/internal/quota"
)

// groupNames turns models into values of labels. Clients name models, and may
// invent them: so a model stands for itself only as its quota group, and only
// as long as there are not too many. It is safe for concurrent use.
type groupNames struct {
	groups *quota.Groups
	known  atomic.Pointer[map[string]string] // by model; a map is never changed

	mu     sync.Mutex
	spoken map[string]bool // groups of models that the upstream has answered for; guarded by mu
	failed map[string]bool // groups of models that it has only failed for; guarded by mu
}

// Bounds of the names of either kind, and the name of those beyond.
const (
	maxAnswered = 64
	maxFailed   = 32
	otherGroup  = "other"
)

func newGroupNames() *groupNames {
	g := &groupNames{groups: quota.BuiltinGroups(), spoken: map[string]bool{}, failed: map[string]bool{}}
	g.known.Store(&map[string]string{})
	return g
}

// answered names the group of a model that the upstream has answered for, and
// so knows.
func (g *groupNames) answered(model string) string {
	if name, ok := (*g.known.Load())[model]; ok {
		return name
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	old := *g.known.Load()
	name := g.admit(g.spoken, model, maxAnswered)
	if len(old) < 4*maxAnswered { // snapshots of one group have several names
		next := maps.Clone(old)
		next[strings.Clone(model)] = name
		g.known.Store(&next)
	}
	return name
}

// failing names the group of a model that the upstream may never have heard of.
func (g *groupNames) failing(model string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if name, _ := g.groups.Of(model); g.spoken[name] {
		return name
	}
	return g.admit(g.failed, model, maxFailed)
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:@-]{0,63}$`)

// admit gives a model's group a place among the names, if there is one. The
// caller holds g.mu.
func (g *groupNames) admit(names map[string]bool, model string, limit int) string {
	name, _ := g.groups.Of(model)
	switch {
	case names[name]:
		return name
	case len(names) >= limit, !plainName.MatchString(name):
		return otherGroup
	}
	names[strings.Clone(name)] = true
	return name
}

// scope is that of a breaker, with its model's group in place of the model.
func (g *groupNames) scope(of string) string {
	host, model, ok := strings.Cut(of, "/")
	if !ok {
		return of
	}
	return host + "/" + g.failing(model)
}
