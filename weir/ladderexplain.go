package weir

import (
	"cmp"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Explanation is what a rung makes of a call.
type Explanation struct {
	Rung    Rung
	Verdict RungVerdict
	Enter   bool   // whether its condition holds
	Leave   bool   // likewise
	Values  string // what the conditions look at
	Err     error  // why one of them cannot be told; the rung stays as it is
}

// RungVerdict says what becomes of a rung.
type RungVerdict string

// The verdicts.
const (
	RungEnters    RungVerdict = "enters"    // or remains in force
	RungLeaves    RungVerdict = "leaves"    // or remains out of it
	RungStays     RungVerdict = "stays"     // as it is, whichever that is
	RungElsewhere RungVerdict = "elsewhere" // it is not for such calls
	RungProtected RungVerdict = "protected" // such calls are never made simpler
)

// DwellTime is how long the rung is in force, or not, at least.
func (r Rung) DwellTime() time.Duration { return cmp.Or(r.Dwell, DefaultDwell) }

// Explain tells what each rung makes of a call that finds s, and why. It does
// not look at the client, of which signals know nothing.
func (l Ladder) Explain(s call.Signals) []Explanation {
	c := call.Call{Class: s.Class, Tenant: s.Tenant, Model: s.Model}
	protected := l.protects(&c)
	out := make([]Explanation, len(l.Rungs))
	for i := range l.Rungs {
		out[i] = l.Rungs[i].explain(s)
		switch {
		case protected:
			out[i].Verdict = RungProtected
		case !l.Rungs[i].concerns(&c):
			out[i].Verdict = RungElsewhere
		}
	}
	return out
}

func (r *Rung) explain(s call.Signals) Explanation {
	out := Explanation{Rung: *r, Verdict: RungStays, Values: r.values(s)}
	out.Enter, out.Leave, out.Err = r.holds(s)
	switch {
	case out.Err != nil:
	case out.Enter:
		out.Verdict = RungEnters
	case out.Leave:
		out.Verdict = RungLeaves
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
