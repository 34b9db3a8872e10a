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

// Progress is how many of the parts of a request have been answered. It is safe
// for concurrent use; the zero Progress says that there are no parts.
type Progress struct{ done, total atomic.Int64 }

// Expect says that n more parts are asked about.
func (p *Progress) Expect(n int) { p.total.Add(int64(n)) }

// Done says that one more part has been answered.
func (p *Progress) Done() { p.done.Add(1) }

// State returns how many parts there are, and how many of them are answered.
func (p *Progress) State() (done, total int64) { return p.done.Load(), p.total.Load() }
