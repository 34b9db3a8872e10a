package sim

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// group is the names of one group of rate-limit headers: limit, remaining and
// reset.
type group [3]string

func newGroup(name string) group {
	prefix := "Anthropic-Ratelimit-" + name
	return group{prefix + "-Limit", prefix + "-Remaining", prefix + "-Reset"}
}

// The groups of rate-limit headers.
var (
	limiterGroups = [numLimiters]group{newGroup("Requests"), newGroup("Input-Tokens"), newGroup("Output-Tokens")}
	tokensGroup   = newGroup("Tokens")
)

// figures are what one group of rate-limit headers says.
type figures struct {
	limit, remaining int64
	reset            time.Time
}

// show turns a reading into the figures of its headers: requests are rounded
// down, tokens to the nearest 1,000, debt is shown as 0, and the reset is the
// second in which the bucket will be full.
func (r reading) show(l int, c clock) figures {
	level := max(0, min(r.level, r.limit))
	remaining := math.Floor(level + 1e-6)
	if l != requests {
		remaining = math.Floor(level/1000+0.5) * 1000
	}
	return figures{
		limit: int64(r.limit), remaining: int64(remaining),
		reset: c.date(r.at + r.full).Truncate(time.Second),
	}
}

// sum is the group of the tokens headers: input and output together, with the
// earlier of the two resets.
func sum(in, out figures) figures {
	f := figures{limit: in.limit + out.limit, remaining: in.remaining + out.remaining, reset: in.reset}
	if out.reset.Before(f.reset) {
		f.reset = out.reset
	}
	return f
}

// write sets the three headers of a group.
func (f figures) write(h http.Header, g group) {
	values := []string{
		strconv.FormatInt(f.limit, 10), strconv.FormatInt(f.remaining, 10), f.reset.UTC().Format(time.RFC3339),
	}
	for i, name := range g {
		h[name] = values[i : i+1 : i+1] // one allocation for all three
	}
}

// writeLimits sets the rate-limit headers of an admitted or refused request.
func (t *ticket) writeLimits(h http.Header, c clock) {
	omit := t.org.rules.OmitHeaders
	for l, r := range t.reading {
		if !r.known {
			continue
		}
		if !slices.Contains(omit, omitNames[l]) {
			r.show(l, c).write(h, limiterGroups[l])
		}
	}
	in, inKnown := t.strictest(input, c)
	out, outKnown := t.strictest(output, c)
	if inKnown && outKnown && !slices.Contains(omit, "tokens") {
		sum(in, out).write(h, tokensGroup)
	}
}

// omitNames are the words of [Rules].OmitHeaders.
var omitNames = [numLimiters]string{"requests", "input-tokens", "output-tokens"}

// strictest returns what the tokens headers add up: the workspace's own limit
// where it has one, else the organization's.
func (t *ticket) strictest(l int, c clock) (figures, bool) {
	r := t.reading[l]
	if t.overlay[l].known {
		r = t.overlay[l]
	}
	return r.show(l, c), r.known
}

// itoa is short for the one conversion that is everywhere.
func itoa(n int) string { return strconv.Itoa(n) }
