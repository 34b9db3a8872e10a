package split

import (
	"bytes"
	"slices"
	"strings"

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
		return nil, &call.Refusal{Reason: call.BodyTooLarge, Detail: tooMany(j.call.Lang, of, j.cfg.MaxParts)}
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
