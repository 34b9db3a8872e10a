package quota

import (
	"math"
	"slices"
	"time"

	"github.com/weir-gateway/weir/call"
)

// ModelGroup is one pool of limits as the Rate Limits API names it.
type ModelGroup struct {
	Name        string
	Models      []string
	Limits      [call.NumLimiters]float64 // per minute; 0: none, or not known
	CountCached bool                      // the input limit counts cache reads
}

// Told returns the groups of an organization that has told its own. A model
// that is in none of them keeps its group of g. A name that is given twice
// means the first.
func (g *Groups) Told(list []ModelGroup) *Groups {
	told := &Groups{list: g.list, told: map[string]*ModelGroup{}}
	for i := range list {
		m := &list[i]
		for _, model := range m.Models {
			if _, twice := told.told[model]; !twice {
				told.told[model] = m
			}
		}
		told.names = append(told.names, m)
	}
	return told
}

// tell finds the group of a model among those that the organization has told.
func (g *Groups) tell(model string) (*ModelGroup, bool) {
	if g.told == nil {
		return nil, false
	}
	m, ok := g.told[model]
	if !ok {
		m, ok = g.told[dateSuffix.ReplaceAllString(model, "")]
	}
	return m, ok
}

// Named returns what was told of the group with that name, or nil.
func (g *Groups) Named(name string) *ModelGroup {
	i := slices.IndexFunc(g.names, func(m *ModelGroup) bool { return m.Name == name })
	if i < 0 {
		return nil
	}
	return g.names[i]
}

// Successor is the name that a group of old has in g: the group that its first
// model belongs to now. It is the same name where nothing of it was told.
func (g *Groups) Successor(old *Groups, name string) string {
	if g.Named(name) != nil {
		return name
	}
	for _, m := range g.names {
		for _, model := range m.Models {
			if before, _ := old.Of(model); before == name {
				return m.Name
			}
		}
	}
	if m, ok := g.tell(name); ok { // a model that was its own group
		return m.Name
	}
	return name
}

// Configure takes the limits that the Rate Limits API says hold. They say
// nothing of the levels: until a header shows one, a limit only tells which
// calls can never fit, and the first calls are let through to probe. Once
// headers have set a limit, only a change that the API tells replaces it.
func (g *Group) Configure(now time.Time, m *ModelGroup) {
	g.advance(now)
	g.countCached = m.CountCached
	for l, limit := range m.Limits {
		b, before := &g.bucket[l], g.told[l]
		g.told[l] = limit
		if b.known() && limit > 0 && before > 0 && limit != before && limit != b.limit {
			b.resize(now, limit)
		}
	}
}

// CountsCached reports whether the input limit counts cache reads too.
func (g *Group) CountsCached() bool { return g.countCached }

// resize changes the limit under the same level. What a smaller bucket cannot
// hold is lost; whether the upstream scales the level too is not known.
func (b *bucket) resize(now time.Time, limit float64) {
	level := min(b.level, limit)
	b.shift += level - b.level
	b.error.low = min(b.error.low, level*limit/b.limit-level, 0)
	b.error.high = max(b.error.high, limit-level)
	b.limit, b.level = limit, level
	b.doubt = max(b.doubt, sq(0.05*limit))
	b.limitSent = now
	b.source = "api"
}

// limit is the limit as far as anybody has said it; 0 if nobody has.
func (g *Group) limit(l call.Limiter) float64 {
	if b := &g.bucket[l]; b.known() {
		return b.limit
	}
	return g.told[l]
}

// promised reports a bucket of which only the limit is known.
func (g *Group) promised(now time.Time, l call.Limiter) call.BucketReport {
	limit := int64(math.Floor(g.told[l]))
	return call.BucketReport{
		Limiter: l.String(), Limit: limit, Remaining: limit, High: limit, FullAt: now, Source: "api",
	}
}
