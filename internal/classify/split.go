package classify

import (
	"strings"
	"time"

	"github.com/weir-gateway/weir/call"
)

// splitWish reads weir-split: off, auto, or auto with the way to merge, such as
// "auto; merge=list".
func splitWish(text string) (w call.SplitWish, err error) {
	word, rest, more := strings.Cut(text, ";")
	switch word = strings.TrimSpace(word); {
	case word == "auto":
		w.Auto = true
	case word != "" && word != "off":
		return w, malformed("weir-split must be off or auto, not %q", text)
	}
	if !more {
		return w, nil
	}
	how, named := strings.CutPrefix(strings.TrimSpace(rest), "merge=")
	merge, known := call.ParseMerge(how)
	if !named || !known {
		return w, malformed("weir-split may say merge=reduce, merge=concat or merge=list, not %q", text)
	}
	w.Merge = merge
	return w, nil
}

// Part makes a call of its own, for the same caller, of a request that stands
// for a part of c. It is not asked for as a stream. What was sent of c as a whole
// is no story of the part's.
func (r *Room) Part(c *call.Call, body []byte) (*call.Call, error) {
	p := c.Clone()
	p.ID, p.Seq, p.Received = requestID(), r.seq.Add(1), time.Now()
	p.Body, p.Stream, p.Content, p.Parts = body, false, call.Content{}, 0
	p.Story, p.Lost, p.Degraded = nil, call.Usage{}, call.Degradation{}
	p.Header = c.Header.Clone()
	p.Header.Set("Accept-Encoding", "identity") // it is read here
	p.Header.Del("Idempotency-Key")             // of another request
	_, err := r.parse(p)
	return p, err
}
