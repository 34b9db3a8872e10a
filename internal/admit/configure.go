package admit

import (
	"cmp"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/quota"
)

// Configure takes what the Rate Limits API says of an organization: which
// models share a pool, and how large it is. It replaces the built-in groups
// for that organization's lanes, those with waiting calls included. print is
// the fingerprint of a key that is known to belong to it, or empty.
func (r *Room) Configure(now time.Time, organization, print string, list []quota.ModelGroup) {
	r.mu.Lock()
	before := r.groupsOf(organization)
	told := r.groups.Told(list)
	r.told[organization] = told
	for key, ln := range r.lanes {
		if key.account == organization {
			delete(r.lanes, key)
			key.group = told.Successor(before, key.group)
			r.place(now, key, ln)
		}
	}
	r.mu.Unlock()
	if print != "" {
		r.adopt(print, organization)
	}
}

// groupsOf returns the model groups of an organization. The caller holds r.mu.
func (r *Room) groupsOf(account string) *quota.Groups {
	if told := r.told[account]; told != nil {
		return told
	}
	return r.groups
}

// keyOf names the lane of a key's calls for a pool, or else for a model. The
// caller holds r.mu.
func (r *Room) keyOf(print, pool, model string) (key laneKey, countCached bool) {
	key.account = cmp.Or(r.alias[print], print)
	if pool != "" && pool != call.PoolFast {
		return laneKey{key.account, pool}, false
	}
	key.group, countCached = r.groupsOf(key.account).Of(model)
	if pool != "" {
		key.group += " " + pool
	}
	return key, countCached
}

// place gives a lane that is in no place a new name, or joins it to the lane
// that has the name already. The caller holds r.mu.
func (r *Room) place(now time.Time, key laneKey, ln *lane) {
	if target := r.lanes[key]; target != nil && target != ln {
		ln.joinTo(now, target)
		return
	}
	r.lanes[key] = ln
	ln.configure(now, key, r.groupsOf(key.account).Named(key.group))
}

// configure gives the lane its name and, where it was told, the limits. Calls
// that they let go, or refuse, hear of it.
func (ln *lane) configure(now time.Time, key laneKey, m *quota.ModelGroup) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	ln.key = key
	if m != nil {
		ln.group.Configure(now, m)
		ln.pump(now)
	}
}
