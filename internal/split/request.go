package split

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/weir-gateway/weir/internal/message"
)

// request is a request with the longest text in it.
type request struct {
	body     []byte
	from, to int    // where the text stands in body, as a JSON string
	text     string // decoded
	// The first and the last paragraph of the text, where it is all that its
	// message says: one of them is likely what is wanted of it.
	head, tail string
}

// block is what is looked at of a content block.
type block struct {
	Type   string
	Text   string
	Source struct{ Type, Data string }
}

// longest returns the part of the block that can be split, and where it is.
func (b *block) longest() (text, pointer string) {
	switch {
	case b.Type == "text":
		return b.Text, "/text"
	case b.Type == "document" && b.Source.Type == "text":
		return b.Source.Data, "/source/data"
	}
	return "", ""
}

// read looks for the longest text that a user has sent. It reports false for a
// request that cannot be split: one with tools, or without a text.
func read(body []byte) (*request, bool) {
	var doc struct {
		Tools    []json.RawMessage
		Messages []struct {
			Role    string
			Content json.RawMessage
		}
	}
	if json.Unmarshal(body, &doc) != nil || len(doc.Tools) > 0 {
		return nil, false
	}
	r, at := &request{body: body}, ""
	for i, m := range doc.Messages {
		blocks, path := []block{{Type: "text"}}, ""
		if json.Unmarshal(m.Content, &blocks[0].Text) != nil {
			if blocks = nil; json.Unmarshal(m.Content, &blocks) != nil {
				return nil, false
			}
			path = "/%d"
		}
		for k, b := range blocks {
			if strings.HasSuffix(b.Type, "tool_use") || strings.HasSuffix(b.Type, "tool_result") {
				return nil, false
			}
			text, where := b.longest()
			if m.Role != "user" || len(text) <= len(r.text) {
				continue
			}
			r.text, at = text, fmt.Sprintf("/messages/%d/content", i)
			if path != "" {
				at += fmt.Sprintf(path, k) + where
			}
			r.head, r.tail = "", ""
			if !others(blocks, k) {
				r.head, r.tail = ends(text)
			}
		}
	}
	return r, r.text != "" && r.find(at)
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
// between them and the rest, if they are short.
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
	return head, tail
}

// find sets where the string at a JSON pointer stands in the body.
func (r *request) find(pointer string) bool {
	dec := jsontext.NewDecoder(bytes.NewBuffer(r.body))
	for {
		kind := dec.PeekKind()
		if kind != '"' {
			if _, err := dec.ReadToken(); err != nil {
				return false
			}
			continue
		}
		raw, err := dec.ReadValue()
		if err != nil {
			return false
		}
		if len(raw) > len(r.text) && string(dec.StackPointer()) == pointer && isValue(dec) {
			r.to = int(dec.InputOffset())
			r.from = r.to - len(raw)
			return true
		}
	}
}

// isValue reports whether the string that was read last is no name.
func isValue(dec *jsontext.Decoder) bool {
	kind, n := dec.StackIndex(dec.StackDepth())
	return kind != '{' || n%2 == 0
}

// with returns the request with another text in the place of the longest, and
// not for a stream.
func (r *request) with(text string) []byte {
	quoted, err := jsontext.AppendQuote(nil, text)
	if err != nil { // some bytes are no UTF-8, which classify has refused already
		quoted, _ = jsontext.AppendQuote(nil, strings.ToValidUTF8(text, "\ufffd"))
	}
	body := bytes.Join([][]byte{r.body[:r.from], quoted, r.body[r.to:]}, nil)
	if stream, err := message.Get(body, "stream"); err == nil && stream != nil {
		if plain, err := message.Set(body, "stream", []byte("false")); err == nil {
			return plain
		}
	}
	return body
}
