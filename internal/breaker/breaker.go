// Package breaker stops sending to an upstream that fails, and finds out with
// a few probes when it serves again. An [Engine] keeps one breaker for each
// scope, an upstream's host and a model; what trips it are [Rule]s in
// Sentinel's own terms.
//
// The engine knows which completions may count; a [Core] counts them. A call
// that began before the last change of state never decides the next one: a
// stream may end minutes after its beginning, and says nothing about now.
// Probes are capped and time out. What is slow is the first token.
//
// There are two cores: [Window] is this package's own, the other one is
// Sentinel's (internal/sentinel). The same tests run on both.
package breaker

import (
	"fmt"
	"slices"
	"time"
)

// Outcome is how a call ended, as far as a breaker cares.
type Outcome uint8

// The outcomes.
const (
	Succeeded Outcome = iota
	Failed            // 5xx, 529, time-out, connection
	Ignored           // 429, other 4xx, the client's own end: counted nowhere
)

// State is that of a breaker, the more closed the smaller.
type State uint8

// The states.
const (
	Closed   State = iota // calls pass
	HalfOpen              // a few calls pass, as probes
	Open                  // no call passes
)

// NumStates is how many states there are.
const NumStates = 3

// String returns the word used in metrics and logs.
func (s State) String() string { return [...]string{"closed", "half_open", "open"}[s] }

// Refused says why a call may not be sent now.
type Refused struct {
	Scope   string
	Rule    Rule // the rule that refuses it
	State   State
	RetryIn time.Duration // when to ask again
}

// String says it in words, for a log or an answer.
func (r *Refused) String() string {
	return fmt.Sprintf("%s is %s by the rule %q", r.Scope, r.State, r.Rule.Name())
}

// Core counts the completions of one scope and changes the states of its
// rules. It reports each change at once to the function that it was built
// with, within Enter or End, so that the engine follows it.
type Core interface {
	// Enter asks to pass one call. It turns rules half-open whose time has
	// come. The ticket of a call that passed must be ended.
	Enter(now time.Time) (Ticket, bool)
	// Close gives back what the core holds. Tickets may still be ended.
	Close()
}

// Ticket is the core's side of a call under way.
type Ticket interface {
	End(now time.Time, c Completion)
}

// Completion is what a core is to count of a call.
type Completion struct {
	Counts   bool          // if not, only the ticket ends
	Failed   bool          // for the error strategies
	Response time.Duration // for the slow-call strategy
}

// Builder builds the core of a scope. The rules are valid and at least one;
// changed is told the rule's index.
type Builder func(scope string, rules []Rule, changed func(rule int, to State)) (Core, error)

// Bounds of an engine. Models are named by clients, who may invent them.
const (
	maxScopes = 256
	idleAfter = 10 * time.Minute
	others    = "others" // the scope of those that found no place
	probeWait = time.Second
)

// Engine keeps the breakers of all scopes. It is not safe for concurrent use,
// and neither are its permits: whoever shares it locks it.
type Engine struct {
	build  Builder
	rules  []Rule
	scopes map[string]*scope // bounded by maxScopes
}

// New returns an engine with these rules, whose cores come from build; nil
// stands for [Window].
func New(rules []Rule, build Builder) (*Engine, error) {
	if build == nil {
		build = Window
	}
	e := &Engine{build: build, scopes: map[string]*scope{}}
	return e, e.Load(rules)
}

// Load replaces the rules. A scope whose rules stay the same keeps its state,
// the others begin anew, closed. It changes nothing if a rule is not valid.
func (e *Engine) Load(rules []Rule) error {
	rules = slices.Clone(rules)
	for i := range rules {
		rules[i] = rules[i].withDefaults()
	}
	if err := Validate(rules); err != nil {
		return err
	}
	e.rules = rules
	for name, s := range e.scopes {
		if !slices.Equal(s.rules, rulesFor(rules, name)) {
			e.drop(name, s)
		}
	}
	return nil
}

// Check says whether a call of the scope would be refused now, and takes
// nothing.
func (e *Engine) Check(now time.Time, name string) *Refused {
	s := e.of(now, name)
	s.expire(now)
	return s.refusal(now)
}

// Acquire asks to send a call now. Its permit must be ended by
// [Permit.Done].
func (e *Engine) Acquire(now time.Time, name string) (*Permit, *Refused) {
	s := e.of(now, name)
	s.expire(now)
	if r := s.refusal(now); r != nil {
		return nil, r
	}
	p := &Permit{scope: s, began: now}
	if s.core != nil {
		ticket, ok := s.core.Enter(now)
		if !ok {
			return nil, &Refused{Scope: name, Rule: s.rules[0], State: s.state(), RetryIn: probeWait}
		}
		p.ticket = ticket
	}
	p.generation = s.generation
	s.probe(now, p)
	return p, nil
}

// Status is the state of one scope.
type Status struct {
	Scope   string
	State   State             // the least closed of its rules
	Since   time.Time         // when it came to that state
	Rule    Rule              // the rule of that state; the zero Rule while closed
	RetryAt time.Time         // while open, when a probe may go
	Changes [NumStates]uint64 // how often it went to each state
}

// Report lists the scopes that have ever changed their state, by name.
func (e *Engine) Report() []Status {
	var list []Status
	for _, s := range e.scopes {
		if s.generation > 0 {
			list = append(list, s.status())
		}
	}
	slices.SortFunc(list, func(a, b Status) int {
		if a.Scope < b.Scope {
			return -1
		}
		return 1
	})
	return list
}

// of returns the scope of that name, or the common one if there is no place.
func (e *Engine) of(now time.Time, name string) *scope {
	s, ok := e.scopes[name]
	if !ok {
		if len(e.scopes) >= maxScopes {
			e.forget(now)
		}
		if len(e.scopes) >= maxScopes-1 { // the last place is that of the others
			name = others
		}
		if s, ok = e.scopes[name]; !ok {
			s = e.newScope(name)
			e.scopes[name] = s
		}
	}
	s.now = now
	return s
}

// forget drops the scopes that are closed and have not been used lately.
func (e *Engine) forget(now time.Time) {
	for name, s := range e.scopes {
		if s.state() == Closed && now.Sub(s.now) > idleAfter {
			e.drop(name, s)
		}
	}
}

func (e *Engine) drop(name string, s *scope) {
	delete(e.scopes, name)
	if s.core != nil {
		s.core.Close()
	}
}
