package ladder

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/dwell"
)

// Config says where the room is.
type Config struct {
	// Signals are what conditions look at, for a call like c, at most a second old.
	Signals func(now time.Time, c *call.Call) call.Signals
	// PerAccount: callers pay with keys of their own, so that what holds for one
	// account does not for another.
	PerAccount bool
}

// Room keeps the state of the rungs. It is safe for concurrent use.
type Room struct {
	cfg  Config
	plan atomic.Pointer[Plan] // without rungs: nothing is made simpler; stored under mu

	mu      sync.Mutex         // guards everything below
	steps   map[foothold]*step // bounded by maxSteps
	would   []uint64           // what a dry run would have done, by rung
	changes []uint64           // by rung
	faults  uint64             // evaluations that failed
}

// New returns the room, with a plan that has been checked.
func New(cfg Config, p Plan) *Room {
	r := &Room{cfg: cfg}
	r.Configure(p)
	return r
}

// Configure replaces the plan by one that has been checked. All rungs begin
// anew, not in force.
func (r *Room) Configure(p Plan) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.steps = map[foothold]*step{}
	r.would, r.changes = make([]uint64, len(p.Rungs)), make([]uint64, len(p.Rungs))
	r.plan.Store(&p)
}

// foothold is for whom a rung is in force.
type foothold struct {
	rung    int
	class   call.Class
	tenant  string // "": the rung's conditions do not look at it, nor at its budgets
	client  string // the same: a token may have a budget of its own
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

// maxSteps bounds Room.steps: models and tenants are named by clients. A place
// that finds no room stays as it is, undegraded.
const maxSteps = 4096

// stepIdle is after how long a place is forgotten that nobody calls from.
const stepIdle = 10 * time.Minute

// lookEvery is how often conditions are looked at.
const lookEvery = time.Second

// Choose implements the corridor's ladder: it puts down the rungs that are in
// force for c.
func (r *Room) Choose(now time.Time, c *call.Call) {
	c.Rungs, c.Would = nil, nil
	if len(r.plan.Load().Rungs) == 0 || c.NoDegrade || c.Endpoint != call.Messages || c.Pool != "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	plan := r.plan.Load()
	if plan.protects(c) {
		return
	}
	for i := range plan.Rungs {
		rung := &plan.Rungs[i]
		if !rung.concerns(c) || !r.at(now, plan, i, c) {
			continue
		}
		if plan.DryRun {
			r.would[i]++
			c.Would = append(c.Would, rung.Do.Kind)
			continue
		}
		c.Rungs = append(c.Rungs, rung.Do)
	}
}

// Protects reports whether c is never made simpler, by the ladder or by budgets.
func (r *Room) Protects(c *call.Call) bool { return r.plan.Load().protects(c) }

// foothold is where the state of a rung is kept for calls like c.
func (r *Room) foothold(plan *Plan, i int, c *call.Call) foothold {
	rung := &plan.Rungs[i]
	at := foothold{rung: i, class: c.Class, model: c.Model}
	if rung.Enter.PerTenant() || rung.Leave != nil && rung.Leave.PerTenant() {
		at.tenant, at.client = c.Tenant, c.Client
	}
	if r.cfg.PerAccount {
		at.account = c.Credential.Print
	}
	return at
}

// at reports whether a rung is in force for c now. The caller holds r.mu.
func (r *Room) at(now time.Time, plan *Plan, i int, c *call.Call) bool {
	at := r.foothold(plan, i, c)
	s := r.steps[at]
	if s == nil {
		if len(r.steps) >= maxSteps && !r.forget(now, 0) {
			return false
		}
		s = &step{sample: call.Call{
			Endpoint: c.Endpoint, Class: c.Class, Tenant: c.Tenant, Model: c.Model, Client: c.Client,
			Credential: call.Key{Print: c.Credential.Print, Name: c.Credential.Name},
		}}
		r.steps[at] = s
	}
	s.touched = now
	if now.Sub(s.looked) >= lookEvery {
		r.look(now, plan, i, s)
	}
	return s.On()
}

// look lets a step see what holds now. The caller holds r.mu.
func (r *Room) look(now time.Time, plan *Plan, i int, s *step) {
	rung := &plan.Rungs[i]
	s.looked = now
	enter, leave, err := rung.holds(r.cfg.Signals(now, &s.sample))
	if s.fault = err; err != nil {
		r.faults++ // it stays as it is
		return
	}
	if s.Feed(now, enter, leave, rung.DwellTime()) {
		r.changes[i]++
	}
}

// forget drops what is not in force, might be at once, and was not asked for in
// so long, and reports whether there is room. The caller holds r.mu.
func (r *Room) forget(now time.Time, idle time.Duration) bool {
	plan := r.plan.Load()
	for at, s := range r.steps {
		if !s.On() && now.Sub(s.touched) >= idle && s.Free(now, plan.Rungs[at.rung].DwellTime()) == 0 {
			delete(r.steps, at)
		}
	}
	return len(r.steps) < maxSteps
}

// Run looks at all places again and again until ctx is done, so that rungs are
// left though nobody calls.
func (r *Room) Run(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			r.tick(time.Now())
		}
	}
}

func (r *Room) tick(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	plan := r.plan.Load()
	for at, s := range r.steps {
		if now.Sub(s.looked) >= lookEvery {
			r.look(now, plan, at.rung, s)
		}
	}
	r.forget(now, stepIdle)
}

// Again is how long the rungs that refuse c stay in force at least.
func (r *Room) Again(now time.Time, c *call.Call) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	again := leastAgain
	plan := r.plan.Load()
	for i := range plan.Rungs {
		rung := &plan.Rungs[i]
		s := r.steps[r.foothold(plan, i, c)]
		if rung.Do.Kind == call.RungRefuse && rung.concerns(c) && s != nil && s.On() {
			again = max(again, s.Free(now, rung.DwellTime()))
		}
	}
	return again
}

// leastAgain is when a call that was refused may come again at the soonest.
const leastAgain = 5 * time.Second
