package call

import "sync/atomic"

// SplitWish is whether a request that is too long may be answered in parts
// (weir-split). The zero SplitWish is that it may not.
type SplitWish struct {
	Auto  bool
	Merge Merge // of the parts' answers; MergeAsConfigured: as the operator says
}

// Merge is how the answers to the parts of a request become one.
type Merge uint8

// The ways to merge.
const (
	MergeAsConfigured Merge = iota
	MergeReduce             // a last request makes one answer of them
	MergeConcat             // one text after the other
	MergeList               // a content block each
)

// mergeWords are the words of the header weir-split and of the configuration.
var mergeWords = [...]string{"", "reduce", "concat", "list"}

// ParseMerge reads the word for a way to merge.
func ParseMerge(s string) (Merge, bool) {
	for i, word := range mergeWords {
		if i > 0 && word == s {
			return Merge(i), true
		}
	}
	return MergeAsConfigured, false
}

// Progress is how far a request has got that is answered in parts. It is safe
// for concurrent use; the zero Progress, and nil, say that there are no parts.
type Progress struct{ parts, done, total atomic.Int64 }

// Split says into how many parts the request is split. What was expected of an
// earlier splitting is over.
func (p *Progress) Split(parts int) {
	p.parts.Store(int64(parts))
	p.done.Store(0)
	p.total.Store(0)
}

// Parts is into how many parts the request was split; 0: it was not, so far.
func (p *Progress) Parts() int {
	if p == nil {
		return 0
	}
	return int(p.parts.Load())
}

// Expect says that n more answers are asked for: of parts, or of what puts their
// answers together.
func (p *Progress) Expect(n int) { p.total.Add(int64(n)) }

// Done says that one more has come.
func (p *Progress) Done() { p.done.Add(1) }

// State returns how many answers are asked for, and how many of them have come.
func (p *Progress) State() (done, total int64) {
	if p == nil {
		return 0, 0
	}
	return p.done.Load(), p.total.Load()
}
