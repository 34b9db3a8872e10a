package warn

import (
	"cmp"
	"time"

	"github.com/weir-gateway/weir/call"
)

// matter is a warning of something that holds or does not: a block, an open
// breaker, a budget that is nearly spent.
type matter struct {
	warning call.Warning
	worst   call.WarningLevel // that people were told of since it became active
	round   uint64            // of feeding in which it last held
	calm    time.Time         // since when it does not hold; zero: it does
}

// hold says that a matter holds. One that the same round has told of already
// is left as it is.
func (w *Watch) hold(now time.Time, next call.Warning) {
	m := w.matters[next.ID]
	if m == nil {
		if !w.room() {
			return
		}
		next.Since = now
		w.matters[next.ID] = &matter{warning: next, worst: next.Level, round: w.round}
		w.raised = append(w.raised, next)
		return
	}
	if m.round == w.round {
		return
	}
	next.Since = m.warning.Since
	m.warning, m.round, m.calm = next, w.round, time.Time{}
	if next.Level > m.worst {
		m.worst = next.Level
		w.raised = append(w.raised, next)
	}
}

// key looks at one key. What blocks an organization is one matter, however
// many keys it has.
func (w *Watch) key(now time.Time, k *call.KeyReport) {
	if k.State != "blocked" {
		return
	}
	next := call.Warning{
		Kind: call.AccountDown, Level: call.Critical, Organization: k.Organization, Key: k.Name,
		Cause: cmp.Or(k.Block, k.Reason), Detail: k.Message, Until: k.Until,
	}
	if k.Reason == call.BadKey.String() {
		next.Kind = call.KeyRefused
	}
	next.ID = string(next.Kind) + "/" + next.Whose()
	w.hold(now, next)
}

// breaker looks at one circuit breaker. Half open, it is neither better nor
// worse: the probe tells.
func (w *Watch) breaker(now time.Time, b *call.BreakerReport) {
	id := string(call.BreakerOpen) + "/" + b.Scope
	switch b.State {
	case "open":
		w.hold(now, call.Warning{
			ID: id, Kind: call.BreakerOpen, Level: call.Critical,
			Scope: b.Scope, Cause: b.Cause, Until: b.RetryAt,
		})
	case "half_open":
		if m := w.matters[id]; m != nil {
			m.round, m.calm, m.warning.Until = w.round, time.Time{}, nil
		}
	}
}

// budget looks at one budget.
func (w *Watch) budget(now time.Time, rules Rules, b *Budget) {
	threshold := cmp.Or(b.Soft, rules.Budget)
	if b.Limit <= 0 || threshold < 0 {
		return
	}
	id := string(call.BudgetLow) + "/" + b.Name + "/" + b.Subject
	spent, due, all := b.Spent/b.Limit, float64(threshold)/100, 1.0
	if m := w.matters[id]; m != nil {
		due -= margin
		if m.warning.Level == call.Critical {
			all -= margin
		}
	}
	if spent < due {
		return
	}
	left := max(0, 1-spent)
	next := call.Warning{
		ID: id, Kind: call.BudgetLow, Level: call.Urgent, Scope: b.Name, Tenant: b.Subject,
		Threshold: threshold, Left: &left,
	}
	if spent >= all {
		next.Level = call.Critical
	}
	if !b.Until.IsZero() {
		next.Until = &b.Until
	}
	w.hold(now, next)
}
