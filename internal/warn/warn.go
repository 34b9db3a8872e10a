// Package warn decides what people are warned of, and when a warning is over.
// A [Watch] is fed with reports and keeps the warnings that are active.
//
// The quota's levels move all the time, and under steady load Weir keeps a
// bucket near its safety stock on purpose. So each bucket is one matter: its
// warning becomes more urgent at once, less urgent without a word, and is over
// only when the level has been well above the threshold for as long as an empty
// bucket needs to fill. A bucket in steady use therefore has one warning that
// stays, not a new one every minute.
package warn

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Rules say when a warning is due. The zero Rules are the defaults.
type Rules struct {
	Thresholds []int         // percent left of a bucket; nil: 20, 10, 5; empty: none
	Forecast   time.Duration // a bucket that is empty within it; 0: 1 minute; negative: none
	Budget     int           // percent spent; 0: 80; negative: none
}

// The defaults of the rules.
const (
	DefaultForecast = time.Minute
	DefaultBudget   = 80
)

// DefaultThresholds returns the percentages at which a bucket is low.
func DefaultThresholds() []int { return []int{20, 10, 5} }

// Complete returns the rules with the defaults filled in and the thresholds in
// falling order, or what is wrong with them.
func (r Rules) Complete() (Rules, error) {
	if r.Thresholds == nil {
		r.Thresholds = DefaultThresholds()
	}
	r.Thresholds = slices.Clone(r.Thresholds)
	slices.SortFunc(r.Thresholds, func(a, b int) int { return cmp.Compare(b, a) })
	r.Thresholds = slices.Compact(r.Thresholds)
	for _, t := range r.Thresholds {
		if t < 1 || t > 90 {
			return r, fmt.Errorf("a threshold is a percentage from 1 to 90, not %d", t)
		}
	}
	r.Forecast = cmp.Or(r.Forecast, DefaultForecast)
	r.Budget = cmp.Or(r.Budget, DefaultBudget)
	if r.Budget > 100 {
		return r, fmt.Errorf("a budget's threshold is a percentage up to 100, not %d", r.Budget)
	}
	return r, nil
}

// Budget is the state of one sum of money.
type Budget struct {
	Name    string
	Subject string // the tenant, token or model whose it is; empty: everybody's
	Soft    int    // percent from which on it is due; 0: as the rules say
	Spent   float64
	Limit   float64
	Until   time.Time // when it starts anew; zero: never
}

// Reading is what a watch looks at.
type Reading struct {
	Quota      call.QuotaReport
	Protection call.ProtectionReport
	Budgets    []Budget
}

// How calm a matter must have been, and for how long, before it is over.
const (
	margin        = 0.05             // above the threshold, of the bucket or budget
	calmBucket    = time.Minute      // an empty bucket is full after it
	calmElse      = 15 * time.Second // accounts and breakers waver less
	forecastSure  = 5 * time.Second  // how long a forecast must hold: one large request is none
	forecastClear = 1.5              // times the horizon: then it is no longer soon
)

// MaxActive bounds the warnings that are kept at once. Those beyond it are
// counted, and raised when there is room.
const MaxActive = 512

// Watch keeps the active warnings. The zero Watch is ready for use. It has no
// lock.
type Watch struct {
	buckets map[bucketKey]*bucket
	matters map[string]*matter
	round   uint64 // of feeding
	active  int
	missed  int

	raised, cleared []call.Warning
}

// Feed takes a reading. It returns the warnings that are new or have become
// more urgent than ever, and those that are over, with the most urgent level they
// have had.
func (w *Watch) Feed(now time.Time, rules Rules, in Reading) (raised, cleared []call.Warning) {
	if w.buckets == nil {
		w.buckets, w.matters = map[bucketKey]*bucket{}, map[string]*matter{}
	}
	w.round, w.missed = w.round+1, 0
	w.raised, w.cleared = nil, nil
	for i := range in.Quota.Buckets {
		w.bucket(now, rules, &in.Quota.Buckets[i])
	}
	for i := range in.Quota.Keys {
		w.key(now, &in.Quota.Keys[i])
	}
	for i := range in.Protection.Breakers {
		w.breaker(now, &in.Protection.Breakers[i])
	}
	for i := range in.Budgets {
		w.budget(now, rules, &in.Budgets[i])
	}
	w.sweep(now, rules)
	return w.raised, w.cleared
}

// Active returns the active warnings, the most urgent first and the older
// before the newer.
func (w *Watch) Active() []call.Warning {
	if w.active == 0 {
		return nil
	}
	list := make([]*call.Warning, 0, w.active) // a warning is large to move about
	for _, b := range w.buckets {
		if b.warning != nil {
			list = append(list, b.warning)
		}
	}
	for _, m := range w.matters {
		list = append(list, &m.warning)
	}
	slices.SortFunc(list, func(a, b *call.Warning) int {
		return cmp.Or(cmp.Compare(b.Level, a.Level), a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
	})
	out := make([]call.Warning, len(list))
	for i, warning := range list {
		out[i] = *warning
	}
	return out
}

// Missed counts the warnings that were due at the last feeding and not raised,
// because there are too many.
func (w *Watch) Missed() int { return w.missed }

// room reports whether another warning may become active.
func (w *Watch) room() bool {
	if w.active >= MaxActive {
		w.missed++
		return false
	}
	w.active++
	return true
}

// over ends a warning, of which worst was the most urgent level: who was told of
// that is to be told of the end.
func (w *Watch) over(warning call.Warning, worst call.WarningLevel) {
	w.active--
	warning.Level = worst
	w.cleared = append(w.cleared, warning)
}

// sweep ends what has been calm for long enough, and forgets buckets that are
// not reported any more.
func (w *Watch) sweep(now time.Time, rules Rules) {
	for key, b := range w.buckets {
		if b.round != w.round {
			b.look(now, rules, 1, nil) // gone: nothing is known that would be low
		}
		if b.warning != nil && b.stage == 0 && !b.soon {
			w.over(*b.warning, b.worst)
			b.warning = nil
		}
		if b.warning == nil && b.round != w.round {
			delete(w.buckets, key)
		}
	}
	for id, m := range w.matters {
		if m.round == w.round {
			continue
		}
		if m.calm.IsZero() {
			m.calm = now
		}
		if now.Sub(m.calm) >= calmElse {
			w.over(m.warning, m.worst)
			delete(w.matters, id)
		}
	}
}
