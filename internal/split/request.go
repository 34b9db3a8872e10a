package split

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// request is a request with the texts in it that can be cut.
type request struct {
	body   []byte
	texts  []text // of users, the longest first
	marks  []mark // for the prompt cache, in messages and of the whole request
	format bool   // the answer is to have a form that a program reads
}

// text is a text in a request. Its head and tail, the first and the last
// paragraph, are known where it is all that its message says: one of them is
// likely what is wanted of it.
type text struct {
	value      string
	head, tail string
	at         place // of its block
	from, to   int   // where it stands in the body, as a JSON string
}

// long is what is cut of the text.
func (t *text) long() string { return t.value[len(t.head) : len(t.value)-len(t.tail)] }

// place is where a block stands.
type place struct{ message, block int }

func (p place) before(o place) bool {
	return cmp.Or(cmp.Compare(p.message, o.message), cmp.Compare(p.block, o.block)) < 0
}

// mark is a value of cache_control.
type mark struct {
	at       place
	from, to int
}

// envelope is what is looked at of a request.
type envelope struct {
	Tools        []json.RawMessage
	Servers      []json.RawMessage `json:"mcp_servers"`
	Container    json.RawMessage
	OutputFormat json.RawMessage `json:"output_format"`
	OutputConfig struct {
		Format json.RawMessage
	} `json:"output_config"`
	Messages []struct {
		Role    string
		Content json.RawMessage
	}
}

// block is what is looked at of a content block.
type block struct {
	Type   string
	Text   string
	Source struct {
		Type, Data string
		Content    json.RawMessage
	}
}

// contentOf reads blocks, or the string that may stand in the place of one.
func contentOf(raw json.RawMessage) (list []block, plain bool) {
	one := block{Type: "text"}
	if json.Unmarshal(raw, &one.Text) == nil {
		return []block{one}, true
	}
	if json.Unmarshal(raw, &list) != nil {
		return nil, false
	}
	return list, false
}

// given reports whether a member is there, and not null.
func given(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

// shortest is how many bytes a text has at least that can be cut.
const shortest = 200

// read reads a request, and says why it cannot be split.
func read(body []byte) (*request, obstacle) {
	var doc envelope
	if json.Unmarshal(body, &doc) != nil {
		return nil, noText
	}
	if len(doc.Tools)+len(doc.Servers) > 0 || given(doc.Container) {
		return nil, tools
	}
	r := &request{body: body, format: given(doc.OutputFormat) || given(doc.OutputConfig.Format)}
	at := map[string]text{}
	for i, m := range doc.Messages {
		blocks, plain := contentOf(m.Content)
		for k, b := range blocks {
			if strings.HasSuffix(b.Type, "tool_use") || strings.HasSuffix(b.Type, "tool_result") {
				return nil, tools
			}
			if m.Role != "user" {
				continue
			}
			pointer := fmt.Sprintf("/messages/%d/content/%d", i, k)
			if plain {
				at[fmt.Sprintf("/messages/%d/content", i)] = text{value: b.Text, at: place{i, k}}
				continue
			}
			for below, value := range b.texts() {
				at[pointer+below] = text{value: value, at: place{i, k}}
			}
		}
	}
	r.find(at)
	if len(r.texts) == 0 {
		return nil, noText
	}
	slices.SortStableFunc(r.texts, func(a, b text) int { return cmp.Compare(len(b.value), len(a.value)) })
	r.findEnds(doc)
	return r, nothing
}

// texts returns those of a block, by their JSON pointers in it.
func (b *block) texts() map[string]string {
	switch {
	case b.Type == "text":
		return map[string]string{"/text": b.Text}
	case b.Type == "document" && b.Source.Type == "text":
		return map[string]string{"/source/data": b.Source.Data}
	case b.Type != "document" || b.Source.Type != "content":
		return nil
	}
	out := map[string]string{}
	list, plain := contentOf(b.Source.Content)
	for i, inner := range list {
		pointer := fmt.Sprintf("/source/content/%d/text", i)
		if plain {
			pointer = "/source/content"
		}
		if inner.Type == "text" {
			out[pointer] = inner.Text
		}
	}
	return out
}

// find sets where the texts with the given JSON pointers stand in the body, and
// the marks for the prompt cache.
func (r *request) find(at map[string]text) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(r.body))
	for {
		kind := dec.PeekKind()
		if kind == '{' && lastName(dec) == "cache_control" {
			raw, err := dec.ReadValue()
			if err != nil {
				return
			}
			r.mark(string(dec.StackPointer()), int(dec.InputOffset()), len(raw))
			continue
		}
		if kind != '"' {
			if _, err := dec.ReadToken(); err != nil {
				return
			}
			continue
		}
		raw, err := dec.ReadValue()
		if err != nil {
			return
		}
		if len(raw) < shortest || !isValue(dec) {
			continue
		}
		if t, ok := at[string(dec.StackPointer())]; ok && len(t.value) >= shortest {
			t.to = int(dec.InputOffset())
			t.from = t.to - len(raw)
			r.texts = append(r.texts, t)
		}
	}
}

// lastName is the name of the member whose value comes next, or "".
func lastName(dec *jsontext.Decoder) string {
	if kind, n := dec.StackIndex(dec.StackDepth()); kind != '{' || n%2 == 0 {
		return ""
	}
	return dec.StackPointer().LastToken()
}

// isValue reports whether the string that was read last is no name.
func isValue(dec *jsontext.Decoder) bool {
	kind, n := dec.StackIndex(dec.StackDepth())
	return kind != '{' || n%2 == 0
}

// mark keeps a mark that could stand behind a text. The one of the whole request
// stands at its end.
func (r *request) mark(pointer string, end, size int) {
	m := mark{from: end - size, to: end}
	if pointer == "/cache_control" {
		m.at = place{message: 1 << 30}
	} else if n, _ := fmt.Sscanf(pointer, "/messages/%d/content/%d/", &m.at.message, &m.at.block); n < 2 {
		return // of the system prompt
	}
	r.marks = append(r.marks, m)
}

// findEnds sets the head and the tail of the texts that are all that their
// messages say.
func (r *request) findEnds(doc envelope) {
	for i := range r.texts {
		t := &r.texts[i]
		blocks, _ := contentOf(doc.Messages[t.at.message].Content)
		if blocks[t.at.block].Type == "text" && !others(blocks, t.at.block) {
			t.head, t.tail = ends(t.value)
		}
	}
}

// others reports whether a message says something beside one of its blocks.
func others(blocks []block, except int) bool {
	for i, b := range blocks {
		if i != except && b.Type == "text" && strings.TrimSpace(b.Text) != "" {
			return true
		}
	}
	return false
}

// maxEnd bounds the paragraphs that are repeated in every part.
const maxEnd = 2000

// ends returns the first and the last paragraph of a text, with the blank lines
// between them and the rest, if they are short and there is a rest.
func ends(text string) (head, tail string) {
	if i := strings.Index(text[:min(len(text), maxEnd)], "\n\n"); i >= 0 {
		head = text[:i+2]
	}
	rest := text[len(head):]
	last := strings.TrimRight(rest, "\n")
	from := max(0, len(rest)-maxEnd)
	if i := strings.LastIndex(last[min(from, len(last)):], "\n\n"); i >= 0 {
		tail = rest[from+i:]
	}
	if strings.TrimSpace(rest[:len(rest)-len(tail)]) == "" {
		return "", ""
	}
	return head, tail
}
