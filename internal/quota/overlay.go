package quota

import (
	"time"

	"github.com/weir-gateway/weir/call"
)

// overlay is what a workspace allows on top of its organization. The headers
// hardly show it: its limits are learned from the 429s that name them or from
// the Rate Limits API, and its levels run by dead reckoning.
type overlay struct {
	bucket [call.NumLimiters]bucket
}

// maxOverlays bounds the workspaces of one group that are remembered.
const maxOverlays = 1000

// overlayOf returns a workspace's overlay, advanced to now, or nil.
func (g *Group) overlayOf(now time.Time, workspace string) *overlay {
	o := g.overlays[workspace]
	if o != nil {
		for l := range o.bucket {
			o.bucket[l].advance(now)
		}
	}
	return o
}

// wait is how long d must wait for the workspace.
func (o *overlay) wait(d Demand, slack float64) (wait time.Duration, bound call.Limiter) {
	waits := [call.NumLimiters]time.Duration{
		call.Requests:     o.bucket[call.Requests].waitFor(1, 0),
		call.InputTokens:  o.bucket[call.InputTokens].waitFor(float64(d.Input), slack),
		call.OutputTokens: o.bucket[call.OutputTokens].wait(o.bucket[call.OutputTokens].reserve()),
	}
	for l := range call.Limiter(call.NumLimiters) {
		if waits[l] > wait {
			wait, bound = waits[l], l
		}
	}
	return wait, bound
}

// take charges n of a limiter to the flight's workspace.
func (g *Group) takeOverlay(now time.Time, f *Flight, l call.Limiter, n float64) {
	if o := g.overlayOf(now, f.workspace); o != nil {
		o.bucket[l].take(n)
	}
}

// rejectedByWorkspace learns a workspace's limit, and what is left of it, from
// its 429.
func (g *Group) rejectedByWorkspace(now time.Time, f *Flight, v call.Verdict, need float64) {
	o := g.overlayOf(now, f.workspace)
	if o == nil {
		if g.overlays == nil {
			g.overlays = map[string]*overlay{}
		}
		if len(g.overlays) >= maxOverlays {
			clear(g.overlays) // they are learned again
		}
		o = &overlay{}
		for l := range o.bucket {
			o.bucket[l].at = now
		}
		g.overlays[f.workspace] = o
	}
	b := &o.bucket[v.Limiter]
	if b.limit != v.Limit {
		b.set(now, v.Limit, v.Limit)
		b.source = "guess"
	}
	b.rejected(now, need, v.RetryAfter, false)
}
