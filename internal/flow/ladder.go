package flow

import (
	"time"

	"github.com/weir-gateway/weir/call"
)

// ladder says how calls are to be made simpler.
type ladder interface {
	// Choose puts the rungs into c that are in force for it.
	Choose(now time.Time, c *call.Call)
	// Protects reports whether c is never to be made simpler, whatever is short.
	Protects(c *call.Call) bool
	// Again is when a call that a rung has refused may come again.
	Again(now time.Time, c *call.Call) time.Duration
}

// shed refuses a call that the ladder leaves no room for.
func (f *Corridor) shed(c *call.Call) error {
	if _, ok := c.InForce(call.RungRefuse); !ok {
		return nil
	}
	c.Degrade(call.RungRefuse)
	no := &call.Refusal{
		Reason: call.RuleRefused, Rule: "degrade." + string(call.RungRefuse), RetryIn: f.Ladder.Again(time.Now(), c),
	}
	tellWait(c, call.Key{}, no)
	return no
}

func (f *Corridor) protects(c *call.Call) bool { return f.Ladder != nil && f.Ladder.Protects(c) }
