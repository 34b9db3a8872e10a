// Package ladder makes calls simpler, rung by rung, while quota or money is short:
// each rung has conditions to enter and to leave, and is in force for calls of a
// class, a model and, where its conditions look at that, a tenant. The room says
// which rungs those are; shape and others act on them (ADR 20).
package ladder

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Condition says when a rung of the ladder is entered or left. It must be safe
// for concurrent use. The commands of this module read conditions in CEL.
type Condition interface {
	Holds(s call.Signals) (bool, error)
	// PerTenant reports whether it may hold for one tenant, or client, and not for
	// another.
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

// Plan is how calls are made simpler when they must be, rung by rung. A call
// takes every rung that is in force for its class, tenant and model, in order;
// its answer says so in the header weir-degraded. None of them gives a caller
// a model that it may not use, and callers opt out by weir-degrade: off.
type Plan struct {
	Rungs  []Rung
	DryRun bool // only count what would be done

	// What is never made simpler: calls of these models, tenants and clients
	// (patterns) and classes.
	Models, Tenants, Clients []string
	Classes                  []call.Class
}

// DwellTime is how long the rung is in force, or not, at least.
func (r Rung) DwellTime() time.Duration { return cmp.Or(r.Dwell, DefaultDwell) }

// Check reports the faults of all rungs at once.
func (p Plan) Check() error {
	var errs []error
	for i, r := range p.Rungs {
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
		for _, pattern := range r.Tenants {
			if !call.IsPattern(pattern) {
				fault("%q is no pattern", pattern)
			}
		}
	}
	for _, pattern := range slices.Concat(p.Models, p.Tenants, p.Clients) {
		if !call.IsPattern(pattern) {
			errs = append(errs, fmt.Errorf("what is protected: %q is no pattern", pattern))
		}
	}
	return errors.Join(errs...)
}

// protects reports whether c is never made simpler.
func (p *Plan) protects(c *call.Call) bool {
	return slices.Contains(p.Classes, c.Class) || call.Fits(p.Models, c.Model) || call.Fits(p.Tenants, c.Tenant) ||
		c.Client != "" && call.Fits(p.Clients, c.Client)
}

// concerns reports whether the rung is for calls like c.
func (r *Rung) concerns(c *call.Call) bool {
	if r.Classes == nil && r.Do.Kind == call.RungRefuse {
		return c.Class == call.Batch
	}
	return (r.Classes == nil || slices.Contains(r.Classes, c.Class)) && (r.Tenants == nil || call.Fits(r.Tenants, c.Tenant))
}

// Has reports whether one of the rungs is of a kind, and not only counted.
func (p Plan) Has(kind call.RungKind) bool {
	return !p.DryRun && slices.ContainsFunc(p.Rungs, func(r Rung) bool { return r.Do.Kind == kind })
}
