package call

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
