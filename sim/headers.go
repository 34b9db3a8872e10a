package sim

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// headerGroups are the groups of rate-limit headers, by limiter.
var headerGroups = [numLimiters]string{"Requests", "Input-Tokens", "Output-Tokens"}

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
func (f figures) write(h http.Header, group string) {
	prefix := "Anthropic-Ratelimit-" + group
	h[prefix+"-Limit"] = []string{strconv.FormatInt(f.limit, 10)}
	h[prefix+"-Remaining"] = []string{strconv.FormatInt(f.remaining, 10)}
	h[prefix+"-Reset"] = []string{f.reset.UTC().Format(time.RFC3339)}
}

// writeLimits sets the rate-limit headers of an admitted or refused request.
func (t *ticket) writeLimits(h http.Header, c clock) {
	omit := t.org.rules.OmitHeaders
	var shown [numLimiters]figures
	for l, r := range t.reading {
		if !r.known {
			continue
		}
		shown[l] = r.show(l, c)
		if group := headerGroups[l]; !slices.Contains(omit, omitNames[l]) {
			shown[l].write(h, group)
		}
	}
	in, inKnown := t.strictest(input, c)
	out, outKnown := t.strictest(output, c)
	if inKnown && outKnown && !slices.Contains(omit, "tokens") {
		sum(in, out).write(h, "Tokens")
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
