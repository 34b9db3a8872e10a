package weir

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/weir-gateway/weir/call"
)

// metrics turns events and reports into Prometheus metrics. All label values
// come from closed sets, from the operator or from the upstream, never from
// callers; docs/operations/metrics.md lists them.
type metrics struct {
	registry *prometheus.Registry
	groups   *groupNames

	requests *prometheus.CounterVec
	wait     [call.NumClasses]prometheus.Observer
	took     [call.NumClasses]prometheus.Observer
	first    *prometheus.HistogramVec
	attempts *prometheus.CounterVec
	degraded *prometheus.CounterVec
	retries  prometheus.Counter
	hedges   prometheus.Counter

	input, cacheWrite, cacheRead, output prometheus.Counter // tokens
	cost                                 prometheus.Counter

	marked, freed, saved, premium prometheus.Counter // by the gateway's own marks for the prompt cache
}

// Bounds of the histograms, in seconds.
var (
	waitBounds  = []float64{0.001, 0.01, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600}
	firstBounds = []float64{0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300}
	tookBounds  = []float64{0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800}
)

func newMetrics(g *Gateway) *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), groups: newGroupNames()}
	m.requests = m.counters("weir_requests_total", "Finished calls; of one that is answered in parts, each part.", "class", "outcome", "reason")
	m.attempts = m.counters("weir_upstream_attempts_total", "Requests sent to the upstream, by what came of them.", "kind")
	m.degraded = m.counters("weir_degraded_total", "Calls that were made simpler than they came.", "rung")
	m.retries = m.counters("weir_retries_total", "Requests sent again after one that failed.").WithLabelValues()
	m.hedges = m.counters("weir_hedges_total", "Requests sent a second time because the first was slow.").WithLabelValues()
	tokens := m.counters("weir_tokens_total", "Tokens used, as the upstream counts them.", "kind")
	m.input, m.cacheWrite = tokens.WithLabelValues("input"), tokens.WithLabelValues("cache_write")
	m.cost = m.counters("weir_cost_usd_total", "What the calls cost, by list prices.").WithLabelValues()
	m.marked = m.counters("weir_prompt_cache_marked_total", "Finished calls that Weir has put marks for the prompt cache into.").WithLabelValues()
	m.freed = m.counters("weir_prompt_cache_freed_tokens_total", "Input that calls with Weir's marks have read from the prompt cache: most limits do not count it.").WithLabelValues()
	m.saved = m.counters("weir_prompt_cache_saved_usd_total", "How much less that cost than plain input, by list prices.").WithLabelValues()
	m.premium = m.counters("weir_prompt_cache_premium_usd_total", "How much more than plain input it cost calls with Weir's marks to write to the prompt cache.").WithLabelValues()
	m.cacheRead, m.output = tokens.WithLabelValues("cache_read"), tokens.WithLabelValues("output")
	m.first = m.histogram("weir_first_token_seconds", "Time from the last wait to the first content, of answered calls.", "group", firstBounds)
	wait := m.histogram("weir_wait_seconds", "Time from arrival to the first attempt, or to giving up; without hits of the cache.", "class", waitBounds)
	took := m.histogram("weir_request_seconds", "Time from arrival to the end of the answer, of answered calls; without hits of the cache.", "class", tookBounds)
	for c := range call.Class(call.NumClasses) { // a series that is there from the start has a rate from the first call on
		m.wait[c], m.took[c] = wait.WithLabelValues(c.String()), took.WithLabelValues(c.String())
		m.requests.WithLabelValues(c.String(), "ok", "")
	}
	for kind := call.OK; kind <= call.Unreachable; kind++ {
		m.attempts.WithLabelValues(kind.String())
	}
	m.registry.MustRegister(&reports{g: g, groups: m.groups}, cacheMetrics{g},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector())
	return m
}

func (m *metrics) counters(name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

func (m *metrics) histogram(name, help, label string, bounds []float64) *prometheus.HistogramVec {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: bounds}, []string{label})
	m.registry.MustRegister(v)
	return v
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Event implements [call.Observer].
func (m *metrics) Event(e call.Event) {
	if e.Parts > 0 { // it counts by its parts, but for what was sent of it as a whole
		e.Attempts = 0
		m.sent(e)
		return
	}
	m.requests.WithLabelValues(e.Class.String(), e.Outcome, e.Reason).Inc()
	if e.Endpoint != call.Messages {
		return
	}
	for _, rung := range e.Degraded.Rungs() {
		m.degraded.WithLabelValues(rung).Inc()
	}
	if e.Cached == call.CacheHit {
		return // it says nothing of how long the others wait
	}
	m.wait[e.Class].Observe(e.Waited.Seconds())
	m.sent(e)
	if e.Outcome == "ok" {
		m.took[e.Class].Observe(e.Took.Seconds())
		group := m.groups.answered(e.Model)
		if e.FirstIn > 0 {
			m.first.WithLabelValues(group).Observe(firstToken(e))
		}
	}
	m.input.Add(float64(e.Usage.Input))
	m.cacheWrite.Add(float64(e.Usage.CacheWrite))
	m.cacheRead.Add(float64(e.Usage.CacheRead))
	m.output.Add(float64(e.Usage.Output))
	cost := e.Cost
	for _, a := range e.Story {
		cost += a.Cost
	}
	m.cost.Add(float64(cost) / float64(call.Dollar))
	if e.Prompt.Marks > 0 {
		m.marked.Inc()
		m.freed.Add(float64(e.Usage.CacheRead))
		m.saved.Add(float64(e.Prompt.Saved) / float64(call.Dollar))
		m.premium.Add(float64(e.Prompt.Premium) / float64(call.Dollar))
	}
}

// sent counts the attempts of a call by its story, which may have lost some of
// its middle.
func (m *metrics) sent(e call.Event) {
	told := 0
	for _, a := range e.Story {
		if sentKinds[a.Kind] {
			m.attempts.WithLabelValues(a.Kind).Inc()
			told++
		}
	}
	if lost := e.Attempts - told; lost > 0 {
		m.attempts.WithLabelValues("unknown").Add(float64(lost))
	}
	m.hedges.Add(float64(e.Hedges))
	m.retries.Add(float64(max(0, e.Attempts-1-e.Hedges)))
}

// sentKinds are the kinds of the chapters that tell of a request sent; other
// chapters tell of a wait that led to nothing.
var sentKinds = func() map[string]bool {
	kinds := map[string]bool{}
	for kind := call.OK; kind <= call.Unreachable; kind++ {
		kinds[kind.String()] = true
	}
	return kinds
}()

// firstToken is how long the upstream took to begin: without the waiting that
// the gateway caused, where the story tells when the last attempt was sent.
func firstToken(e call.Event) float64 {
	begun := e.At.Add(-e.Took)
	if n := len(e.Story); n > 0 && e.Story[n-1].At.After(begun) {
		return max(0, (e.FirstIn - e.Story[n-1].At.Sub(begun)).Seconds())
	}
	return max(0, (e.FirstIn - e.Waited).Seconds())
}
