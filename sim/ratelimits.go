package sim

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// adminPrefix begins the keys of the Admin API. What follows it may name the
// organization: sk-ant-admin01-acme.
const adminPrefix = "sk-ant-admin"

// rateLimit is one entry of the Rate Limits API, in the words of both API
// versions (Anthropic docs, rate limits API).
type rateLimit struct {
	Type      string      `json:"type"`
	ID        string      `json:"id,omitempty"`
	Group     *limitGroup `json:"group,omitempty"`
	GroupType string      `json:"group_type,omitempty"` // until 2023-06-01
	Models    []string    `json:"models"`
	Limits    []limitOf   `json:"limits"`
}

type limitGroup struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Name string `json:"display_name"`
}

type limitOf struct {
	Type     string `json:"type"`
	Value    int64  `json:"value"`
	OrgLimit *int64 `json:"org_limit,omitempty"` // of a workspace's override
}

// serveAdmin answers a request to the Admin API, and reports whether it was
// one. There is GET /v1/organizations/rate_limits, the overrides of a
// workspace at /v1/organizations/workspaces/{id}/rate_limits, and the reports of
// usage and cost.
func (x *exchange) serveAdmin() bool {
	path, ok := strings.CutPrefix(x.r.URL.Path, "/v1/organizations/")
	if !ok {
		return false
	}
	key := x.r.Header.Get("X-Api-Key")
	org := x.directory.administered(key)
	if org == nil {
		x.fail(standard(http.StatusUnauthorized))
		return true
	}
	x.key, x.version = key, x.r.Header.Get("Anthropic-Version")
	x.who = owner{org, &workspace{}}
	if x.r.Method == http.MethodGet && x.serveReport(path) {
		return true
	}
	id, override := strings.CutPrefix(path, "workspaces/")
	id, override = strings.TrimSuffix(id, "/rate_limits"), override && strings.HasSuffix(id, "/rate_limits")
	at := slices.IndexFunc(org.workspaces, func(w *workspace) bool { return w.id == id })
	switch {
	case x.r.Method != http.MethodGet, path != "rate_limits" && !override, override && at < 0:
		x.fail(notFound("Not found"))
	case override:
		x.replyPage(org.overrides(x, org.workspaces[at]))
	default:
		x.replyPage(org.rateLimits(x))
	}
	return true
}

// administered is the organization of an admin key: the one that lists it,
// that it names, or the first.
func (d *directory) administered(key string) *organization {
	if o, ok := d.keys[key]; ok && strings.HasPrefix(key, adminPrefix) {
		return o.organization
	}
	rest, ok := strings.CutPrefix(key, adminPrefix)
	if !ok || strings.Contains(key, "invalid") {
		return nil
	}
	for _, o := range d.organizations {
		if strings.HasSuffix(rest, "-"+o.name) {
			return o
		}
	}
	return d.organizations[0]
}

// replyPage sends the part of the list that the query asks for. The token of
// the next page is its first place in the list.
func (x *exchange) replyPage(all []rateLimit) {
	query := x.r.URL.Query()
	if m := query.Get("model"); m != "" {
		all = slices.DeleteFunc(all, func(l rateLimit) bool { return !slices.Contains(l.Models, m) })
		if len(all) == 0 {
			x.fail(notFound("model: " + m))
			return
		}
	}
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || limit < 1 || limit > 1000 {
		limit = 20
	}
	from, _ := strconv.Atoi(strings.TrimPrefix(query.Get("page"), "page_")) // none: the first
	from = min(max(from, 0), len(all))
	to := min(from+limit, len(all))
	var next *string
	if to < len(all) {
		next = new("page_" + strconv.Itoa(to))
	}
	body, err := json.Marshal(map[string]any{"data": all[from:to], "next_page": next})
	if err != nil {
		x.fail(standard(500)) // never: they are strings and numbers
		return
	}
	delete(x.headers(true), "Anthropic-Workspace-Id") // an admin key is in none
	x.send(http.StatusOK, body)
}

// groups are the models of each model group that can be asked.
func (x *exchange) groups() map[string][]*model {
	groups := map[string][]*model{}
	for _, m := range x.catalog.Models {
		if m.Lifecycle != "retired" || x.who.organization.rules.ServeRetired {
			groups[m.Group] = append(groups[m.Group], m)
		}
	}
	return groups
}

// rateLimits lists the organization's limits as they are now.
func (o *organization) rateLimits(x *exchange) []rateLimit {
	now := x.clock.now()
	groups := x.groups()
	list := []rateLimit{}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		base := o.quota.GroupLimits[name].or(o.quota.Limits).or(o.tier.limits(name)).of()
		for l := range base {
			base[l] = o.quota.plan(name, l).latest(now, base[l])
		}
		if o.rules.NoRequestLimit {
			base[requests] = 0
		}
		list = append(list, x.entry(name, groups[name], base, groups[name][0].CacheReadsCount))
	}
	return append(list, x.counting(o), x.batching(o))
}

// batching is the pool of Message Batches.
func (x *exchange) batching(o *organization) rateLimit {
	l := rateLimit{Type: "rate_limit", Limits: []limitOf{
		{Type: "requests_per_minute", Value: o.tier.Batches}, {Type: "enqueued_batch_requests", Value: o.tier.QueuedBatchRequests},
	}}
	l.name(x.version, "batch", "batch")
	return l
}

// counting is the pool of count_tokens.
func (x *exchange) counting(o *organization) rateLimit {
	l := rateLimit{Type: "rate_limit", Models: nil, Limits: []limitOf{{Type: "requests_per_minute", Value: o.tier.CountTokens}}}
	l.name(x.version, "token_count", "token_count")
	return l
}

// overrides lists the limits that a workspace has of its own.
func (o *organization) overrides(x *exchange, w *workspace) []rateLimit {
	list := []rateLimit{}
	if w.limits == (Limits{}) {
		return list
	}
	groups := x.groups()
	for _, l := range o.rateLimits(x) {
		name := l.group()
		if models, ok := groups[name]; ok {
			own := x.entry(name, models, w.limits.of(), w.reads || models[0].CacheReadsCount)
			for i := range own.Limits {
				own.Limits[i].OrgLimit = new(l.valueOf(own.Limits[i].Type))
			}
			list = append(list, own)
		}
	}
	return list
}

// group is the simulator's name of the entry's model group.
func (l *rateLimit) group() string { return strings.TrimPrefix(l.ID, "rlg_") }

// valueOf is the organization's limit of one type, cache-aware or not.
func (l *rateLimit) valueOf(kind string) int64 {
	for _, limit := range l.Limits {
		if strings.TrimSuffix(limit.Type, "_cache_aware") == strings.TrimSuffix(kind, "_cache_aware") {
			return limit.Value
		}
	}
	return 0
}

// entry words the limits of one model group.
func (x *exchange) entry(name string, models []*model, limits [numLimiters]float64, reads bool) rateLimit {
	l := rateLimit{Type: "rate_limit", Limits: []limitOf{}}
	l.name(x.version, "model_group", name)
	for _, m := range models {
		l.Models = append(append(l.Models, m.ID), m.Aliases...)
	}
	kinds := [numLimiters]string{"requests_per_minute", "input_tokens_per_minute_cache_aware", "output_tokens_per_minute"}
	if reads {
		kinds[input] = "input_tokens_per_minute"
	}
	for i, kind := range kinds {
		if limits[i] > 0 {
			l.Limits = append(l.Limits, limitOf{Type: kind, Value: int64(limits[i])})
		}
	}
	return l
}

// name says what the entry is for. The version of 2023 has group_type alone.
func (l *rateLimit) name(version, kind, name string) {
	l.ID = "rlg_" + name
	if version == version2026 {
		l.Group = &limitGroup{Type: kind, ID: l.ID, Name: name}
	} else {
		l.GroupType = kind
	}
}
