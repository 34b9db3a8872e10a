package sentinel

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alibaba/sentinel-golang/core/base"
	"github.com/alibaba/sentinel-golang/core/stat"

	"github.com/weir-gateway/weir/call"
)

// Protection guards the gateway itself by Sentinel's rules: flow, isolation,
// hot parameters, and the machine's state. It implements [call.Protector].
//
// All rules that concern a call are asked together, under one lock, and the
// call is counted only if all of them let it in: what one rule refuses does
// not use up what another one allows. A call counts as inside until it leaves;
// no response time is recorded, for that of a stream is its length.
type Protection struct {
	prefix string // of its resources' names, which nobody else has
	active atomic.Bool

	mu      sync.Mutex // guards everything below, and all parts of the set
	set     *ruleset
	machine machine
	inbound *stat.ResourceNode // all calls, for system rules
	ctx     base.EntryContext  // of the check under way
	arg     [1]any             // of ctx
	spots   int                // how many there have been
	inside  int                // calls
	closed  bool
}

// NewProtection returns a protection by these rules. [Protection.Close] gives
// back what Sentinel keeps for it.
func NewProtection(r Rules) (*Protection, error) {
	if err := prepare(); err != nil {
		return nil, fmt.Errorf("prepare Sentinel: %w", err)
	}
	p := &Protection{
		prefix: process.names.take(time.Now()), set: &ruleset{},
		machine: machine{readLoad: readLoad, readCPU: readCPU},
		ctx:     base.EntryContext{Input: &base.SentinelInput{BatchCount: 1}},
	}
	p.inbound = stat.NewResourceNode(p.prefix+"inbound", base.ResTypeCommon)
	if err := p.Load(r); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Load replaces all rules. A rule that stays the same, but for its id, keeps
// its counts; one with another threshold keeps those that Sentinel keeps: the
// calls inside, and of the present window. Nothing changes if a rule is not
// valid. The circuit-breaking rules are not for this type.
func (p *Protection) Load(r Rules) error {
	if err := r.check(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errors.New("load rules: the protection has been closed")
	}
	p.replace(p.compile(r, p.set))
	return nil
}

func (p *Protection) replace(set *ruleset) {
	set.install(p.set)
	p.set = set
	p.active.Store(len(set.records) > 0)
}

// Enter implements [call.Protector]. It waits where a rule of throttling lets
// calls wait.
func (p *Protection) Enter(ctx context.Context, c *call.Call) (leave func(), no *call.Refusal) {
	if !p.active.Load() {
		return func() {}, nil
	}
	v := &visit{p: p}
	if no := v.enter(time.Now(), c); no != nil {
		return nil, no
	}
	if err := v.wait(ctx); err != nil {
		v.giveUp()
		return nil, &call.Refusal{Reason: call.ClientGone, Cause: err}
	}
	return v.leave, nil
}

// Report implements [call.Protector].
func (p *Protection) Report() []call.RuleReport {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]call.RuleReport, len(p.set.records))
	for i, r := range p.set.records {
		list[i] = call.RuleReport{Rule: r.name, Kind: r.kind, Resource: r.resource, Refused: r.refused}
	}
	return list
}

// Close takes all rules back; calls are let in unasked from then on. Those
// that are inside may still leave. Closing twice does no harm.
func (p *Protection) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.replace(&ruleset{})
	p.closed = true
	p.release()
}

// release gives the names back once nobody uses them. It is called when that may
// have come true.
func (p *Protection) release() {
	if p.closed && p.inside == 0 {
		process.names.give(time.Now(), p.prefix)
	}
}
