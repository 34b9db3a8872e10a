package weir

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/dwell"
)

// Condition says when a rung of the ladder is entered or left. It must be safe
// for concurrent use. The commands of this module read conditions in CEL.
type Condition interface {
	Holds(s call.Signals) (bool, error)
	// PerTenant reports whether it may hold for one tenant and not for another.
	PerTenant() bool
	String() string
}

// Rung is one way in which calls are made simpler while a condition holds.
type Rung struct {
	Do    call.Rung
	Enter Condition
	Leave Condition     // nil: when Enter does not hold
	Dwell time.Duration // how long it is in force, or not, at least; 0: 30 s

	Classes []call.Class // whose calls; nil: all, but for [call.RungRefuse], which is for class batch
	Tenants []string     // patterns; nil: all
}

// DefaultDwell lets a rung change twice a minute at most.
const DefaultDwell = 30 * time.Second

// Ladder is how calls are made simpler when they must be, rung by rung. A call
// takes every rung that is in force for its class, tenant and model, in order;
// its answer says so in the header weir-degraded. None of them gives a caller
// a model that it may not use, and callers opt out by weir-degrade: off.
type Ladder struct {
	Rungs  []Rung
	DryRun bool // only count what would be done

	// What is never made simpler: calls of these models, tenants and clients
	// (patterns) and classes.
	Models, Tenants, Clients []string
	Classes                  []call.Class
}

// WithLadder sets the degradation ladder. The default has no rungs.
func WithLadder(l Ladder) Option {
	return func(s *settings) error {
		s.ladder = l
		return checkLadder(l)
	}
}

// SetLadder replaces the ladder while the gateway runs. All rungs begin anew,
// not in force. It changes nothing if a rung is not valid.
func (g *Gateway) SetLadder(l Ladder) error {
	if err := checkLadder(l); err != nil {
		return err
	}
	g.ladder.configure(l)
	g.keepOld(l)
	return nil
}

// keepOld has the cache keep answers that only the ladder may give.
func (g *Gateway) keepOld(l Ladder) {
	if g.cache != nil {
		g.cache.KeepOld(!l.DryRun && slices.ContainsFunc(l.Rungs, func(r Rung) bool { return r.Do.Kind == call.RungCached }))
	}
}

// checkLadder reports the faults of all rungs at once.
func checkLadder(l Ladder) error {
	var errs []error
	for i, r := range l.Rungs {
		fault := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("rung %d (%s): "+format, append([]any{i + 1, r.Do.Kind}, args...)...))
		}
		if !slices.Contains(call.RungKinds(), r.Do.Kind) {
			fault("there is no such rung: take one of %v", call.RungKinds())
		}
		if r.Enter == nil {
			fault("it has no condition")
		}
		if r.Dwell < 0 || min(int64(r.Do.MaxTokens), int64(r.Do.Thinking), int64(r.Do.Turns), int64(r.Do.Bytes)) < 0 {
			fault("nothing of it may be negative")
		}
		if r.Do.Kind == call.RungMaxTokens && r.Do.MaxTokens == 0 {
			fault("it needs a number of tokens")
		}
		if r.Do.Kind == call.RungEffort && !slices.Contains([]string{"low", "medium", "high", "xhigh"}, r.Do.Effort) {
			fault("%q is no effort", r.Do.Effort)
		}
		if r.Do.Kind == call.RungRefuse && slices.Contains(r.Classes, call.Interactive) {
			fault("interactive calls are not refused: name another class")
		}
	}
	return errors.Join(errs...)
}

// ladder keeps the state of the rungs. Its zero value has none.
type ladder struct {
	g    *Gateway
	plan atomic.Pointer[Ladder] // without rungs: nothing is made simpler; stored under mu

	mu      sync.Mutex         // guards everything below
	steps   map[foothold]*step // bounded by maxSteps
	sky     sky
	would   []uint64 // what a dry run would have done, by rung
	changes []uint64 // by rung
	faults  uint64   // evaluations that failed
}

// foothold is for whom a rung is in force.
type foothold struct {
	rung    int
	class   call.Class
	tenant  string // "": the rung's conditions do not look at it
	account string // fingerprint of the key that the caller pays with; "": the pool
	model   string
}

// step is the state of a rung in one place.
type step struct {
	dwell.Switch
	sample  call.Call // a call from there, without its body
	looked  time.Time
	touched time.Time
	fault   error // of its conditions, when they were looked at
}

// maxSteps bounds ladder.steps: models and tenants are named by clients. A place
// that finds no room stays as it is, undegraded.
const maxSteps = 4096

// stepIdle is after how long a place is forgotten that nobody calls from.
const stepIdle = 10 * time.Minute

func (l *ladder) open(g *Gateway, plan Ladder) {
	l.g = g
	l.configure(plan)
}

func (l *ladder) configure(plan Ladder) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.steps = map[foothold]*step{}
	l.would, l.changes = make([]uint64, len(plan.Rungs)), make([]uint64, len(plan.Rungs))
	l.plan.Store(&plan)
}

// Choose implements the corridor's ladder: it puts down the rungs that are in
// force for c.
func (l *ladder) Choose(now time.Time, c *call.Call) {
	c.Rungs, c.Would = nil, nil
	plan := l.plan.Load()
	if len(plan.Rungs) == 0 || c.NoDegrade || c.Endpoint != call.Messages || c.Pool != "" || plan.protects(c) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	plan = l.plan.Load() // it may have been replaced in between
	for i := range plan.Rungs {
		r := &plan.Rungs[i]
		if !r.concerns(c) || !l.at(now, plan, i, c) {
			continue
		}
		if plan.DryRun {
			l.would[i]++
			c.Would = append(c.Would, r.Do.Kind)
			continue
		}
		c.Rungs = append(c.Rungs, r.Do)
	}
}

// protects reports whether c is never made simpler.
func (p *Ladder) protects(c *call.Call) bool {
	return slices.Contains(p.Classes, c.Class) || matches(p.Models, c.Model) || matches(p.Tenants, c.Tenant) ||
		c.Client != "" && matches(p.Clients, c.Client)
}

// concerns reports whether the rung is for calls like c.
func (r *Rung) concerns(c *call.Call) bool {
	if r.Classes == nil && r.Do.Kind == call.RungRefuse {
		return c.Class == call.Batch
	}
	return (r.Classes == nil || slices.Contains(r.Classes, c.Class)) && (r.Tenants == nil || matches(r.Tenants, c.Tenant))
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		return ok && err == nil
	})
}

// at reports whether a rung is in force for c now. The caller holds l.mu.
func (l *ladder) at(now time.Time, plan *Ladder, i int, c *call.Call) bool {
	r := &plan.Rungs[i]
	at := foothold{rung: i, class: c.Class, model: c.Model}
	if r.Enter.PerTenant() || r.Leave != nil && r.Leave.PerTenant() {
		at.tenant = c.Tenant
	}
	if !l.g.pooled {
		at.account = c.Credential.Print
	}
	s := l.steps[at]
	if s == nil {
		if len(l.steps) >= maxSteps && !l.forget(now, 0) {
			return false
		}
		s = &step{sample: call.Call{
			Endpoint: c.Endpoint, Class: c.Class, Tenant: c.Tenant, Model: c.Model, Client: c.Client,
			Credential: call.Key{Print: c.Credential.Print, Name: c.Credential.Name},
		}}
		l.steps[at] = s
	}
	s.touched = now
	if now.Sub(s.looked) >= lookEvery {
		l.look(now, plan, i, s)
	}
	return s.On()
}

// look lets a step see what holds now. The caller holds l.mu.
func (l *ladder) look(now time.Time, plan *Ladder, i int, s *step) {
	r := &plan.Rungs[i]
	s.looked = now
	enter, leave, err := r.holds(l.signals(now, &s.sample))
	if s.fault = err; err != nil {
		l.faults++ // it stays as it is
		return
	}
	if s.Feed(now, enter, leave, r.DwellTime()) {
		l.changes[i]++
	}
}

// forget drops what is not in force and was not asked for in so long, and
// reports whether there is room. The caller holds l.mu.
func (l *ladder) forget(now time.Time, idle time.Duration) bool {
	for at, s := range l.steps {
		if !s.On() && now.Sub(s.touched) >= idle && now.Sub(s.Changed()) >= idle {
			delete(l.steps, at)
		}
	}
	return len(l.steps) < maxSteps
}

// run looks at all places again and again until ctx is done, so that rungs are
// left though nobody calls.
func (l *ladder) run(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			l.tick(time.Now())
		}
	}
}

func (l *ladder) tick(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	plan := l.plan.Load()
	for at, s := range l.steps {
		if now.Sub(s.looked) >= lookEvery {
			l.look(now, plan, at.rung, s)
		}
	}
	l.forget(now, stepIdle)
}

// Again is how long the rung that refuses c stays in force at least.
func (l *ladder) Again(now time.Time, c *call.Call) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	plan := l.plan.Load()
	for at, s := range l.steps {
		if plan.Rungs[at.rung].Do.Kind == call.RungRefuse && at.class == c.Class && at.model == c.Model && s.On() {
			return max(s.Free(now, plan.Rungs[at.rung].DwellTime()), leastAgain)
		}
	}
	return leastAgain
}

// leastAgain is when a call that was refused may come again at the soonest.
const leastAgain = 5 * time.Second
