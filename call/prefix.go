package call

import (
	"slices"
	"time"
)

// Prefix is a beginning of the request, in the order of caching: tools,
// system, messages. It ends with a block.
type Prefix struct {
	Measure
	Hash uint64        // of its texts, without the cache_control marks in it
	TTL  time.Duration // how long an entry that the request wants here lives; 0: it wants none
}

// End is the end of a block, where a prefix ends too.
type End struct {
	Prefix
	Part Part
	Open bool // the block may carry a mark: it is of a kind that can, and not empty
	To   int  // place in the body just behind the block
	Text int  // place where the block begins, if it is a bare string in place of a list; else 0
}

// Part is where a block stands.
type Part uint8

// The parts of a request, in the order in which the upstream caches them.
const (
	InTools Part = iota
	InSystem
	InMessages
)

// The bounds of prompt caching (Anthropic docs, prompt caching).
const (
	MaxMarks = 4  // in a request
	Lookback = 20 // blocks before a mark where the upstream looks for an older entry
)

// Readable lists, of all ends in order, the prefixes at which an entry that the
// request can read may end: at a mark, or up to 20 blocks before one. The last
// of the list has a mark.
func Readable(ends []End) []Prefix {
	var list []Prefix
	reach := 0
	for i := len(ends) - 1; i >= 0; i-- {
		if reach--; ends[i].TTL > 0 {
			reach = Lookback
		}
		if reach < 0 {
			continue
		}
		if list == nil {
			list = make([]Prefix, 0, min(i+1, MaxMarks*(Lookback+1)))
		}
		list = append(list, ends[i].Prefix)
	}
	slices.Reverse(list)
	return list
}

// PromptCaching is what the gateway did for a call by marks of its own for the
// upstream's prompt cache. The zero PromptCaching is nothing.
type PromptCaching struct {
	Marks   int // that were put in; 0: none, whatever the cache did
	Saved   USD // what was read from the cache would have cost so much more
	Premium USD // what was written to it cost so much more
}
