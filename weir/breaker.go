package weir

import (
	"errors"
	"net/url"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/breaker"
)

// Breaker says when the gateway stops sending to an upstream that fails: calls
// that come then are refused at once, and a few probes find out when it serves
// again. It watches each model apart. 429s never count.
type Breaker struct {
	Off   bool
	Rules []byte // circuit-breaking rules in Sentinel's JSON; nil: the default
	// Core counts; nil is the built-in one. It is for the commands of this
	// module, which choose Sentinel.
	Core breaker.Builder
}

// WithBreaker sets the circuit breaker. Without it the gateway has one with
// default rules.
func WithBreaker(b Breaker) Option {
	return func(s *settings) error {
		if b.Rules != nil {
			if _, err := breaker.Parse(b.Rules); err != nil {
				return err
			}
		}
		s.breaker = b
		return nil
	}
}

// WithProtection guards the gateway itself by p, which comes before
// everything that costs something. The default is none.
func WithProtection(p call.Protector) Option {
	return func(s *settings) error {
		s.protector = p
		return nil
	}
}

// SetBreakerRules replaces the circuit-breaking rules; nil stands for the
// default ones. A scope whose rules stay the same keeps its state. It changes
// nothing if the rules are not valid, or if the gateway has no breaker.
func (g *Gateway) SetBreakerRules(data []byte) error {
	if g.guard == nil {
		return errors.New("the circuit breaker is off: it takes no rules")
	}
	rules, err := breakerRules(data)
	if err != nil {
		return err
	}
	g.guard.mu.Lock()
	defer g.guard.mu.Unlock()
	return g.guard.engine.Load(rules)
}

// breakerRules reads rules; nil stands for the default.
func breakerRules(data []byte) ([]breaker.Rule, error) {
	if data == nil {
		return breaker.DefaultRules(), nil
	}
	return breaker.Parse(data)
}

// Protection is the state of the breakers that have ever opened, and of the
// rules that protect the gateway itself.
func (g *Gateway) Protection() call.ProtectionReport {
	out := call.ProtectionReport{At: time.Now(), Breakers: []call.BreakerReport{}, Rules: []call.RuleReport{}}
	for _, s := range g.guard.report() {
		b := call.BreakerReport{
			Scope: s.Scope, State: s.State.String(), Since: s.Since, Opened: s.Changes[breaker.Open],
		}
		if s.State != breaker.Closed {
			b.Rule, b.Cause = s.Rule.Name(), g.guard.cause(s)
		}
		if s.State == breaker.Open {
			b.RetryAt = &s.RetryAt
		}
		out.Breakers = append(out.Breakers, b)
	}
	if g.protector != nil {
		out.Rules = append(out.Rules, g.protector.Report()...)
	}
	return out
}

// guard is the breaker as the corridor asks it: by upstream and model, with
// verdicts, from many goroutines.
type guard struct {
	host  string   // of the gateway's upstream
	hosts sync.Map // of the keys' own upstreams, by their addresses

	mu         sync.Mutex
	engine     *breaker.Engine // guarded by mu
	overloaded map[string]bool // scopes whose last failure was overload; bounded; guarded by mu
}

// maxOverloaded bounds guard.overloaded: models are named by clients.
const maxOverloaded = 256

// newGuard returns nil if the breaker is off.
func newGuard(b Breaker, upstream string) (*guard, error) {
	if b.Off {
		return nil, nil
	}
	rules, err := breakerRules(b.Rules)
	if err != nil {
		return nil, err
	}
	engine, err := breaker.New(rules, b.Core)
	return &guard{host: hostOf(upstream), engine: engine, overloaded: map[string]bool{}}, err
}

func hostOf(upstream string) string {
	u, err := url.Parse(upstream)
	if err != nil {
		return upstream // whoever sends there will say so
	}
	return u.Host
}

// scope names the breaker of a model that key pays for.
func (g *guard) scope(model string, key call.Key) string {
	if key.Upstream == "" {
		return g.host + "/" + model
	}
	host, ok := g.hosts.Load(key.Upstream)
	if !ok {
		host, _ = g.hosts.LoadOrStore(key.Upstream, hostOf(key.Upstream))
	}
	return host.(string) + "/" + model
}

// Shut refuses a call that an open breaker would not let pass.
func (g *guard) Shut(now time.Time, c *call.Call, key call.Key) *call.Refusal {
	if c.Endpoint != call.Messages {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	scope := g.scope(c.Model, key)
	return g.refusal(scope, g.engine.Check(now, scope))
}

// Begin refuses an attempt, or returns whom to tell of its answer.
func (g *guard) Begin(now time.Time, c *call.Call, key call.Key) (func(time.Time, *call.Answer), *call.Refusal) {
	g.mu.Lock()
	defer g.mu.Unlock()
	scope := g.scope(c.Model, key)
	permit, refused := g.engine.Acquire(now, scope)
	if refused != nil {
		return nil, g.refusal(scope, refused)
	}
	return func(now time.Time, a *call.Answer) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if a != nil && a.Stream {
			permit.FirstToken(now) // a stream is held until then
		}
		o := outcome(a)
		permit.Done(now, o)
		if o == breaker.Failed {
			g.note(scope, a.Verdict.Kind == call.Overloaded)
		}
	}, nil
}

// note remembers whether the last failure was overload.
func (g *guard) note(scope string, overloaded bool) {
	if !overloaded {
		delete(g.overloaded, scope)
		return
	}
	if len(g.overloaded) >= maxOverloaded {
		clear(g.overloaded) // those that still are will say so again
	}
	g.overloaded[scope] = true
}

// report lists the breakers that have ever opened.
func (g *guard) report() []breaker.Status {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.engine.Report()
}

// cause says for people what is wrong with the upstream of a breaker that is
// not closed.
func (g *guard) cause(s breaker.Status) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case s.Rule.Strategy == breaker.SlowRatio:
		return "slow"
	case g.overloaded[s.Scope]:
		return "overloaded"
	}
	return "failing"
}

// outcome is what an answer tells of its upstream.
func outcome(a *call.Answer) breaker.Outcome {
	switch {
	case a == nil:
		return breaker.Ignored
	case a.Verdict.Kind == call.OK:
		return breaker.Succeeded
	}
	switch a.Verdict.Effect() {
	case call.EaseModel, call.CountFailure:
		return breaker.Failed
	}
	return breaker.Ignored
}

// refusal puts what the engine says into the house's words.
func (g *guard) refusal(scope string, r *breaker.Refused) *call.Refusal {
	if r == nil {
		return nil
	}
	out := &call.Refusal{
		Reason: call.UpstreamDown, Rule: r.Rule.Name(), RetryIn: r.RetryIn, Cause: errors.New(r.String()),
	}
	if g.overloaded[scope] {
		out.Verdict.Kind = call.Overloaded
	}
	return out
}
