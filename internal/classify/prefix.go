package classify

import (
	"bytes"
	"hash/maphash"
	"time"

	"github.com/weir-gateway/weir/call"
)

// numParts is how many parts of a request the upstream caches, in an order that
// need not be that of the body (Anthropic docs, prompt caching).
const numParts = int(call.InMessages) + 1

// The lifetimes of entries.
const (
	shortTTL = 5 * time.Minute
	longTTL  = time.Hour
)

// part is what was read of one of them.
type part struct {
	call.Measure
	hash uint64
	ends []call.End // of each block so far, within the part
}

func (p *parser) part() *part { return &p.parts[p.now] }

// text measures a text for the model.
func (p *parser) text(raw []byte) {
	part := p.part()
	measure(raw, &part.Text)
	part.fold(p, raw)
}

// fold makes data count for the hash of the part.
func (t *part) fold(p *parser, data []byte) {
	if p.caching {
		t.hash = join(t.hash, maphash.Bytes(p.seed, data))
	}
}

// join hashes two hashes.
func join(a, b uint64) uint64 {
	a = (a ^ b) * 0x9E3779B97F4A7C15 // the golden ratio, as in Fibonacci hashing
	return a ^ a>>29
}

// maxEnds bounds the blocks whose ends are kept: each takes a hundred times the
// space of the smallest block. The blocks of a request that reaches it would
// have some fifty tokens each.
const maxEnds = 20_000

// boundary notes the end of a block.
func (p *parser) boundary() {
	if !p.caching {
		return
	}
	t := p.part()
	if len(t.ends) == maxEnds { // such a request is one without marks
		p.caching = false
		for i := range p.parts {
			p.parts[i].ends = nil
		}
		return
	}
	end := call.End{Part: p.now, Open: p.open, Text: p.bare}
	end.Prefix = call.Prefix{Measure: t.Measure, Hash: t.hash, TTL: p.mark}
	if p.wanted {
		end.To = p.lean.offset(int(p.dec.InputOffset()))
	}
	t.ends = append(t.ends, end)
	p.mark, p.open, p.bare = 0, false, 0
}

// cacheMark reads a cache_control member. Where there is one, even if it is null,
// nobody else puts any in: a second one might win.
func (p *parser) cacheMark(into *time.Duration) error {
	p.wanted = false
	raw, err := p.dec.ReadValue()
	if len(raw) > 0 && raw[0] == '{' {
		*into = lifetime(raw)
	}
	return err
}

// lifetime is the TTL that a cache_control object asks for.
func lifetime(raw []byte) time.Duration {
	if bytes.Contains(raw, []byte(`"1h"`)) {
		return longTTL
	}
	return shortTTL
}

// assemble adds the parts up, and lists the prefixes at which an entry that
// this request can read may end, or all ends where somebody may put marks in.
func (p *parser) assemble() {
	var before call.Measure
	var hash uint64
	var all []call.End
	if p.caching {
		all = make([]call.End, 0, len(p.parts[0].ends)+len(p.parts[1].ends)+len(p.parts[2].ends))
	}
	for i := range p.parts {
		t := &p.parts[i]
		for _, end := range t.ends {
			end.Add(&before)
			end.Hash = join(hash, end.Hash)
			all = append(all, end)
		}
		before.Add(&t.Measure)
		hash = join(hash, t.hash)
	}
	p.c.Content.Measure = before
	if n := len(all); n > 0 && p.auto > 0 {
		all[n-1].TTL = max(all[n-1].TTL, p.auto)
	}
	p.c.Content.Prefixes = call.Readable(all)
	if p.wanted && p.auto == 0 && p.c.Content.Prefixes == nil {
		p.c.Content.Ends, p.c.Content.Read = all, p.lean.body
	}
}
