package sentinel

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/alibaba/sentinel-golang/core/flow"
	"github.com/alibaba/sentinel-golang/core/hotspot"
	"github.com/alibaba/sentinel-golang/core/isolation"
	"github.com/alibaba/sentinel-golang/core/system"

	"github.com/weir-gateway/weir/call"
)

// Bounds of what a rule may say. Sentinel multiplies without looking; within
// these nothing overflows.
const (
	maxThreshold = 100_000_000
	maxCapacity  = 1_000_000
	maxSeconds   = 24 * 60 * 60
	maxQueueing  = 10 * 60 * 1000 // ms: no client waits longer
)

// params are the hot parameters, by index.
var params = []string{"tenant", "key", "session"}

// resourceFault says what is wrong with the name of a resource.
func resourceFault(name string) []string {
	if name == "*" {
		return nil
	}
	if class, ok := strings.CutPrefix(name, "class/"); ok {
		if _, known := call.ParseClass(class); known {
			return nil
		}
	}
	if model, ok := strings.CutPrefix(name, "model/"); ok && model != "" {
		return nil
	}
	return []string{fmt.Sprintf(`no call has the resource %q: give "*", class/interactive, class/normal, class/batch or model/NAME`, name)}
}

func flowName(r flow.Rule) string {
	rate := "qps " + number(r.Threshold)
	if ms := cmp.Or(r.StatIntervalInMs, 1000); ms != 1000 {
		rate = fmt.Sprintf("%s per %d ms", number(r.Threshold), ms)
	}
	switch {
	case r.TokenCalculateStrategy == flow.WarmUp:
		rate += " warm-up"
	case r.TokenCalculateStrategy == flow.MemoryAdaptive:
		rate = fmt.Sprintf("qps %d-%d by memory", r.HighMemUsageThreshold, r.LowMemUsageThreshold)
	}
	if r.ControlBehavior == flow.Throttling {
		rate += " throttling"
	}
	return cmp.Or(r.ID, fmt.Sprintf("flow %s %s", r.Resource, rate))
}

func flowFaults(r flow.Rule) []string {
	list := resourceFault(r.Resource)
	fault := func(text string) { list = append(list, text) }
	if err := flow.IsValidRule(&r); err != nil {
		fault(err.Error())
	}
	if r.TokenCalculateStrategy > flow.MemoryAdaptive {
		fault("tokenCalculateStrategy must be 0 (direct), 1 (warm-up) or 2 (by memory)")
	}
	if r.ControlBehavior > flow.Throttling {
		fault("controlBehavior must be 0 (reject) or 1 (throttling)")
	}
	if !(r.Threshold >= 0 && r.Threshold <= maxThreshold) || r.LowMemUsageThreshold > maxThreshold {
		fault(fmt.Sprintf("threshold must be from 0 to %d", maxThreshold))
	}
	if r.ControlBehavior == flow.Reject && r.Threshold > 0 && r.Threshold < 1 {
		fault("a threshold below 1 lets no call pass, ever: count over a longer statIntervalInMs, or use throttling")
	}
	if r.ControlBehavior == flow.Throttling && r.Threshold > 0 && r.Threshold < 0.001 {
		fault("threshold must be at least 0.001: count over a longer statIntervalInMs")
	}
	if r.MaxQueueingTimeMs > maxQueueing {
		fault(fmt.Sprintf("maxQueueingTimeMs must be at most %d: no client waits longer", maxQueueing))
	}
	if r.StatIntervalInMs > maxSeconds*1000 {
		fault("statIntervalInMs must be at most a day")
	}
	if r.TokenCalculateStrategy == flow.WarmUp {
		list = append(list, warmUpFaults(r)...)
	}
	if r.RelationStrategy == flow.AssociatedResource {
		list = append(list, resourceFault(r.RefResource)...)
		if r.ControlBehavior != flow.Reject {
			fault("throttling looks at no other resource: use controlBehavior 0 with relationStrategy 1")
		}
		if ms := r.StatIntervalInMs; ms > 10_000 || ms%500 != 0 {
			fault("with relationStrategy 1, statIntervalInMs must be a multiple of 500 up to 10000: Sentinel counts the wrong resource over others")
		}
	}
	return list
}

// warmUpFaults tells of the thresholds for which Sentinel's warm-up never warms
// up, or lets everything pass.
func warmUpFaults(r flow.Rule) (list []string) {
	cold := float64(coldFactor(r))
	if r.ControlBehavior != flow.Reject {
		list = append(list, "warm-up with throttling is not taken: write a warm-up rule and a throttling rule beside each other")
	}
	if r.StatIntervalInMs != 0 && r.StatIntervalInMs != 1000 {
		list = append(list, "warm-up counts by the second: leave statIntervalInMs out")
	}
	if r.WarmUpPeriodSec > maxSeconds {
		list = append(list, "warmUpPeriodSec must be at most a day")
	}
	if r.Threshold < cold {
		list = append(list, fmt.Sprintf("threshold must be at least warmUpColdFactor (%v): else the cold rate is below one call and it never warms up", cold))
	} else if warm := float64(r.WarmUpPeriodSec) * r.Threshold; warm < cold-1 || 2*warm < cold+1 {
		list = append(list, "warmUpPeriodSec is too short for this threshold: Sentinel would let everything pass")
	}
	return list
}

// coldFactor is by how much a cold resource is slower; Sentinel's default is 3.
func coldFactor(r flow.Rule) uint32 { return cmp.Or(r.WarmUpColdFactor, 3) }

func isolationName(r isolation.Rule) string {
	return cmp.Or(r.ID, fmt.Sprintf("isolation %s %d at once", r.Resource, r.Threshold))
}

func isolationFaults(r isolation.Rule) []string {
	list := resourceFault(r.Resource)
	if err := isolation.IsValidRule(&r); err != nil {
		list = append(list, err.Error())
	}
	if r.Threshold > maxThreshold {
		list = append(list, fmt.Sprintf("threshold must be at most %d", maxThreshold))
	}
	return list
}

func hotspotName(r hotspot.Rule) string {
	what := "nothing"
	if i, ok := paramOf(r); ok {
		what = params[i]
	}
	amount := fmt.Sprintf("%d at once", r.Threshold)
	if r.MetricType == hotspot.QPS {
		amount = fmt.Sprintf("%d per %d s", r.Threshold, r.DurationInSec)
	}
	return cmp.Or(r.ID, fmt.Sprintf("hotspot %s %s %s", r.Resource, what, amount))
}

// paramOf is the index of the parameter that a rule means. Like Sentinel's,
// negative ones count from the end.
func paramOf(r hotspot.Rule) (int, bool) {
	if r.ParamKey != "" {
		i := slices.Index(params, r.ParamKey)
		return i, i >= 0
	}
	i := r.ParamIndex
	if i < 0 {
		i += len(params)
	}
	return i, i >= 0 && i < len(params)
}

func hotspotFaults(r hotspot.Rule) []string {
	list := resourceFault(r.Resource)
	fault := func(text string) { list = append(list, text) }
	if err := hotspot.IsValidRule(&r); err != nil {
		fault(err.Error())
	}
	if r.MetricType > hotspot.QPS {
		fault("metricType must be 0 (concurrency) or 1 (QPS)")
	}
	if r.ControlBehavior > hotspot.Throttling {
		fault("controlBehavior must be 0 (reject) or 1 (throttling)")
	}
	if _, ok := paramOf(r); !ok || r.ParamKey != "" && r.ParamIndex < 0 {
		fault("paramKey must be tenant, key or session, or else paramIndex 0, 1 or 2 in this order")
	}
	if max(r.Threshold, r.BurstCount) > maxThreshold || r.DurationInSec > maxSeconds {
		fault(fmt.Sprintf("threshold and burstCount must be at most %d, durationInSec at most a day", maxThreshold))
	}
	if r.ParamsMaxCapacity < 0 || r.ParamsMaxCapacity > maxCapacity {
		fault(fmt.Sprintf("paramsMaxCapacity must be from 0 to %d", maxCapacity))
	}
	if r.MaxQueueingTimeMs > maxQueueing {
		fault(fmt.Sprintf("maxQueueingTimeMs must be at most %d: no client waits longer", maxQueueing))
	}
	if r.MetricType == hotspot.Concurrency && r.Threshold == 0 {
		fault("a concurrency of 0 lets the first call pass: use QPS 0 to refuse all")
	}
	for value, n := range r.SpecificItems {
		if s, ok := value.(string); !ok || s == "" {
			fault(fmt.Sprintf("specificItems: %v is no value of a parameter: give a string", value))
		}
		if n < 0 || n > maxThreshold || n == 0 && r.MetricType == hotspot.Concurrency {
			fault(fmt.Sprintf("specificItems: the threshold %d of %v is out of range", n, value))
		}
	}
	slices.Sort(list) // the items of a map come in any order
	return list
}

func systemName(r system.Rule) string {
	return cmp.Or(r.ID, fmt.Sprintf("system %s %s", r.MetricType, number(r.TriggerCount)))
}

func systemFaults(r system.Rule) []string {
	var list []string
	fault := func(text string) { list = append(list, text) }
	if err := system.IsValidSystemRule(&r); err != nil {
		fault(err.Error())
	}
	if !(r.TriggerCount > 0 && r.TriggerCount <= maxThreshold) {
		fault(fmt.Sprintf("triggerCount must be above 0 and at most %d", maxThreshold))
	}
	if r.Strategy != system.NoAdaptive && r.Strategy != 0 && r.Strategy != system.BBR {
		fault("strategy must be -1 or 0 (none), or 1 (adaptive)")
	}
	switch r.MetricType {
	case system.AvgRT:
		fault("avgRT is the length of streams, not a sign of load: use a slow-ratio rule in circuitbreaker.json, which looks at the first token")
	case system.Load:
		if _, err := readLoad(); err != nil {
			fault("the load of this machine is not known: " + err.Error())
		}
	case system.CpuUsage:
		if _, err := readCPU(); err != nil {
			fault("the CPU time of this process is not known: " + err.Error())
		}
	}
	return list
}

// The keys say what a rule does, without its name. A rule that keeps its key
// over a reload keeps its counts.

func flowKey(r flow.Rule) string {
	r.ID, r.Threshold = "", rounded(r.Threshold)
	return fmt.Sprintf("flow %+v", r)
}

func isolationKey(r isolation.Rule) string {
	r.ID = ""
	return fmt.Sprintf("isolation %+v", r)
}

func hotspotKey(r hotspot.Rule) string {
	param, _ := paramOf(r)
	r.ID, r.ParamKey, r.ParamIndex = "", "", param
	return fmt.Sprintf("hotspot %+v", r)
}

func systemKey(r system.Rule) string {
	r.ID = ""
	return fmt.Sprintf("system %+v", r)
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
