package sentinel

import (
	"github.com/alibaba/sentinel-golang/core/base"
	"github.com/alibaba/sentinel-golang/core/stat"
	"github.com/alibaba/sentinel-golang/core/system"
)

// systemRule sheds the lowest class while the machine, or the whole gateway,
// has too much to do. Sentinel's own system slot has one set of rules, and one
// count of calls, for the process, and would refuse every class.
type systemRule struct {
	record
	rule system.Rule

	// ceiling is how many calls of all classes the adaptive strategy finds
	// bearable; 0: it has found no bound.
	ceiling float64
}

// By how much a ceiling follows the machine at each look at it.
const (
	easeDown = 0.9
	easeUp   = 1.05
	easedOff = 4 // times the calls inside: then the ceiling bounds nothing
)

// sees adapts the ceiling to the latest look at the machine.
//
// BBR, the adaptive strategy of Sentinel, takes throughput times the shortest
// response time for the capacity. That holds for calls of one length. Among
// streams of minutes, one short call makes the capacity look like nothing
// (ADR 9). The ceiling here begins at the calls that were inside when the
// trigger was passed, and is lowered until the machine comes to rest.
func (r *systemRule) sees(m *machine, inside float64) {
	switch {
	case !r.over(m) && r.ceiling == 0:
	case !r.over(m):
		if r.ceiling = r.ceiling*easeUp + 1; r.ceiling > easedOff*inside {
			r.ceiling = 0
		}
	case r.ceiling == 0:
		r.ceiling = max(1, inside)
	default:
		r.ceiling = max(1, r.ceiling*easeDown)
	}
}

// over reports whether the machine is beyond the trigger.
func (r *systemRule) over(m *machine) bool {
	switch r.rule.MetricType {
	case system.Load:
		return m.load > r.rule.TriggerCount
	case system.CpuUsage:
		return m.cpu > r.rule.TriggerCount
	}
	return false
}

// refuses reports whether a call of the lowest class must stay out.
func (r *systemRule) refuses(m *machine, inbound *stat.ResourceNode) bool {
	inside := float64(inbound.CurrentConcurrency())
	switch r.rule.MetricType {
	case system.InboundQPS:
		return inbound.GetQPS(base.MetricEventPass) >= r.rule.TriggerCount
	case system.Concurrency:
		return inside >= r.rule.TriggerCount
	}
	if r.rule.Strategy == system.BBR {
		return r.ceiling > 0 && inside >= r.ceiling
	}
	return r.over(m)
}
