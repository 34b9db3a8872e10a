package sentinel

import (
	"context"
	"time"

	"github.com/alibaba/sentinel-golang/core/base"
	"github.com/alibaba/sentinel-golang/core/flow"
	"github.com/alibaba/sentinel-golang/core/hotspot"
	"github.com/alibaba/sentinel-golang/core/isolation"

	"github.com/weir-gateway/weir/call"
)

// minRetry is the shortest time after which a refused call is told to come
// back, and the usual one where nobody knows when a place becomes free.
const minRetry = time.Second

// visit is one call inside the gateway.
type visit struct {
	p       *Protection
	at      [3]*resource // those of the call that rules name; the first n
	n       int
	hot     []seat
	turns   []turn
	inbound bool
	ready   time.Time // when it may go on
	left    bool
}

// seat is a call's place in the count of a hot parameter.
type seat struct {
	spot  *spot
	value string
}

// enter asks all rules, and counts the call if they let it in.
func (v *visit) enter(now time.Time, c *call.Call) *call.Refusal {
	p := v.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		v.left = true // it never was inside
		return nil
	}
	p.look(now)
	if c.Class == call.Batch {
		for _, r := range p.set.system {
			if r.refuses(&p.machine, p.inbound) {
				return r.refuse(minRetry)
			}
		}
	}
	v.find(p.set, c)
	for _, check := range [...]func(*resource, time.Time, *call.Call) *call.Refusal{
		v.checkFlow, v.checkIsolation, v.checkPaces, v.checkHot, // the last one takes, if it does not refuse
	} {
		for _, r := range v.at[:v.n] {
			if no := check(r, now, c); no != nil {
				return no
			}
		}
	}
	v.count()
	return nil
}

// look sees how the machine does, if a rule depends on it.
func (p *Protection) look(now time.Time) {
	if !p.set.machine && !p.set.memory || !p.machine.sample(now) {
		return
	}
	if p.set.memory {
		tellMemory()
	}
	inside := float64(p.inbound.CurrentConcurrency())
	for _, r := range p.set.system {
		r.sees(&p.machine, inside)
	}
}

// find looks up the resources that a call has. Models are named by clients;
// only those that a rule names are resources.
func (v *visit) find(set *ruleset, c *call.Call) {
	for _, r := range [...]*resource{set.all, set.classes[c.Class], set.resources["model/"+c.Model]} {
		if r != nil {
			v.at[v.n] = r
			v.n++
		}
	}
	v.inbound = len(set.system) > 0
}

// refuse counts and words a refusal.
func (r *record) refuse(in time.Duration) *call.Refusal {
	r.refused++
	return &call.Refusal{Reason: call.RuleRefused, Rule: r.name, RetryIn: max(in, minRetry)}
}

func (v *visit) checkFlow(r *resource, now time.Time, _ *call.Call) *call.Refusal {
	if len(r.flow) == 0 {
		return nil
	}
	v.turnTo(r)
	result := flow.DefaultSlot.Check(&v.p.ctx)
	if result == nil || !result.IsBlocked() {
		return nil
	}
	rule, _ := result.BlockError().TriggeredRule().(*flow.Rule)
	return v.p.set.flows[rule].refuse(nextWindow(now, *rule))
}

// nextWindow is how long it takes until the calls of this window are
// forgotten. Sentinel slides windows up to 10 s in steps of half a second; all
// others end at once.
func nextWindow(now time.Time, r flow.Rule) time.Duration {
	window := windowOf(r)
	if window <= 10*time.Second && window%(500*time.Millisecond) == 0 {
		return window
	}
	return window - time.Duration(now.UnixNano())%window
}

func (v *visit) checkIsolation(r *resource, _ time.Time, _ *call.Call) *call.Refusal {
	if len(r.isolate) == 0 {
		return nil
	}
	v.turnTo(r)
	result := isolation.DefaultSlot.Check(&v.p.ctx)
	if result == nil || !result.IsBlocked() {
		return nil
	}
	rule, _ := result.BlockError().TriggeredRule().(*isolation.Rule)
	return v.p.set.isolated[rule].refuse(minRetry)
}

func (v *visit) checkPaces(r *resource, now time.Time, c *call.Call) *call.Refusal {
	for _, p := range r.paces {
		value := ""
		if p.param >= 0 {
			if value = param(c, p.param); value == "" {
				continue
			}
		}
		t, again := p.next(now, value, c.Deadline)
		if t.pace == nil {
			return p.refuse(again)
		}
		v.turns = append(v.turns, t)
		if t.at.After(v.ready) {
			v.ready = t.at
		}
	}
	return nil
}

func (v *visit) checkHot(r *resource, _ time.Time, c *call.Call) *call.Refusal {
	for _, h := range r.hot {
		value := param(c, h.param)
		if value == "" {
			continue
		}
		s := seat{h.spot, value}
		v.sit(s)
		if result := hotspot.DefaultSlot.Check(&v.p.ctx); result != nil && result.IsBlocked() {
			if h.rule.MetricType == hotspot.Concurrency {
				return h.refuse(minRetry)
			}
			return h.refuse(time.Duration(h.rule.DurationInSec) * time.Second)
		}
		if h.rule.MetricType == hotspot.Concurrency {
			v.hot = append(v.hot, s)
		}
	}
	return nil
}

// param is a call's value of a hot parameter; none is the empty string.
func param(c *call.Call, index int) string {
	switch index {
	case 0:
		return c.Tenant
	case 1:
		return c.Credential.Print
	}
	return c.Session
}

// turnTo sets Sentinel's context to a resource.
func (v *visit) turnTo(r *resource) {
	v.p.ctx.Resource, v.p.ctx.StatNode = r.wrapper, r.node
}

// sit sets Sentinel's context to a hot parameter.
func (v *visit) sit(s seat) {
	v.p.arg[0] = s.value
	v.p.ctx.Resource, v.p.ctx.Input.Args = s.spot.wrapper, v.p.arg[:]
}

// count lets the call in.
func (v *visit) count() {
	for _, r := range v.at[:v.n] {
		r.node.IncreaseConcurrency()
		r.node.AddCount(base.MetricEventPass, 1)
		if len(r.flow) > 0 {
			v.turnTo(r)
			flow.DefaultStandaloneStatSlot.OnEntryPassed(&v.p.ctx)
		}
	}
	for _, s := range v.hot {
		v.sit(s)
		hotspot.DefaultConcurrencyStatSlot.OnEntryPassed(&v.p.ctx)
	}
	for _, t := range v.turns {
		t.take()
	}
	if v.inbound {
		v.p.inbound.IncreaseConcurrency()
		v.p.inbound.AddCount(base.MetricEventPass, 1)
	}
	v.p.inside++
}

// wait waits for the call's turn, or until its client has left.
func (v *visit) wait(ctx context.Context) error {
	if len(v.turns) == 0 {
		return nil
	}
	d := time.Until(v.ready)
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// giveUp ends a call that left before its turn.
func (v *visit) giveUp() {
	v.p.mu.Lock()
	for _, t := range v.turns {
		t.giveBack()
	}
	v.p.mu.Unlock()
	v.leave()
}

// leave ends the call. Only the first time counts.
func (v *visit) leave() {
	p := v.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if v.left {
		return
	}
	v.left = true
	for _, r := range v.at[:v.n] {
		r.node.DecreaseConcurrency()
	}
	for _, s := range v.hot {
		v.sit(s) // Sentinel finds nothing there if the rule has gone
		hotspot.DefaultConcurrencyStatSlot.OnCompleted(&p.ctx)
	}
	if v.inbound {
		p.inbound.DecreaseConcurrency()
	}
	p.inside--
	p.release()
}
