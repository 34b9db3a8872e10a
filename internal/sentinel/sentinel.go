// Package sentinel is where Sentinel (github.com/alibaba/sentinel-golang)
// counts for Weir: in the core of a circuit breaker, behind the interface of
// package breaker, and in the gateway's own [Protection]. What Sentinel is not
// made for is done otherwise; ADR 9 has the list.
//
// Sentinel's own slot chain misjudges long streams: it lets a call that began
// before a breaker opened decide its probe, lets any number of probes pass, and
// takes the end of a stream for its response time. Calls go through a chain of
// this package instead, whose statistic slot leaves out what the engine says
// does not count, and counts the time to the first token.
//
// Sentinel keeps rules, listeners and its logger for the whole process. This
// package gives every core, and every protection, resource names that no other has, so that gateways
// and tests in one process do not meet, and never starts what Sentinel's Init
// starts: metric files, collectors, a clock of its own. Whoever else uses
// Sentinel in the same process must not clear all rules or listeners.
package sentinel

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alibaba/sentinel-golang/api"
	"github.com/alibaba/sentinel-golang/core/base"
	"github.com/alibaba/sentinel-golang/core/circuitbreaker"
	"github.com/alibaba/sentinel-golang/logging"

	"github.com/weir-gateway/weir/internal/breaker"
)

// process is what Sentinel makes everybody in the process share.
var process struct {
	once   sync.Once
	err    error
	serial atomic.Uint64
	cores  sync.Map // of *core, by resource name
	chain  api.EntryOption
	names  names // of protections
}

// prepare sets up, once, what is shared.
func prepare() error {
	process.once.Do(func() {
		process.err = logging.ResetGlobalLogger(quiet{})
		circuitbreaker.RegisterStateChangeListeners(listener{})
		chain := base.NewSlotChain()
		chain.AddRuleCheckSlot(circuitbreaker.DefaultSlot)
		chain.AddStatSlot(&epochSlot{})
		process.chain = api.WithSlotChain(chain)
	})
	return process.err
}

// core is one scope: a resource of Sentinel's.
type core struct {
	resource string
	changed  func(rule int, to breaker.State)
}

// Build implements [breaker.Builder]. Sentinel reads the machine's clock, not
// the time that it is given: the two must agree.
func Build(scope string, rules []breaker.Rule, changed func(int, breaker.State)) (breaker.Core, error) {
	if err := prepare(); err != nil {
		return nil, fmt.Errorf("prepare Sentinel: %w", err)
	}
	c := &core{
		resource: "weir/" + strconv.FormatUint(process.serial.Add(1), 10) + "/" + scope,
		changed:  changed,
	}
	list := make([]*circuitbreaker.Rule, len(rules))
	for i, r := range rules {
		list[i] = &circuitbreaker.Rule{
			Id: strconv.Itoa(i), Resource: c.resource, Strategy: circuitbreaker.Strategy(r.Strategy),
			RetryTimeoutMs: r.RetryTimeoutMs, MinRequestAmount: r.MinRequestAmount,
			StatIntervalMs: r.StatIntervalMs, StatSlidingWindowBucketCount: r.StatSlidingWindowBucketCount,
			MaxAllowedRtMs: r.MaxAllowedRtMs, Threshold: r.Threshold,
			// With 0, half-open refuses all but one, for as long as that one
			// lasts. Above 0 it refuses none, and the engine's cap decides.
			ProbeNum: max(r.ProbeNum, 1),
		}
		if err := circuitbreaker.IsValidRule(list[i]); err != nil {
			return nil, fmt.Errorf("rule %q: %w", r.Name(), err)
		}
	}
	process.cores.Store(c.resource, c)
	if _, err := circuitbreaker.LoadRulesOfResource(c.resource, list); err != nil {
		c.Close()
		return nil, fmt.Errorf("load the rules of %s: %w", scope, err)
	}
	return c, nil
}

// Enter implements [breaker.Core].
func (c *core) Enter(time.Time) (breaker.Ticket, bool) {
	entry, blocked := api.Entry(c.resource, process.chain)
	if blocked != nil {
		return nil, false
	}
	return ticket{entry}, true
}

// Close implements [breaker.Core].
func (c *core) Close() {
	process.cores.Delete(c.resource)
	_, _ = circuitbreaker.LoadRulesOfResource(c.resource, nil) // it fails only without a name
}

// ticket is an entry of Sentinel's. Its context belongs to a pool once it has
// been exited.
type ticket struct{ entry *base.SentinelEntry }

// errFailed stands for any failure: Sentinel looks only whether there is one.
var errFailed = errors.New("the call failed")

// End implements [breaker.Ticket].
func (t ticket) End(_ time.Time, c breaker.Completion) {
	ctx := t.entry.Context()
	if !c.Counts {
		ctx.Input.Flag = uncounted
	}
	ctx.PutRt(uint64(max(1, c.Response.Milliseconds()))) // 0 would mean: until now
	if c.Failed {
		ctx.SetError(errFailed)
	}
	t.entry.Exit()
}

// uncounted marks an entry whose completion is not to be counted.
const uncounted = 1

// epochSlot is Sentinel's statistic slot of circuit breaking, without the
// completions that belong to an earlier epoch of their breaker.
type epochSlot struct{ circuitbreaker.MetricStatSlot }

// OnCompleted implements [base.StatSlot].
func (s *epochSlot) OnCompleted(ctx *base.EntryContext) {
	if ctx.Input.Flag != uncounted {
		s.MetricStatSlot.OnCompleted(ctx)
	}
}

// listener hands changes of state on to the core that they belong to. Sentinel
// calls it in the goroutine of the entry that brought the change about.
type listener struct{}

// OnTransformToClosed implements [circuitbreaker.StateChangeListener].
func (listener) OnTransformToClosed(_ circuitbreaker.State, r circuitbreaker.Rule) {
	tell(&r, breaker.Closed)
}

// OnTransformToOpen implements [circuitbreaker.StateChangeListener].
func (listener) OnTransformToOpen(_ circuitbreaker.State, r circuitbreaker.Rule, _ any) {
	tell(&r, breaker.Open)
}

// OnTransformToHalfOpen implements [circuitbreaker.StateChangeListener].
func (listener) OnTransformToHalfOpen(_ circuitbreaker.State, r circuitbreaker.Rule) {
	tell(&r, breaker.HalfOpen)
}

func tell(r *circuitbreaker.Rule, to breaker.State) {
	c, ok := process.cores.Load(r.Resource)
	rule, err := strconv.Atoi(r.Id)
	if ok && err == nil {
		c.(*core).changed(rule, to)
	}
}

// quiet is Sentinel's logger. What it would say is in the engine's report.
type quiet struct{}

// Debug implements [logging.Logger].
func (quiet) Debug(string, ...any) {}

// DebugEnabled implements [logging.Logger].
func (quiet) DebugEnabled() bool { return false }

// Info implements [logging.Logger].
func (quiet) Info(string, ...any) {}

// InfoEnabled implements [logging.Logger].
func (quiet) InfoEnabled() bool { return false }

// Warn implements [logging.Logger].
func (quiet) Warn(string, ...any) {}

// WarnEnabled implements [logging.Logger].
func (quiet) WarnEnabled() bool { return false }

// Error implements [logging.Logger].
func (quiet) Error(error, string, ...any) {}

// ErrorEnabled implements [logging.Logger].
func (quiet) ErrorEnabled() bool { return false }
