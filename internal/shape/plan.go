package shape

import (
	"slices"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Places that are remembered of a request, beside the ends of its tools and
// system prompts.
const (
	heads = 12 // from the start of the messages, for documents that many questions are asked about
	tails = 4  // up to the end, for programs that change what they have sent last
)

// plan decides where marks go, at most four, and learns from the request. It
// returns places among the ends of o.
//
// The last mark is the only one that costs anything, for whatever stands before
// it is written in any case. It goes to the end of the conversation where that
// is likely to go on from there, or else to the end of the longest beginning that
// has repeated.
func (h *habits) plan(now time.Time, subject uint64, o outline) []int {
	known, what := h.known(now, subject, o)
	chance := h.chance(subject, o, known, what)
	h.remember(now, subject, o, known, what)
	last := known
	switch purse := h.purse(subject); {
	case now.Before(purse.shut), purse.tokens < 0 && !what.kept:
		last = -1
	case purse.tokens < 0: // reading it costs nothing
	case o.tail > known && worthIt(h.ttl, chance):
		last = o.tail
	}
	if last < 0 {
		return nil
	}
	marks := append(make([]int, 0, call.MaxMarks), last)
	for _, at := range [...]int{o.tools, o.sys, known} {
		if at >= 0 && at < last && !slices.Contains(marks, at) {
			marks = append(marks, at)
		}
	}
	for _, at := range marks {
		key := o.key(subject, at)
		s := h.seen[key]
		s.kept = true
		h.seen[key] = s
	}
	return marks
}

// known returns the end of the longest beginning that has repeated, or with
// which an earlier request had ended; -1 if there is none.
func (h *habits) known(now time.Time, subject uint64, o outline) (int, sighting) {
	for _, at := range slices.Backward(o.open) {
		s, ok := h.fresh(now, o.key(subject, at))
		if ok && (int(s.count) >= h.repeats-1 || s.whole && at < o.tail) {
			return at, s
		}
	}
	return -1, sighting{}
}

// chance counts the request, and is how likely another one goes on from it.
func (h *habits) chance(subject uint64, o outline, known int, what sighting) float64 {
	root := subject
	if o.sys >= 0 {
		root = o.key(subject, o.sys)
	}
	all, alike := h.asked(^subject), h.asked(root)
	guess := 0.0
	if h.goesOn(o, known, what) {
		guess = onceMore
		if !what.wentOn {
			all.wentOn++
			alike.wentOn++
		}
	}
	return alike.chance(max(guess, all.chance(0)))
}

// goesOn reports whether the request is the next one of a conversation.
func (h *habits) goesOn(o outline, known int, what sighting) bool {
	return what.whole && known >= 0 && known < o.tail
}

// remember notes what has been seen with the request.
func (h *habits) remember(now time.Time, subject uint64, o outline, known int, what sighting) {
	first := 0
	for first < len(o.open) && o.ends[o.open[first]].Part != call.InMessages {
		first++
	}
	for i, at := range o.open {
		switch {
		case at == o.tools, at == known, i >= first-heads && o.ends[at].Part == call.InSystem, i >= first && i < first+heads, i >= len(o.open)-tails:
			h.see(now, o.key(subject, at))
		}
	}
	if h.goesOn(o, known, what) {
		key := o.key(subject, known)
		s := h.seen[key]
		s.wentOn = true
		h.seen[key] = s
	}
	if o.tail >= 0 {
		key := o.key(subject, o.tail)
		s := h.seen[key]
		s.whole = true
		h.seen[key] = s
	}
}
