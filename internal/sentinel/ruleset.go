package sentinel

import (
	"cmp"
	"maps"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/alibaba/sentinel-golang/core/base"
	"github.com/alibaba/sentinel-golang/core/flow"
	"github.com/alibaba/sentinel-golang/core/hotspot"
	"github.com/alibaba/sentinel-golang/core/isolation"
	"github.com/alibaba/sentinel-golang/core/stat"
	"github.com/alibaba/sentinel-golang/core/system"

	"github.com/weir-gateway/weir/call"
)

// ruleset is all rules in force, in the form in which calls ask them. Its
// parts are guarded by the protection's lock.
type ruleset struct {
	records   []*record            // of all rules, for the report
	resources map[string]*resource // by the name that rules use
	classes   [call.NumClasses]*resource
	all       *resource
	system    []*systemRule
	machine   bool           // whether a system rule looks at the machine
	memory    bool           // whether a flow rule looks at the memory
	kept      map[string]any // rules and spots by what they do, for the next reload
	flows     map[*flow.Rule]*flowRule
	isolated  map[*isolation.Rule]*isolationRule
}

// record is what is reported of a rule.
type record struct {
	name, kind, resource string
	refused              uint64
}

// resource is one that rules name, or that they look at.
type resource struct {
	wrapper *base.ResourceWrapper
	node    *stat.ResourceNode // counts the calls of it
	flow    []*flow.Rule
	isolate []*isolation.Rule
	paces   []*pace
	hot     []*hotRule
}

type flowRule struct {
	record
	rule *flow.Rule
}

type isolationRule struct {
	record
	rule *isolation.Rule
}

// hotRule is a hot-parameter rule. It is alone in its spot.
type hotRule struct {
	record
	spot  *spot
	rule  *hotspot.Rule
	param int
}

// spot is the resource of Sentinel's that a hot-parameter rule has for itself:
// Sentinel would take the end of a call off the counts of rules that had not
// been there when it began. No name of a spot is ever used again.
type spot struct {
	id      string // what is counted there
	wrapper *base.ResourceWrapper
}

// compile makes the set that follows old. It changes nothing of Sentinel's
// yet, but rules that stay get their new names.
func (p *Protection) compile(r Rules, old *ruleset) *ruleset {
	set := &ruleset{
		resources: map[string]*resource{}, kept: map[string]any{},
		flows: map[*flow.Rule]*flowRule{}, isolated: map[*isolation.Rule]*isolationRule{},
	}
	for _, rule := range r.Flow {
		set.addFlow(p, rule, old)
	}
	for _, rule := range r.Isolation {
		set.addIsolation(p, rule, old)
	}
	for _, rule := range r.Hotspot {
		if one, ok := old.kept[hotspotKey(rule)].(*hotRule); ok {
			set.kept[one.spot.id] = one.spot // before a new rule takes it
		}
	}
	for _, rule := range r.Hotspot {
		set.addHotspot(p, rule, old)
	}
	for _, rule := range r.System {
		one := keep(set, old, systemKey(rule), func() *systemRule { return &systemRule{rule: rule} })
		set.record(&one.record, record{name: systemName(rule), kind: "system", resource: "class/" + call.Batch.String()})
		set.system = append(set.system, one)
		set.machine = set.machine || rule.MetricType == system.Load || rule.MetricType == system.CpuUsage
	}
	set.all = set.resources["*"]
	for c := range call.Class(call.NumClasses) {
		set.classes[c] = set.resources["class/"+c.String()]
	}
	return set
}

func (s *ruleset) addFlow(p *Protection, r flow.Rule, old *ruleset) {
	res, key := s.at(p, r.Resource), flowKey(r)
	rec := record{name: flowName(r), kind: "flow", resource: r.Resource}
	s.memory = s.memory || r.TokenCalculateStrategy == flow.MemoryAdaptive
	if r.ControlBehavior == flow.Throttling {
		one := keep(s, old, key, func() *pace { return flowPace(r) })
		s.record(&one.record, rec)
		res.paces = append(res.paces, one)
		return
	}
	if r.RelationStrategy == flow.AssociatedResource {
		s.at(p, r.RefResource)
	}
	one := keep(s, old, key, func() *flowRule {
		rule := r
		rule.ID, rule.Resource, rule.Threshold = "", p.prefix+r.Resource, rounded(r.Threshold)
		rule.WarmUpColdFactor = coldFactor(r) // Sentinel would write it, unlocked
		if rule.RelationStrategy == flow.AssociatedResource {
			rule.RefResource = p.prefix + r.RefResource
		}
		return &flowRule{rule: &rule}
	})
	s.record(&one.record, rec)
	res.flow = append(res.flow, one.rule)
	s.flows[one.rule] = one
}

func (s *ruleset) addIsolation(p *Protection, r isolation.Rule, old *ruleset) {
	one := keep(s, old, isolationKey(r), func() *isolationRule {
		rule := r
		rule.ID, rule.Resource = "", p.prefix+r.Resource
		return &isolationRule{rule: &rule}
	})
	s.record(&one.record, record{name: isolationName(r), kind: "isolation", resource: r.Resource})
	res := s.at(p, r.Resource)
	res.isolate = append(res.isolate, one.rule)
	s.isolated[one.rule] = one
}

func (s *ruleset) addHotspot(p *Protection, r hotspot.Rule, old *ruleset) {
	res, key := s.at(p, r.Resource), hotspotKey(r)
	rec := record{name: hotspotName(r), kind: "hotspot", resource: r.Resource}
	if r.MetricType == hotspot.QPS && r.ControlBehavior == hotspot.Throttling {
		one := keep(s, old, key, func() *pace { return hotspotPace(r) })
		s.record(&one.record, rec)
		res.paces = append(res.paces, one)
		return
	}
	one := keep(s, old, key, func() *hotRule {
		at, rule := s.spot(p, r, old), r
		rule.ID, rule.Resource, rule.ParamKey, rule.ParamIndex = "", at.wrapper.Name(), "", 0
		rule.ControlBehavior = hotspot.Reject
		rule.ParamsMaxCapacity = int64(capacityOf(r))
		rule.SpecificItems = map[any]int64{}
		maps.Copy(rule.SpecificItems, r.SpecificItems)
		param, _ := paramOf(r)
		return &hotRule{spot: at, rule: &rule, param: param}
	})
	s.record(&one.record, rec)
	res.hot = append(res.hot, one)
}

// spot finds the spot of a new rule: that of an old rule which counted the
// same things, by another threshold.
func (s *ruleset) spot(p *Protection, r hotspot.Rule, old *ruleset) *spot {
	param, _ := paramOf(r)
	id := strings.Join([]string{
		"spot", r.Resource, r.MetricType.String(), params[param],
		strconv.FormatInt(r.DurationInSec, 10), strconv.Itoa(capacityOf(r)),
	}, " ")
	for s.kept[id] != nil { // two rules count the same things
		id += "+"
	}
	return keep(s, old, id, func() *spot {
		p.spots++
		return &spot{id: id, wrapper: wrap(p.prefix + "spot/" + strconv.Itoa(p.spots))}
	})
}

// at returns the resource that rules call name.
func (s *ruleset) at(p *Protection, name string) *resource {
	res, ok := s.resources[name]
	if !ok {
		full := p.prefix + name
		res = &resource{wrapper: wrap(full), node: stat.GetOrCreateResourceNode(full, base.ResTypeCommon)}
		s.resources[name] = res
	}
	return res
}

// record names a rule for people, and puts it into the report.
func (s *ruleset) record(r *record, as record) {
	as.refused = r.refused
	*r = as
	s.records = append(s.records, r)
}

// install hands the rules to Sentinel, and takes back those of old that have
// gone. The rules are valid, so Sentinel takes them.
func (s *ruleset) install(old *ruleset) {
	for name, res := range old.resources {
		if s.resources[name] == nil {
			_, _ = flow.LoadRulesOfResource(res.wrapper.Name(), nil)
			_, _ = isolation.LoadRulesOfResource(res.wrapper.Name(), nil)
		}
	}
	for _, res := range s.resources {
		_, _ = flow.LoadRulesOfResource(res.wrapper.Name(), res.flow)
		_, _ = isolation.LoadRulesOfResource(res.wrapper.Name(), res.isolate)
		for _, hot := range res.hot {
			_, _ = hotspot.LoadRulesOfResource(hot.rule.Resource, []*hotspot.Rule{hot.rule})
		}
	}
	for id, v := range old.kept {
		if at, ok := v.(*spot); ok && s.kept[id] == nil {
			_, _ = hotspot.LoadRulesOfResource(at.wrapper.Name(), nil)
		}
	}
}

// keep returns what old had under this key, or else a new one.
func keep[T any](s, old *ruleset, key string, build func() *T) *T {
	one, ok := old.kept[key].(*T)
	if !ok {
		one = build()
	}
	s.kept[key] = one
	return one
}

func wrap(name string) *base.ResourceWrapper {
	return base.NewResourceWrapper(name, base.ResTypeCommon, base.Inbound)
}

// capacityOf is how many values a hot-parameter rule remembers.
func capacityOf(r hotspot.Rule) int {
	return int(cmp.Or(r.ParamsMaxCapacity, hotspot.ParamsMaxCapacity))
}

// windowOf is what the threshold of a flow rule is for.
func windowOf(r flow.Rule) time.Duration {
	return time.Duration(cmp.Or(r.StatIntervalInMs, 1000)) * time.Millisecond
}

// rounded keeps thresholds apart that are not equal: those closer than 1e-8
// are one rule to Sentinel.
func rounded(threshold float64) float64 { return math.Round(threshold*1e6) / 1e6 }
