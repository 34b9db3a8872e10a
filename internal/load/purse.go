package load

import (
	"bytes"
	"cmp"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/price"
)

// overhead bounds the tokens that the API adds to what a request holds: its own
// system prompts and the frame of the messages.
const overhead = 1000

// errSpent is why a request was not sent.
var errSpent = errors.New("the money is spent")

// How much less than a token to a byte is believed of text that a workload makes
// up: all of it is alike, so that after so many answers no other one has more
// than so many times the tokens to a byte of the worst of them.
const (
	learnFrom = 5
	margin    = 1.5
)

// Purse bounds what the requests of a run may cost. Each attempt is held at its
// worst case before it is sent, and booked at what it used after. An attempt
// whose usage nobody told stays booked at its worst case: the API may charge
// for it. It is safe for concurrent use.
type Purse struct {
	table *price.Table // Static after NewPurse.
	max   call.USD     // Static after NewPurse.

	mu    sync.Mutex
	spent call.USD // Guarded by mu.
	held  call.USD // Guarded by mu; worst cases of what is under way.
	empty bool     // Guarded by mu; once a request has been refused.
	lack  call.USD // Guarded by mu; the worst case of the refused request.

	density map[string]density // Guarded by mu; of made-up text, by model.
}

// density is how many tokens a byte of made-up text has.
type density struct {
	answers int
	highest float64
	broken  bool // an answer cost more than was held for it: nothing is believed
}

// NewPurse returns a purse of at most most, at the list prices. A model without
// a price costs the most that any does.
func NewPurse(most call.USD) *Purse {
	return &Purse{table: price.Builtin(), max: most, density: map[string]density{}}
}

// Spending is what a purse has booked.
type Spending struct {
	Max       call.USD `json:"max_usd"`     // 0: no bound was given
	Spent     call.USD `json:"spent_usd"`   // attempts of unknown usage at their worst case
	Exhausted bool     `json:"exhausted"`   // a request was not sent because it might have cost too much
	Refused   call.USD `json:"refused_usd"` // worst case of that request
}

// Spending returns what was booked so far.
func (p *Purse) Spending() Spending {
	if p == nil {
		return Spending{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	most := p.max
	if most == unbounded {
		most = 0
	}
	return Spending{Max: most, Spent: p.spent + p.held, Exhausted: p.empty, Refused: p.lack}
}

// unbounded is the bound of a purse that only counts.
const unbounded call.USD = 1 << 62

// NewCounter returns a purse that counts and refuses nothing.
func NewCounter() *Purse { return NewPurse(unbounded) }

// Empty reports whether a request has been refused: none is sent after it.
func (p *Purse) Empty() bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.empty
}

// hold sets aside the worst case of q, and reports whether it fits.
func (p *Purse) hold(q question) (worst call.USD, ok bool) {
	if p == nil {
		return 0, true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	bound := price.Bound{Input: p.mostInput(q), Output: call.Tokens(q.maxTokens), Fast: q.fast()}
	worst = p.table.Most(q.model, time.Now(), bound)
	if p.empty || worst > p.max-p.spent-p.held {
		if !p.empty {
			p.empty, p.lack = true, worst
		}
		return 0, false
	}
	p.held += worst
	return worst, true
}

// mostInput bounds the input of q. Each token of text is at least one byte of
// the body. The caller holds p.mu.
func (p *Purse) mostInput(q question) call.Tokens {
	most := float64(len(q.body))
	if d := p.density[q.model]; q.made && !d.broken && d.answers >= learnFrom {
		most = min(most, most*d.highest*margin)
	}
	return call.Tokens(most) + overhead
}

// learn takes how many tokens a made-up body had. The caller holds p.mu.
func (p *Purse) learn(q question, u call.Usage, broken bool) {
	d := p.density[q.model]
	d.answers++
	d.highest = max(d.highest, float64(u.Charged()+u.CacheRead)/float64(max(len(q.body), 1)))
	d.broken = d.broken || broken
	p.density[q.model] = d
}

// settle books what the attempt with this answer cost, instead of worst.
func (p *Purse) settle(q question, worst call.USD, a answer) {
	if p == nil {
		return
	}
	cost, exact := worst, a.outcome == OK && a.usage.Exact
	switch {
	case exact:
		cost, _ = p.table.Cost(cmp.Or(a.usage.Model, q.model), time.Now(), a.usage)
	case a.outcome == Refused || unsent(a.err): // an error status is not charged
		cost = 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held -= worst
	p.spent += cost
	if exact && q.made {
		p.learn(q, a.usage, cost > worst)
	}
}

// unsent reports whether an attempt failed before it had a connection.
func unsent(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// fast reports whether q may be answered at the prices of speed. That the words
// occur is enough: it is a bound.
func (q question) fast() bool { return bytes.Contains(q.body, []byte(`"speed"`)) }
