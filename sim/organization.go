package sim

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// organization is one customer with its buckets.
type organization struct {
	id         string
	name       string
	quota      Quota
	rules      Rules
	tier       tier
	workspaces []*workspace
	bill       bill

	// Guarded by mu.
	mu       sync.Mutex
	pools    map[string]*pool // by model group
	overlays map[string]*pool // by workspace id and model group
	counting *bucket          // requests of count_tokens
	batching *bucket          // requests to the batches' endpoints
	running  int
}

// workspace is where a key belongs.
type workspace struct {
	id     string
	name   string
	limits Limits
	reads  bool
}

// newOrganization settles what is said about o, by the configuration first,
// then by o itself, then by the scenario as a whole.
func newOrganization(c Config, o Organization, tiers map[string]tier) *organization {
	q := o.Quota.over(c.Scenario.Quota)
	q.Tier = cmp.Or(c.Tier, q.Tier, "start")
	q.Limits = c.Limits.or(q.Limits)
	q.StartFill = cmp.Or(c.StartFill, q.StartFill, new(1.0))
	q.Rules = cmp.Or(c.Rules, q.Rules, &Rules{})
	org := &organization{
		id: cmp.Or(o.ID, uuidOf(o.Name)), name: o.Name,
		quota: q, rules: *q.Rules, tier: tiers[q.Tier],
		pools: map[string]*pool{}, overlays: map[string]*pool{},
	}
	org.rules.EstimateError = max(0, cmp.Or(org.rules.EstimateError, 0.05))
	org.counting = newBucket(float64(org.tier.CountTokens), 60, 1, 0, plan{})
	org.batching = newBucket(float64(org.tier.Batches), 60, 1, 0, plan{})
	org.workspaces = []*workspace{{id: wordID("wrkspc_01", o.Name+"/default"), name: "default"}}
	for _, w := range o.Workspaces {
		org.workspaces = append(org.workspaces, &workspace{
			id:   cmp.Or(w.ID, wordID("wrkspc_01", o.Name+"/"+w.Name)),
			name: w.Name, limits: w.Limits, reads: w.CountCacheReads,
		})
	}
	return org
}

// over returns q with its gaps filled from base.
func (q Quota) over(base Quota) Quota {
	q.Tier = cmp.Or(q.Tier, base.Tier)
	q.Limits = q.Limits.or(base.Limits)
	groups := maps.Clone(base.GroupLimits)
	for g, l := range q.GroupLimits {
		if groups == nil {
			groups = map[string]Limits{}
		}
		groups[g] = l.or(groups[g])
	}
	q.GroupLimits = groups
	q.StartFill = cmp.Or(q.StartFill, base.StartFill)
	q.Rules = cmp.Or(q.Rules, base.Rules)
	if q.Others == nil {
		q.Others = base.Others
	}
	if q.Changes == nil {
		q.Changes = base.Changes
	}
	return q
}

// pool returns the buckets of a model group.
func (o *organization) pool(now instant, m *model) *pool {
	p, ok := o.pools[m.Group]
	if !ok {
		limits := o.quota.GroupLimits[m.Group].or(o.quota.Limits).or(o.tier.limits(m.Group))
		p = newPool(now, o, nil, m.Group, limits.of())
		p.reads = m.CacheReadsCount
		o.pools[m.Group] = p
	}
	return p
}

// overlay returns the workspace's own buckets of a model group, or nil if it
// has none.
func (o *organization) overlay(now instant, w *workspace, m *model) *pool {
	if w.limits == (Limits{}) {
		return nil
	}
	key := w.id + "/" + m.Group
	p, ok := o.overlays[key]
	if !ok {
		p = newPool(now, o, w, m.Group, w.limits.of())
		p.reads = w.reads || m.CacheReadsCount
		o.overlays[key] = p
	}
	return p
}

// all returns every pool, in a fixed order.
func (o *organization) all() []*pool {
	var list []*pool
	for _, key := range slices.Sorted(maps.Keys(o.pools)) {
		list = append(list, o.pools[key])
	}
	for _, key := range slices.Sorted(maps.Keys(o.overlays)) {
		list = append(list, o.overlays[key])
	}
	return list
}

// directory finds the owner of a key.
type directory struct {
	organizations []*organization
	keys          map[string]owner
	open          *organization // takes every other key; may be nil
}

type owner struct {
	organization *organization
	workspace    *workspace
}

func newDirectory(c Config, tiers map[string]tier) *directory {
	d := &directory{keys: map[string]owner{}}
	for _, o := range c.Scenario.Organizations {
		org := newOrganization(c, o, tiers)
		d.organizations = append(d.organizations, org)
		before := len(d.keys)
		for _, k := range o.Keys {
			d.keys[k] = owner{org, org.workspaces[0]}
		}
		for i, w := range o.Workspaces {
			for _, k := range w.Keys {
				d.keys[k] = owner{org, org.workspaces[i+1]}
			}
		}
		if len(d.keys) == before && d.open == nil {
			d.open = org
		}
	}
	return d
}

// find returns whose key it is. A key with "invalid" in it is nobody's.
func (d *directory) find(key, wantedWorkspace string) (owner, bool) {
	o, ok := d.keys[key]
	if !ok && d.open != nil && key != "" && !strings.Contains(key, "invalid") {
		o, ok = owner{d.open, d.open.workspaces[0]}, true
	}
	if ok && wantedWorkspace != "" {
		for _, w := range o.organization.workspaces {
			if w.id == wantedWorkspace {
				o.workspace = w
			}
		}
	}
	return o, ok
}

// uuidOf makes a stable UUID of a name.
func uuidOf(name string) string {
	h := sha256.Sum256([]byte("organization " + name))
	h[6], h[8] = h[6]&0x0f|0x40, h[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// base58 is the alphabet of the API's ids.
const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// wordID makes a stable id of a name.
func wordID(prefix, name string) string {
	h := sha256.Sum256([]byte(name))
	id := []byte(prefix)
	for _, b := range h[:22] {
		id = append(id, base58[int(b)%len(base58)])
	}
	return string(id)
}
