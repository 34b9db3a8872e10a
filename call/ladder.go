package call

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Signals are what the conditions of the degradation ladder look at, as a call
// that comes now finds it.
type Signals struct {
	Headroom  float64       // share left of the tightest bucket, 0 to 1; 1: nothing is known
	Input     float64       // of input tokens
	Output    float64       // of output tokens
	Requests  float64       // of requests
	QueueWait time.Duration // how long the oldest waiting call of the same class, or a more urgent one, has waited
	Waiting   int           // calls that wait for the same quota
	Budget    float64       // share spent of the fullest budget that the call draws on
	Breaker   string        // closed, half_open or open
	Now       time.Time
	Class     Class
	Tenant    string
	Model     string
}

// Rung is one way in which a call may be made simpler. Of its numbers that one
// counts which its kind needs.
type Rung struct {
	Kind      RungKind
	Effort    string // low, medium, high or xhigh
	MaxTokens Tokens // of max_tokens
	Thinking  Tokens // budget of tokens to think with; 0: no thinking
	Turns     int    // of the user that are kept besides the first
	Bytes     int    // of an image, encoded, that is kept
}

// RungKind says what a [Rung] does. Its value is the word that the header
// weir-degraded uses.
type RungKind string

// The rungs.
const (
	RungEffort    RungKind = "effort"     // output_config.effort lower
	RungThinking  RungKind = "thinking"   // thinking off, or smaller
	RungMaxTokens RungKind = "max_tokens" // lower
	RungTrim      RungKind = "trim"       // the oldest turns left out
	RungImages    RungKind = "images"     // large images left out
	RungModel     RungKind = "fallback"   // the next model of its chain
	RungCached    RungKind = "cached"     // an answer from the cache, however old
	RungBatches   RungKind = "batches"    // by a Message Batch
	RungRefuse    RungKind = "refuse"     // not at all
)

// RungKinds lists the rungs, the gentlest first.
func RungKinds() []RungKind {
	return []RungKind{RungEffort, RungThinking, RungMaxTokens, RungTrim, RungImages, RungModel, RungCached, RungBatches, RungRefuse}
}

// InForce returns the last rung of a kind that is in force for c.
func (c *Call) InForce(kind RungKind) (r Rung, ok bool) {
	for _, each := range c.Rungs {
		if each.Kind == kind {
			r, ok = each, true
		}
	}
	return r, ok
}

// Wanted spells the rungs that are in force for c, or is empty.
func (c *Call) Wanted() string {
	if len(c.Rungs) == 0 {
		return ""
	}
	return fmt.Sprint(c.Rungs)
}

// Degrade notes that c was made simpler.
func (c *Call) Degrade(kind RungKind) {
	if c.Degraded.From == "" {
		c.Degraded.From = c.Model
	}
	if !c.Degraded.Has(kind) {
		c.Degraded.Rung = strings.TrimPrefix(c.Degraded.Rung+rungSeparator+string(kind), rungSeparator)
	}
}

// rungSeparator stands between the rungs of one call.
const rungSeparator = "+"

// Rungs are what was done, in its order; nil: nothing.
func (d Degradation) Rungs() []string {
	if d.Rung == "" {
		return nil
	}
	return strings.Split(d.Rung, rungSeparator)
}

// Has reports whether that was done.
func (d Degradation) Has(kind RungKind) bool {
	return slices.Contains(d.Rungs(), string(kind))
}
