package split

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/message"
	"github.com/weir-gateway/weir/internal/textsplit"
)

// unit is what is asked at once: a piece in the place of one of the texts, while
// the others that are cut are left out.
type unit struct {
	text  int    // index in job.cut
	note  string // tells the model what it sees
	piece string
}

// body is the request of a unit. It is not for a stream. The marks for the prompt
// cache on and behind the texts are taken out: no other request begins like it.
func (j *job) body(u unit) []byte {
	type edit struct {
		from, to int
		value    []byte
	}
	var edits []edit
	first := j.cut[0].at
	for i, t := range j.cut {
		said := leftOut(j.call.Lang)
		if i == u.text {
			said = u.note + u.piece
		}
		quoted, err := jsontext.AppendQuote(nil, t.head+said+t.tail)
		if err != nil { // some bytes are no UTF-8, which classify has refused already
			quoted, _ = jsontext.AppendQuote(nil, strings.ToValidUTF8(t.head+said+t.tail, "\ufffd"))
		}
		edits = append(edits, edit{t.from, t.to, quoted})
	}
	for _, m := range j.request.marks {
		if !m.at.before(first) {
			edits = append(edits, edit{m.from, m.to, []byte("null")})
		}
	}
	slices.SortFunc(edits, func(a, b edit) int { return a.from - b.from })
	var out bytes.Buffer
	at := 0
	for _, e := range edits {
		out.Write(j.request.body[at:e.from])
		out.Write(e.value)
		at = e.to
	}
	out.Write(j.request.body[at:])
	if stream, err := message.Get(out.Bytes(), "stream"); err == nil && stream != nil {
		if plain, err := message.Set(out.Bytes(), "stream", []byte("false")); err == nil {
			return plain
		}
	}
	return out.Bytes()
}

// units cuts the texts.
func (j *job) units() ([]unit, error) {
	cuts := j.room.cuts.recall(j)
	of := 0
	for _, parts := range cuts {
		of += len(parts)
	}
	if of > j.cfg.MaxParts {
		return nil, &call.Refusal{Reason: call.TooLarge, Limiter: call.InputTokens, Need: j.whole, Limit: j.size * call.Tokens(j.cfg.MaxParts)}
	}
	list := make([]unit, 0, of)
	for i, parts := range cuts {
		long := j.cut[i].long()
		for _, p := range parts {
			list = append(list, unit{i, partNote(j.call.Lang, len(list)+1, of), long[p.From:p.To]})
		}
	}
	return list, nil
}

// halves cuts a unit in two or more, or returns nil.
func (j *job) halves(u unit) (list []unit) {
	bounds := textsplit.Bounds{Part: (j.cost(u.piece) + 1) / 2}
	parts := textsplit.Split(u.piece, bounds, j.cost)
	if len(parts) < 2 {
		return nil
	}
	for _, p := range parts {
		list = append(list, unit{u.text, u.note, u.piece[p.From:p.To]})
	}
	return list
}

func (j *job) cost(piece string) call.Tokens { return j.room.house.Text(j.call, piece) }

// memory remembers how texts were cut. The parts of one that comes again are the
// same then, and the cache knows their answers, although estimates have learned
// meanwhile.
type memory struct {
	mu     sync.Mutex
	known  map[[sha256.Size]byte]cutting
	oldest [][sha256.Size]byte
}

// maxKnown bounds what is remembered.
const maxKnown = 64

// cutting is how the texts of a request were cut.
type cutting struct {
	size call.Tokens
	cuts [][]textsplit.Part // by text
}

// recall returns how the texts of j were cut before, or cuts them.
func (m *memory) recall(j *job) [][]textsplit.Part {
	key := j.key()
	m.mu.Lock()
	c, ok := m.known[key]
	m.mu.Unlock()
	if ok && j.fit(c) {
		j.size = c.size
		return c.cuts
	}
	c = cutting{size: j.size}
	for _, t := range j.cut {
		c.cuts = append(c.cuts, textsplit.Split(t.long(), textsplit.Bounds{Part: j.size, Overlap: j.cfg.Overlap}, j.cost))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		m.known = map[[sha256.Size]byte]cutting{}
	}
	if _, again := m.known[key]; !again {
		m.oldest = append(m.oldest, key)
	}
	m.known[key] = c
	if len(m.oldest) > maxKnown {
		delete(m.known, m.oldest[0])
		m.oldest = m.oldest[1:]
	}
	return c.cuts
}

// key tells apart what is cut, and how.
func (j *job) key() (sum [sha256.Size]byte) {
	h := sha256.New()
	fmt.Fprintln(h, j.call.Model, j.cfg.Above, j.cfg.Part, j.cfg.Overlap)
	for _, t := range j.cut {
		_ = binary.Write(h, binary.BigEndian, int64(len(t.long()))) // a hash takes all
		_, _ = h.Write([]byte(t.long()))
	}
	h.Sum(sum[:0])
	return sum
}

// fit reports whether texts may be cut now as they were before.
func (j *job) fit(c cutting) bool {
	if c.size < j.size/2 {
		return false
	}
	for i, parts := range c.cuts {
		long := j.cut[i].long()
		if slices.ContainsFunc(parts, func(p textsplit.Part) bool { return j.cost(long[p.From:p.To]) > j.most }) {
			return false
		}
	}
	return true
}
