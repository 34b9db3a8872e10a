package weir

import (
	"slices"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/admit"
	"github.com/weir-gateway/weir/internal/breaker"
)

// signals are what the conditions of the ladder look at. They are safe for
// concurrent use.
type signals struct {
	g *Gateway

	mu  sync.Mutex // guards sky
	sky sky
}

// sky is what all calls find: it is looked at once for many of them.
type sky struct {
	at       time.Time
	left     map[place][call.NumLimiters]float64
	queues   map[place]admit.Pressure
	breakers map[string]breaker.State
}

var limiterWords = []string{call.Requests.String(), call.InputTokens.String(), call.OutputTokens.String()}

// view returns the sky, a second old at most. Nobody changes what it consists of.
func (f *signals) view(now time.Time) sky {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sky.left != nil && now.Sub(f.sky.at) < lookEvery {
		return f.sky
	}
	v := sky{at: now, left: map[place][call.NumLimiters]float64{}, queues: map[place]admit.Pressure{}, breakers: map[string]breaker.State{}}
	for _, b := range f.g.admission.Quota(now) {
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
	for _, p := range f.g.admission.Pressures(now) {
		v.queues[place{p.Organization, p.Group}] = p
	}
	for _, s := range f.g.guard.report() {
		v.breakers[s.Scope] = s.State
	}
	f.sky = v
	return v
}

// of are those of a call like c. Of several keys that may pay for it the best off
// counts.
func (f *signals) of(now time.Time, c *call.Call) call.Signals {
	v := f.view(now)
	s := call.Signals{
		Headroom: -1, Breaker: breaker.Closed.String(), Now: now, Class: c.Class, Tenant: c.Tenant, Model: c.Model,
		Budget: f.g.money.Share(now, c),
	}
	keys := []call.Key{c.Credential}
	if f.g.pooled {
		keys = f.g.keys.Pool()
	}
	state := breaker.State(breaker.NumStates)
	for _, key := range keys {
		organization, group := f.g.admission.Place(key.Print, c.Pool, c.Model)
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
		if f.g.guard != nil {
			state = min(state, v.breakers[f.g.guard.scope(c.Model, key)])
		}
	}
	if state < breaker.NumStates {
		s.Breaker = state.String()
	}
	return s
}
