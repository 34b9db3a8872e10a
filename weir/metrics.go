package weir

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/breaker"
)

// metrics turns events and reports into Prometheus metrics. All label values
// come from closed sets or from the upstream, never from callers.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	wait     [call.NumClasses]prometheus.Observer
	attempts prometheus.Counter

	input, cacheWrite, cacheRead, output prometheus.Counter // tokens
	cost                                 prometheus.Counter
}

func newMetrics(g *Gateway) *metrics {
	wait := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "weir_wait_seconds", Help: "Time from arrival to the first attempt.",
		Buckets: []float64{0.001, 0.01, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600},
	}, []string{"class"})
	tokens := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "weir_tokens_total", Help: "Tokens used, as the upstream counts them.",
	}, []string{"kind"})
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_requests_total", Help: "Finished calls by class and outcome.",
		}, []string{"class", "outcome", "reason"}),
		attempts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "weir_upstream_attempts_total", Help: "Requests sent to the upstream, retries included.",
		}),
		cost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "weir_cost_usd_total", Help: "What the calls cost, by list prices.",
		}),
		input:      tokens.WithLabelValues("input"),
		cacheWrite: tokens.WithLabelValues("cache_write"),
		cacheRead:  tokens.WithLabelValues("cache_read"),
		output:     tokens.WithLabelValues("output"),
	}
	for c := range m.wait {
		m.wait[c] = wait.WithLabelValues(call.Class(c).String())
	}
	m.registry.MustRegister(m.requests, wait, m.attempts, tokens, m.cost, &reports{g: g},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Event implements [call.Observer].
func (m *metrics) Event(e call.Event) {
	m.requests.WithLabelValues(e.Class.String(), e.Outcome, e.Reason).Inc()
	if e.Endpoint != call.Messages {
		return
	}
	m.wait[e.Class].Observe(e.Waited.Seconds())
	m.attempts.Add(float64(e.Attempts))
	m.input.Add(float64(e.Usage.Input))
	m.cacheWrite.Add(float64(e.Usage.CacheWrite))
	m.cacheRead.Add(float64(e.Usage.CacheRead))
	m.output.Add(float64(e.Usage.Output))
	m.cost.Add(float64(e.Cost) / float64(call.Dollar))
}

// reports collects at scrape time what the quota and queue reports say.
type reports struct{ g *Gateway }

var bucketLabels = []string{"organization", "group", "limiter"}

// The descriptions of what reports collects.
var (
	descLimit     = prometheus.NewDesc("weir_quota_limit", "The limit per minute, also the bucket's capacity.", bucketLabels, nil)
	descRemaining = prometheus.NewDesc("weir_quota_remaining", "The believed level of the bucket.", bucketLabels, nil)
	descWaiting   = prometheus.NewDesc("weir_queue_waiting", "Calls that wait.", []string{"organization", "group"}, nil)
	descInFlight  = prometheus.NewDesc("weir_in_flight", "Calls under way to the upstream.", []string{"organization", "group"}, nil)
	descSurprises = prometheus.NewDesc("weir_upstream_429_total", "429s that the quota model did not foresee: defects of the model.", nil, nil)
	descBlocked   = prometheus.NewDesc("weir_key_blocked", "1 while a key or its organization cannot pay.", []string{"name"}, nil)
	descBreaker   = prometheus.NewDesc("weir_breaker_state", "0 closed, 1 half-open, 2 open; only of what has ever opened.", []string{"scope"}, nil)
	descChanges   = prometheus.NewDesc("weir_breaker_changes_total", "How often the breaker went to that state.", []string{"scope", "to"}, nil)
	descWarnings  = prometheus.NewDesc("weir_warnings", "Active warnings.", []string{"kind", "level"}, nil)
	descWebhooks  = prometheus.NewDesc("weir_webhook_total", "Messages to webhooks by outcome.", []string{"hook", "outcome"}, nil)
	descRefused   = prometheus.NewDesc("weir_rule_refused_total", "Calls that a rule of protection has refused since it was loaded.", []string{"rule", "kind"}, nil)
)

// Describe implements [prometheus.Collector].
func (r *reports) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descLimit, descRemaining, descWaiting, descInFlight, descSurprises, descBlocked, descBreaker, descChanges, descRefused, descWarnings, descWebhooks} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (r *reports) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	quota := r.g.Quota()
	for _, b := range quota.Buckets {
		gauge(descLimit, float64(b.Limit), b.Organization, b.Group, b.Limiter)
		gauge(descRemaining, float64(b.Remaining), b.Organization, b.Group, b.Limiter)
	}
	for _, k := range quota.Keys {
		blocked := 0.0
		if k.State == "blocked" {
			blocked = 1
		}
		gauge(descBlocked, blocked, k.Name)
	}
	for _, b := range r.g.guard.report() {
		gauge(descBreaker, float64(b.State), b.Scope)
		for to, n := range b.Changes {
			ch <- prometheus.MustNewConstMetric(descChanges, prometheus.CounterValue, float64(n), b.Scope, breaker.State(to).String())
		}
	}
	r.rules(ch)
	r.warnings(ch)
	for _, l := range r.g.Queue().Lanes {
		gauge(descWaiting, float64(l.Waiting), l.Organization, l.Group)
		gauge(descInFlight, float64(l.InFlight), l.Organization, l.Group)
	}
	ch <- prometheus.MustNewConstMetric(descSurprises, prometheus.CounterValue, float64(r.g.admission.Surprises()))
}

// rules tells what the rules of protection have refused. Several may bear one
// name, for different resources; a metric may appear only once.
func (r *reports) rules(ch chan<- prometheus.Metric) {
	if r.g.protector == nil {
		return
	}
	type key struct{ rule, kind string }
	refused := map[key]uint64{}
	for _, rule := range r.g.protector.Report() {
		refused[key{rule.Rule, rule.Kind}] += rule.Refused
	}
	for k, n := range refused {
		ch <- prometheus.MustNewConstMetric(descRefused, prometheus.CounterValue, float64(n), k.rule, k.kind)
	}
}
