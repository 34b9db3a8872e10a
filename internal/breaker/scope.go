package breaker

import (
	"slices"
	"time"
)

// scope supervises one core: it knows the states, the generation and the
// probes.
type scope struct {
	name       string
	rules      []Rule
	core       Core // nil if there is no rule
	circuits   []circuit
	generation uint64 // counts the changes of state
	changes    [NumStates]uint64
	since      time.Time // of the present state
	probes     []*Permit // under way, of this generation
	now        time.Time // of the latest operation
}

// circuit is what the engine knows of one rule.
type circuit struct {
	state   State
	retryAt time.Time // while open
}

func (e *Engine) newScope(name string) *scope {
	s := &scope{name: name, rules: rulesFor(e.rules, name)}
	if len(s.rules) == 0 {
		return s
	}
	core, err := e.build(name, s.rules, s.changed)
	if err != nil { // no breaker is better than no service
		s.rules = nil
		return s
	}
	s.core, s.circuits = core, make([]circuit, len(s.rules))
	return s
}

// changed is called by the core within Enter and End.
func (s *scope) changed(rule int, to State) {
	before := s.state()
	s.circuits[rule].state = to
	if to == Open {
		// To the millisecond, as Sentinel counts.
		s.circuits[rule].retryAt = s.now.Truncate(time.Millisecond).Add(s.rules[rule].retryTimeout())
	}
	s.generation++
	s.probes = nil
	if after := s.state(); after != before {
		s.changes[after]++
		s.since = s.now
	}
}

// state is the least closed of the rules.
func (s *scope) state() State {
	worst := Closed
	for _, c := range s.circuits {
		worst = max(worst, c.state)
	}
	return worst
}

// status describes the scope.
func (s *scope) status() Status {
	out := Status{Scope: s.name, State: s.state(), Since: s.since, Changes: s.changes}
	for i, c := range s.circuits {
		if out.State == Closed || c.state != out.State || c.retryAt.Before(out.RetryAt) {
			continue
		}
		out.Rule, out.RetryAt = s.rules[i], c.retryAt
	}
	return out
}

// refusal says why a call may not pass, or nil.
func (s *scope) refusal(now time.Time) *Refused {
	var worst *Refused
	for i, c := range s.circuits {
		var wait time.Duration
		switch {
		case c.state == Open && now.Before(c.retryAt):
			wait = c.retryAt.Sub(now)
		case c.state == Closed, uint64(len(s.probes)) < s.rules[i].ProbeCap:
			continue
		default:
			wait = probeWait
		}
		if worst == nil || wait > worst.RetryIn {
			worst = &Refused{Scope: s.name, Rule: s.rules[i], State: c.state, RetryIn: wait}
		}
	}
	return worst
}

// probe makes p a probe if the scope is half-open.
func (s *scope) probe(now time.Time, p *Permit) {
	for i, c := range s.circuits {
		if c.state != HalfOpen {
			continue
		}
		if d := now.Add(s.rules[i].probeTimeout()); p.deadline.IsZero() || d.Before(p.deadline) {
			p.deadline = d
		}
	}
	if !p.deadline.IsZero() {
		s.probes = append(s.probes, p)
	}
}

// expire fails the probes that have lasted too long. It runs when somebody
// asks: until then nobody would gain from it.
func (s *scope) expire(now time.Time) {
	for len(s.probes) > 0 {
		i := slices.IndexFunc(s.probes, func(p *Permit) bool { return !now.Before(p.deadline) })
		if i < 0 {
			return
		}
		s.probes[i].end(now, Completion{Counts: true, Failed: true, Response: forever})
	}
}

// forever is slow by any rule.
const forever = time.Duration(1<<63 - 1)

// Permit is a call under way.
type Permit struct {
	scope      *scope
	ticket     Ticket // nil if there is no rule
	generation uint64
	began      time.Time
	first      time.Time // the first token; zero if it is not known
	deadline   time.Time // of a probe
	ended      bool
}

// FirstToken says that the first token has come. Only that can be slow; the
// rest of a stream takes as long as it takes.
func (p *Permit) FirstToken(now time.Time) {
	if p.first.IsZero() {
		p.first = now
	}
}

// Done ends the permit. Only the first end counts. A call that succeeded
// without a first token, since its answer came in one piece, was not slow.
func (p *Permit) Done(now time.Time, o Outcome) {
	c := Completion{Counts: o != Ignored, Failed: o == Failed}
	switch {
	case !p.first.IsZero():
		c.Response = p.first.Sub(p.began)
	case o == Failed:
		c.Response = now.Sub(p.began)
	}
	p.end(now, c)
}

// end ends the permit with a completion, which counts only if the state has
// not changed since the call began.
func (p *Permit) end(now time.Time, c Completion) {
	if p.ended {
		return
	}
	p.ended = true
	s := p.scope
	s.now = now
	c.Counts = c.Counts && p.generation == s.generation
	if i := slices.Index(s.probes, p); i >= 0 {
		s.probes = slices.Delete(s.probes, i, i+1)
	}
	if p.ticket != nil {
		p.ticket.End(now, c)
	}
}
