package weir

import (
	"slices"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/admit"
	"github.com/weir-gateway/weir/internal/breaker"
)

// sky is what all calls find: it is looked at once for many of them.
type sky struct {
	at       time.Time
	left     map[place][call.NumLimiters]float64
	queues   map[place]admit.Pressure
	breakers map[string]breaker.State
}

var limiterWords = []string{call.Requests.String(), call.InputTokens.String(), call.OutputTokens.String()}

// view returns the sky, a second old at most. The caller holds l.mu.
func (l *ladder) view(now time.Time) *sky {
	if l.sky.left != nil && now.Sub(l.sky.at) < lookEvery {
		return &l.sky
	}
	v := sky{at: now, left: map[place][call.NumLimiters]float64{}, queues: map[place]admit.Pressure{}, breakers: map[string]breaker.State{}}
	for _, b := range l.g.admission.Quota(now) {
		limiter := slices.Index(limiterWords, b.Limiter)
		if limiter < 0 || b.Limit <= 0 {
			continue
		}
		at := place{b.Organization, b.Group}
		left, known := v.left[at]
		if !known {
			left = [call.NumLimiters]float64{1, 1, 1}
		}
		left[limiter] = min(left[limiter], max(0, float64(b.Remaining)/float64(b.Limit)))
		v.left[at] = left
	}
	for _, p := range l.g.admission.Pressures(now) {
		v.queues[place{p.Organization, p.Group}] = p
	}
	for _, s := range l.g.guard.report() {
		v.breakers[s.Scope] = s.State
	}
	l.sky = v
	return &l.sky
}

// signals are what the conditions look at, for a call like c. Of several keys
// that may pay for it the best off counts. The caller holds l.mu.
func (l *ladder) signals(now time.Time, c *call.Call) call.Signals {
	v := l.view(now)
	s := call.Signals{
		Headroom: -1, Breaker: breaker.Closed.String(), Now: now, Class: c.Class, Tenant: c.Tenant, Model: c.Model,
		Budget: l.g.money.Share(now, c),
	}
	keys := []call.Key{c.Credential}
	if l.g.pooled {
		keys = l.g.keys.Pool()
	}
	state := breaker.State(breaker.NumStates)
	for _, key := range keys {
		organization, group := l.g.admission.Place(key.Print, c.Pool, c.Model)
		at := place{organization, group}
		left, known := v.left[at]
		if !known {
			left = [call.NumLimiters]float64{1, 1, 1}
		}
		if tightest := min(left[0], left[1], left[2]); tightest > s.Headroom {
			s.Headroom = tightest
			s.Input, s.Output, s.Requests = left[call.InputTokens], left[call.OutputTokens], left[call.Requests]
			q := v.queues[at]
			s.Waiting, s.QueueWait = q.Waiting, q.Oldest[c.Class]
		}
		if l.g.guard != nil {
			state = min(state, v.breakers[l.g.guard.scope(c.Model, key)])
		}
	}
	if state < breaker.NumStates {
		s.Breaker = state.String()
	}
	return s
}
