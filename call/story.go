package call

import "time"

// Wait says how one attempt came to be let out.
type Wait struct {
	Took    time.Duration `json:"took_ns"`
	BoundBy string        `json:"bound_by,omitempty"` // what held it last: a limiter, "retry_after", "window"
	Ahead   int           `json:"ahead"`              // calls that waited before it when it came
	Behind  string        `json:"behind,omitempty"`   // the tenant of the call at the head then
}

// Attempt is one chapter of a call's story: a wait, and what came of sending
// it.
type Attempt struct {
	At     time.Time     `json:"at"` // when it was sent
	Wait   Wait          `json:"wait"`
	Key    string        `json:"key"` // name of the key that paid
	Status int           `json:"status"`
	Kind   string        `json:"kind"`    // ok, or the kind of failure
	Took   time.Duration `json:"took_ns"` // until its fate was known

	Model string `json:"-"` // that was asked for; a call may be made one of another model

	// What an attempt may have been charged for whose answer nobody got. That of
	// the answer itself is the event's.
	Usage  Usage `json:"-"`
	Cost   USD   `json:"-"` // of Usage, by the price table
	Priced bool  `json:"-"`
}

// Abandoned is the kind of an attempt whose answer was no longer wanted: another
// one beside it was sooner, or the caller left.
const Abandoned = "abandoned"

// Sent reports whether the attempt reached out to the upstream. The other
// chapters of a story are waits that led to nothing.
func (a Attempt) Sent() bool {
	return a.Status != 0 || a.Kind == Abandoned || a.Kind == Unreachable.String()
}

// maxStory bounds the attempts that a call remembers: the first ones tell what
// happened, the last one how it ended.
const maxStory = 16

// Tell adds an attempt to the call's story.
func (c *Call) Tell(a Attempt) {
	if len(c.Story) == maxStory {
		c.Story[maxStory-1] = a
		return
	}
	c.Story = append(c.Story, a)
}
