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
