package ladder

import (
	"github.com/weir-gateway/weir/call"
)

// Explanation is what a rung makes of a call.
type Explanation struct {
	Rung    Rung
	Verdict Verdict
	Enter   bool   // whether its condition holds
	Leave   bool   // likewise
	Values  string // what the conditions look at
	Err     error  // why one of them cannot be told; the rung stays as it is
}

// Verdict says what becomes of a rung.
type Verdict string

// The verdicts.
const (
	Enters    Verdict = "enters"    // or remains in force
	Leaves    Verdict = "leaves"    // or remains out of it
	Stays     Verdict = "stays"     // as it is, whichever that is
	Elsewhere Verdict = "elsewhere" // it is not for such calls
	Protected Verdict = "protected" // such calls are never made simpler
)

// Explain tells what each rung makes of a call that finds s, and why. It does
// not look at the client, of which signals know nothing.
func (p Plan) Explain(s call.Signals) []Explanation {
	c := call.Call{Class: s.Class, Tenant: s.Tenant, Model: s.Model}
	protected := p.protects(&c)
	out := make([]Explanation, len(p.Rungs))
	for i := range p.Rungs {
		out[i] = p.Rungs[i].explain(s)
		switch {
		case protected:
			out[i].Verdict = Protected
		case !p.Rungs[i].concerns(&c):
			out[i].Verdict = Elsewhere
		}
	}
	return out
}

func (r *Rung) explain(s call.Signals) Explanation {
	out := Explanation{Rung: *r, Verdict: Stays, Values: r.values(s)}
	out.Enter, out.Leave, out.Err = r.holds(s)
	switch {
	case out.Err != nil:
	case out.Enter:
		out.Verdict = Enters
	case out.Leave:
		out.Verdict = Leaves
	}
	return out
}

// holds evaluates both conditions.
func (r *Rung) holds(s call.Signals) (enter, leave bool, err error) {
	if enter, err = r.Enter.Holds(s); err != nil || r.Leave == nil {
		return enter, !enter && err == nil, err
	}
	leave, err = r.Leave.Holds(s)
	return enter, leave, err
}
