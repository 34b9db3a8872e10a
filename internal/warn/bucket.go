package warn

import (
	"time"

	"github.com/weir-gateway/weir/call"
)

// bucketKey names a bucket.
type bucketKey struct{ organization, workspace, group, limiter string }

// bucket is what is known of one bucket's recent past.
type bucket struct {
	warning *call.Warning     // nil: none is active
	worst   call.WarningLevel // that people were told of since it became active
	round   uint64            // of feeding in which it was last seen

	stage  int       // how many thresholds it has passed
	easing time.Time // since when it has been well above the last of them; zero: it is not
	lowest float64   // share left since then

	soon    bool      // it is about to be empty
	nearing time.Time // since when it has looked so; zero: it does not
	leaving time.Time // since when it has not looked so at all; zero: it does
}

// bucket looks at one bucket.
func (w *Watch) bucket(now time.Time, rules Rules, r *call.BucketReport) {
	if r.Limit <= 0 {
		return
	}
	key := bucketKey{r.Organization, r.Workspace, r.Group, r.Limiter}
	b := w.buckets[key]
	if b == nil {
		b = &bucket{}
		w.buckets[key] = b
	}
	b.round = w.round
	left := float64(r.Remaining) / float64(r.Limit)
	b.look(now, rules, left, r.EmptyIn)
	if b.stage == 0 && !b.soon {
		return
	}
	next := call.Warning{
		Kind: call.QuotaForecast, Level: b.level(rules), Since: now, Organization: r.Organization,
		Workspace: r.Workspace, Group: r.Group, Limiter: r.Limiter, Left: &left,
	}
	if b.stage > 0 {
		next.Kind, next.Threshold = call.QuotaLow, rules.Thresholds[b.stage-1]
	}
	if b.soon {
		next.EmptyIn = r.EmptyIn
	}
	old := b.warning
	if old == nil && !w.room() {
		b.stage, b.soon = 0, false
		return
	}
	if old != nil {
		next.ID, next.Since = old.ID, old.Since
	} else {
		next.ID = "quota/" + r.Organization + "/" + r.Workspace + "/" + r.Group + "/" + r.Limiter
	}
	b.warning = &next
	if old == nil || next.Level > b.worst {
		b.worst = next.Level
		w.raised = append(w.raised, next)
	}
}

// look follows the level and the forecast.
func (b *bucket) look(now time.Time, rules Rules, left float64, emptyIn *float64) {
	b.stage = min(b.stage, len(rules.Thresholds)) // there may be new rules
	if stage := passed(rules, left); stage > b.stage {
		b.stage, b.easing = stage, time.Time{}
	}
	b.ease(now, rules, left)
	b.foresee(now, rules, emptyIn)
}

// passed counts the thresholds above the level.
func passed(rules Rules, left float64) (n int) {
	for _, t := range rules.Thresholds {
		if left <= float64(t)/100 {
			n++
		}
	}
	return n
}

// ease lowers the stage when the level has been well above its threshold for
// long enough, to the one that the lowest level since then still deserves.
func (b *bucket) ease(now time.Time, rules Rules, left float64) {
	if b.stage == 0 {
		return
	}
	if left < float64(rules.Thresholds[b.stage-1])/100+margin {
		b.easing = time.Time{}
		return
	}
	if b.easing.IsZero() {
		b.easing, b.lowest = now, left
	}
	b.lowest = min(b.lowest, left)
	if now.Sub(b.easing) >= calmBucket {
		b.stage, b.easing = min(b.stage-1, passed(rules, b.lowest-margin)), time.Time{}
	}
}

// foresee follows the forecast.
func (b *bucket) foresee(now time.Time, rules Rules, emptyIn *float64) {
	horizon := rules.Forecast.Seconds()
	near := emptyIn != nil && *emptyIn < horizon
	far := emptyIn == nil || *emptyIn > forecastClear*horizon
	since(&b.nearing, now, near)
	since(&b.leaving, now, far)
	switch {
	case near && now.Sub(b.nearing) >= forecastSure:
		b.soon = true
	case far && now.Sub(b.leaving) >= calmBucket:
		b.soon = false
	}
}

// since keeps the instant at which something became true.
func since(at *time.Time, now time.Time, holds bool) {
	switch {
	case !holds:
		*at = time.Time{}
	case at.IsZero():
		*at = now
	}
}

// level grades a bucket: the first threshold is a notice, the last one
// critical, whatever lies between and a forecast a warning.
func (b *bucket) level(rules Rules) call.WarningLevel {
	level := call.Notice
	switch {
	case b.stage > 0 && b.stage == len(rules.Thresholds):
		level = call.Critical
	case b.stage > 1:
		level = call.Urgent
	}
	if b.soon {
		level = max(level, call.Urgent)
	}
	return level
}
