package shape

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/weir-gateway/weir/call"
)

// The lifetimes that the upstream offers.
const (
	shortTTL = 5 * time.Minute
	longTTL  = time.Hour
)

// member is the mark as a member of a block.
func member(ttl time.Duration) string {
	if ttl == longTTL {
		return `,"cache_control":{"type":"ephemeral","ttl":"1h"}`
	}
	return `,"cache_control":{"type":"ephemeral"}`
}

// What a bare string is wrapped into, so that it can carry a mark: the upstream
// reads it as a list of one text block in any case.
const (
	beforeText = `[{"type":"text","text":`
	afterText  = `}]`
)

// withMarks puts a mark into each of the blocks that end there. It copies the
// body: the old one may still be read by others. Every byte of it stays, in
// its order.
func withMarks(body []byte, ends []call.End, ttl time.Duration) []byte {
	slices.SortFunc(ends, func(a, b call.End) int { return cmp.Compare(a.To, b.To) })
	mark := member(ttl)
	out := make([]byte, 0, len(body)+len(ends)*(len(mark)+len(beforeText)+len(afterText)))
	from := 0
	for _, e := range ends {
		if e.Text > 0 {
			out = append(append(out, body[from:e.Text]...), beforeText...)
			out = append(append(out, body[e.Text:e.To]...), mark...)
			out = append(out, afterText...)
			from = e.To
			continue
		}
		out = append(append(out, body[from:e.To-1]...), mark...)
		from = e.To - 1 // the brace that ends the block
	}
	return append(out, body[from:]...)
}

// withoutMarks takes the marks out again. There are no others: requests with a
// mark of the caller's are left alone, and in a string its quotes are escaped.
// What was wrapped stays so.
func withoutMarks(body []byte, ttl time.Duration) []byte {
	return bytes.ReplaceAll(body, []byte(member(ttl)), nil)
}
