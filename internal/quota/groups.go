package quota

import (
	_ "embed"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

//go:embed groups.json
var groupsJSON []byte

// Groups maps models to the model groups that share buckets. It is immutable.
type Groups struct {
	list  []modelGroup
	told  map[string]*ModelGroup // by model; see Told
	names []*ModelGroup
}

type modelGroup struct {
	Group       string   `json:"group"`
	Prefixes    []string `json:"prefixes"`
	Not         []string `json:"not"`
	CountCached bool     `json:"count_cached"`
}

// BuiltinGroups returns the groups of the data file. The file is part of the
// binary: it panics if the file is broken, which a test rules out.
func BuiltinGroups() *Groups {
	var file struct{ Groups []modelGroup }
	if err := json.Unmarshal(groupsJSON, &file); err != nil {
		panic("quota: groups.json: " + err.Error())
	}
	return &Groups{list: file.Groups}
}

// dateSuffix is the snapshot date of a model id, which does not change its
// buckets.
var dateSuffix = regexp.MustCompile(`-20\d{6}$|-latest$`)

// Of returns the group of a model, and whether the group's input limiter
// counts cache reads. A model that is in no group is its own.
func (g *Groups) Of(model string) (group string, countCached bool) {
	if m, ok := g.tell(model); ok {
		return m.Name, m.CountCached
	}
	has := func(prefix string) bool { return strings.HasPrefix(model, prefix) }
	for _, m := range g.list {
		if slices.ContainsFunc(m.Prefixes, has) && !slices.ContainsFunc(m.Not, has) {
			return m.Group, m.CountCached
		}
	}
	return dateSuffix.ReplaceAllString(model, ""), false
}
