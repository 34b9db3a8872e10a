// Package shape makes a call simpler than it came, where the operator allows it
// and the quota or the upstream forces it. It edits the bytes that must change
// and leaves the others alone. What changes the answer is noted in the call, to be
// announced: Degraded and MaxTokensAsked. It does not widen what a caller may use.
package shape

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/message"
)

// Room shapes calls. It is immutable and safe for concurrent use.
type Room struct {
	chains map[string][]string
	steps  []Step
}

// Step is one edit of a call that is about to be sent.
type Step interface {
	// Prepare edits c, and reports whether its estimate must be made anew. The
	// old body may still be read by others: a new one takes its place.
	Prepare(c *call.Call) bool
}

// undoer is a step whose edits can be taken back.
type undoer interface {
	Undo(now time.Time, c *call.Call, v call.Verdict) bool
}

// New returns the room. chains names, for a model, those that may answer in its
// place, in order. Each call goes through the steps, in order.
func New(chains map[string][]string, steps ...Step) *Room {
	return &Room{chains: chains, steps: steps}
}

// Prepare leads c through the steps, and reports whether its estimate must be
// made anew.
func (r *Room) Prepare(c *call.Call) bool {
	anew := false
	for _, s := range r.steps {
		anew = s.Prepare(c) || anew
	}
	return anew
}

// Undo takes back those edits of c at which its refusal v was aimed, and reports
// false if there are none.
func (r *Room) Undo(now time.Time, c *call.Call, v call.Verdict) bool {
	for _, s := range r.steps {
		if u, ok := s.(undoer); ok && u.Undo(now, c, v) {
			if s == Step(r.rungs()) { // it is as it came
				r.Prepare(c)
			}
			return true
		}
	}
	return false
}

// Fallback makes c a call of the first model in its chain, behind the one that
// it has now, for which open says that it can go. It reports false if there is
// none, or none that c's caller may use, and leaves c as it was.
func (r *Room) Fallback(c *call.Call, open func(*call.Call) bool) bool {
	asked := cmp.Or(c.Degraded.From, c.Model)
	chain := r.chains[asked]
	for i, model := range chain {
		if model == c.Model {
			chain = chain[i+1:]
			break
		}
	}
	for _, model := range chain {
		next := c.Clone()
		next.Model = model
		if !c.May(model) || !open(next) {
			continue
		}
		return r.change(c, model) // classify has read the body: it does not fail
	}
	return false
}

// change makes c a call of another model. What the ladder has edited is edited
// anew: the next model may know no effort, or have another default.
func (r *Room) change(c *call.Call, model string) bool {
	next := c.Clone()
	next.Degrade(call.RungModel)
	if rungs := r.rungs(); c.Plain != nil && rungs != nil {
		if rungs.restore(next, model) != nil {
			return false
		}
		next.Model = model
		r.Prepare(next)
	} else {
		body, err := withModel(c.Body, model)
		if err != nil {
			return false
		}
		next.Model, next.Body = model, body
	}
	*c = *next
	return true
}

// rungs is the first step, if the ladder is that.
func (r *Room) rungs() *Rungs {
	if len(r.steps) == 0 {
		return nil
	}
	rungs, _ := r.steps[0].(*Rungs)
	return rungs
}

// withModel puts another model into a request. It copies the body: the old one
// may still be on its way to the upstream.
func withModel(body []byte, model string) ([]byte, error) {
	word, err := json.Marshal(model)
	if err != nil {
		return nil, fmt.Errorf("write the model: %w", err)
	}
	if was, err := message.Get(body, "model"); err != nil || was == nil {
		return nil, fmt.Errorf("find the model: %w", cmp.Or(err, errNoModel))
	}
	return message.Set(body, "model", word)
}

var errNoModel = errors.New("there is none")
