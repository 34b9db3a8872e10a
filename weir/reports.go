package weir

import (
	"context"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/breaker"
)

// reports collects at scrape time what the gateway's reports say.
type reports struct {
	g      *Gateway
	groups *groupNames
}

var (
	bucketLabels = []string{"organization", "workspace", "group", "limiter"}
	laneLabels   = []string{"organization", "group"}
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// The descriptions of what reports collects.
var (
	descReady          = desc("weir_ready", "1 while the gateway takes calls, 0 while it drains.")
	descLimit          = desc("weir_quota_limit", "The limit per minute, also the bucket's capacity.", bucketLabels...)
	descRemaining      = desc("weir_quota_remaining", "The believed level of the bucket; negative while in debt.", bucketLabels...)
	descLow            = desc("weir_quota_low", "The lower end of the belief.", bucketLabels...)
	descHigh           = desc("weir_quota_high", "The upper end of the belief.", bucketLabels...)
	descReserved       = desc("weir_quota_reserved", "Promised to calls that are not settled yet.", bucketLabels...)
	descHeadroom       = desc("weir_quota_headroom_ratio", "The believed share left, from 0 to 1.", bucketLabels...)
	descWaiting        = desc("weir_queue_waiting", "Calls that wait.", "organization", "group", "class")
	descOldest         = desc("weir_queue_oldest_seconds", "How long the one that waits longest has waited.", laneLabels...)
	descBytes          = desc("weir_queue_bytes", "Bodies of waiting calls, held in memory.")
	descInFlight       = desc("weir_in_flight", "Calls under way to the upstream.", laneLabels...)
	descSurprises      = desc("weir_upstream_429_total", "429s that the quota model did not foresee: defects of the model.")
	descBlocked        = desc("weir_key_blocked", "1 while a key or its organization cannot pay.", "name")
	descBreaker        = desc("weir_breaker_state", "0 closed, 1 half-open, 2 open; only of what has ever opened.", "scope")
	descChanges        = desc("weir_breaker_changes_total", "How often the breaker went to that state.", "scope", "to")
	descWarnings       = desc("weir_warnings", "Active warnings.", "kind", "level")
	descWebhooks       = desc("weir_webhook_total", "Messages to webhooks, by what came of them.", "hook", "outcome")
	descBooked         = desc("weir_ledger_records_total", "Attempts that were written down: booked in the journal, carried into the store, or lost.", "fate")
	descJournal        = desc("weir_ledger_journal_bytes", "What the ledger's store has not taken yet.")
	descBehind         = desc("weir_ledger_behind_seconds", "Age of the oldest record that the ledger's store lacks.")
	descApart          = desc("weir_ledger_difference_usd", "What the upstream's reports charge for the latest whole day more than the ledger has booked; and, of all models, whichever way they differ.", "of")
	descCollected      = desc("weir_collected_requests", "Calls that were taken for Message Batches, by how far they are.", "state")
	descBatches        = desc("weir_collected_batches", "Message Batches of the gateway's own that have not ended.")
	descRefused        = desc("weir_rule_refused_total", "Calls that a rule of protection has refused since it was loaded.", "rule", "kind")
	descBudgetLimit    = desc("weir_budget_limit_usd", "The limit of a budget, for each period.", "budget")
	descBudgetSpent    = desc("weir_budget_spent_usd", "What is spent of it in this period; of the tenant, token or model that has used most, where each has its own.", "budget")
	descBudgetReserved = desc("weir_budget_reserved_usd", "What is set aside of the same for calls under way, at their worst.", "budget")
	descBudgetUsed     = desc("weir_budget_used_ratio", "What is spent of the limit, from 0.", "budget")
	descLevel          = desc("weir_degrade_level", "Rungs of the degradation ladder that are in force for calls of the class; of a dry run, that would be.", "class")
	descInForce        = desc("weir_degrade_in_force", "For how many classes and models, and tenants where it looks at that, a rung is in force; of a dry run, would be.", "rung")
	descSteps          = desc("weir_degrade_changes_total", "How often a rung came into force or went out of it, for one class and model, and tenant where it looks at that.", "rung")
	descWould          = desc("weir_degrade_dry_run_total", "Calls that a rung would have made simpler, were it no dry run.", "rung")
	descLadderFaults   = desc("weir_degrade_faults_total", "Evaluations of a rung's conditions that failed: it stayed as it was.")
	descBudgetRefused  = desc("weir_budget_refused_total", "Calls that were refused because a budget had not enough left for them.", "budget")
)

// Describe implements [prometheus.Collector].
func (r *reports) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descReady, descLimit, descRemaining, descLow, descHigh, descReserved, descHeadroom, descWaiting,
		descOldest, descBytes, descInFlight, descSurprises, descBlocked, descBreaker, descChanges, descWarnings,
		descWebhooks, descRefused, descBudgetLimit, descBudgetSpent, descBudgetReserved, descBudgetUsed, descBudgetRefused,
		descBooked, descJournal, descBehind,
		descApart, descLevel, descInForce, descSteps, descWould, descLadderFaults,
		descCollected, descBatches,
	} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (r *reports) Collect(ch chan<- prometheus.Metric) {
	s := sheet{}
	if r.g.Ready() == nil {
		s.set(descReady, 1)
	} else {
		s.set(descReady, 0)
	}
	quota := r.g.Quota()
	known := s.buckets(quota.Buckets)
	for _, k := range quota.Keys {
		blocked := 0.0
		if k.State == "blocked" {
			blocked = 1
		}
		s.most(descBlocked, blocked, k.Name)
	}
	s.queue(r.g.Queue(), known)
	r.protection(s)
	r.warnings(s)
	r.collected(s)
	r.budgets(s)
	r.ladder(s)
	s.add(descSurprises, float64(r.g.admission.Surprises()))
	r.ledger(s)
	s.send(ch)
}

// protection tells of breakers and rules. Several may bear one name: models of
// one group, rules for different resources.
func (r *reports) protection(s sheet) {
	for _, b := range r.g.guard.report() {
		scope := r.groups.scope(b.Scope)
		s.most(descBreaker, float64(b.State), scope)
		for to, n := range b.Changes {
			s.add(descChanges, float64(n), scope, breaker.State(to).String())
		}
	}
	if r.g.protector == nil {
		return
	}
	for _, rule := range r.g.protector.Report() {
		s.add(descRefused, float64(rule.Refused), rule.Rule, rule.Kind)
	}
}

// ledger tells whether it is written down what calls cost.
func (r *reports) ledger(s sheet) {
	if r.g.ledger == nil {
		return
	}
	l := r.g.ledger.Report()
	s.set(descBooked, float64(l.Booked), "booked")
	s.set(descBooked, float64(l.Carried), "carried")
	s.set(descBooked, float64(l.Lost), "lost")
	s.set(descJournal, float64(l.JournalBytes))
	s.set(descBehind, l.Behind.Seconds())
	if l.Checked {
		s.set(descApart, float64(l.Difference)/float64(call.Dollar), "sum")
		s.set(descApart, float64(l.Apart)/float64(call.Dollar), "models")
	}
}

// collected tells of the calls that wait for batches.
func (r *reports) collected(s sheet) {
	if r.g.collector == nil {
		return
	}
	c, err := r.g.collector.Report(context.Background())
	if err != nil {
		return // a scrape without them
	}
	s.set(descCollected, float64(c.Waiting), "waiting")
	s.set(descCollected, float64(c.Queued), "queued")
	s.set(descCollected, float64(c.Ready), "ready")
	s.set(descBatches, float64(c.Batches))
}

// lane names what the upstream keeps buckets for.
type lane struct{ organization, group string }

// maxPools bounds the lanes that metrics tell apart.
const maxPools = 512

// buckets puts down the belief, and returns the lanes that have one: these are
// named by the upstream's answers, others by whoever sends requests.
func (s sheet) buckets(list []call.BucketReport) map[lane]bool {
	known := map[lane]bool{}
	for _, b := range list {
		at := lane{b.Organization, b.Group}
		if !known[at] && len(known) >= maxPools {
			continue
		}
		known[at] = true
		labels := []string{b.Organization, b.Workspace, b.Group, b.Limiter}
		s.set(descLimit, float64(b.Limit), labels...)
		s.set(descRemaining, float64(b.Remaining), labels...)
		s.set(descLow, float64(b.Low), labels...)
		s.set(descHigh, float64(b.High), labels...)
		s.set(descReserved, float64(b.Reserved), labels...)
		if b.Limit > 0 {
			s.set(descHeadroom, min(max(float64(b.Remaining)/float64(b.Limit), 0), 1), labels...)
		}
	}
	return known
}

// queue puts down who waits. What no answer has confirmed yet is one lane.
func (s sheet) queue(q call.QueueReport, known map[lane]bool) {
	s.set(descBytes, float64(q.Bytes))
	for _, l := range q.Lanes {
		at := lane{l.Organization, l.Group}
		if !known[at] {
			at = lane{"", otherGroup}
		}
		for c := range call.Class(call.NumClasses) {
			s.add(descWaiting, float64(l.ByClass[c.String()]), at.organization, at.group, c.String())
		}
		s.most(descOldest, l.OldestWait, at.organization, at.group)
		s.add(descInFlight, float64(l.InFlight), at.organization, at.group)
	}
}

// sheet holds the values of one scrape, each once: a metric that appears twice
// would spoil the whole page.
type sheet map[*prometheus.Desc]map[string]*cell

type cell struct {
	labels []string
	value  float64
}

func (s sheet) cell(d *prometheus.Desc, labels []string) *cell {
	for i, l := range labels {
		labels[i] = strings.ToValidUTF8(l, "?") // the upstream's headers may hold anything
	}
	if s[d] == nil {
		s[d] = map[string]*cell{}
	}
	key := strings.Join(labels, "\x00")
	if s[d][key] == nil {
		s[d][key] = &cell{labels: labels}
	}
	return s[d][key]
}

func (s sheet) set(d *prometheus.Desc, v float64, labels ...string) { s.cell(d, labels).value = v }

func (s sheet) add(d *prometheus.Desc, v float64, labels ...string) { s.cell(d, labels).value += v }

func (s sheet) most(d *prometheus.Desc, v float64, labels ...string) {
	c := s.cell(d, labels)
	c.value = max(c.value, v)
}

func (s sheet) send(ch chan<- prometheus.Metric) {
	for d, cells := range s {
		kind := prometheus.GaugeValue
		switch d {
		case descSurprises, descChanges, descRefused, descWebhooks, descBooked, descBudgetRefused, descSteps, descWould, descLadderFaults:
			kind = prometheus.CounterValue
		}
		for _, c := range cells {
			ch <- prometheus.MustNewConstMetric(d, kind, c.value, c.labels...)
		}
	}
}
