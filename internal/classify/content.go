package classify

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/weir-gateway/weir/call"
)

// message reads one message. Each block of its content, or its text, may end a
// prefix.
func (p *parser) message() error {
	p.part().Messages++
	if p.dec.PeekKind() != '{' {
		return p.content("")
	}
	from := len(p.part().ends)
	p.role = ""
	err := p.object(func(name string) error {
		switch k := p.dec.PeekKind(); {
		case name == "content":
			return p.blocks(name)
		case p.wanted && name == "role" && k == '"':
			return p.stringInto(k, name, &p.role)
		}
		return p.content(name)
	})
	if ends := p.part().ends; p.role != "user" {
		for i := from; i < len(ends); i++ {
			ends[i].Open = false // what the model said goes on to change, or carries no mark
		}
	}
	return err
}

// blocks reads a text or a list of content blocks.
func (p *parser) blocks(name string) error {
	switch p.dec.PeekKind() {
	case '"':
		return p.bareText(name)
	case '[':
		return p.array(func() error {
			p.open = false // a block within another one has set it
			err := p.content(name)
			p.boundary()
			return err
		})
	}
	err := p.content(name)
	p.open = false
	p.boundary()
	return err
}

// bareText reads a string that stands for a list of one text block.
func (p *parser) bareText(name string) error {
	before := p.part().Text
	err := p.content(name)
	if p.wanted && err == nil {
		p.open = readable(&before, &p.part().Text)
		p.bare = p.began
	}
	p.boundary()
	return err
}

// readable reports whether a text has more in it than white space: one without
// can carry no mark.
func readable(before, after *[call.NumScripts]int32) bool {
	for s := range call.NumScripts {
		if s != call.Spaces && s != call.Lines && after[s] != before[s] {
			return true
		}
	}
	return false
}

// carries reports whether a block of that kind may carry a mark. There are more
// kinds that may; of these it is documented (Anthropic docs, prompt caching).
func carries(kind string) bool {
	switch kind {
	case "text", "image", "document", "search_result", "tool_use", "tool_result":
		return true
	}
	return false
}

// toolChoice sees whether the model must call a tool: that costs more than
// leaving it the choice.
func (p *parser) toolChoice(kind jsontext.Kind) error {
	if kind != '{' {
		return p.dec.SkipValue()
	}
	return p.object(func(name string) error {
		var choice string
		if k := p.dec.PeekKind(); name == "type" && k == '"' {
			err := p.stringInto(k, name, &choice)
			p.c.Content.Forced = choice == "any" || choice == "tool"
			return err
		}
		return p.dec.SkipValue()
	})
}

// content measures one value anywhere inside messages or system. The name is
// that of the member which holds it.
func (p *parser) content(name string) error {
	switch p.dec.PeekKind() {
	case '"':
		raw, err := p.value()
		if err != nil {
			return err
		}
		if !weightless(name) {
			p.text(raw[1 : len(raw)-1])
		}
		return nil
	case '[':
		return p.array(func() error { return p.content(name) })
	case '{':
		if name == "input" {
			raw, err := p.value() // of a tool: the model reads it as JSON
			p.text(raw)
			return err
		}
		return p.block()
	}
	return p.dec.SkipValue()
}

// block reads a content block, or any other object in a message.
func (p *parser) block() error {
	var kind string
	var src source
	before := p.part().Text
	err := p.object(func(name string) error {
		k := p.dec.PeekKind()
		switch {
		case name == "type" && k == '"':
			return p.stringInto(k, name, &kind)
		case name == "source" && k == '{':
			return p.source(&src)
		case name == "cache_control":
			return p.cacheMark(&p.mark)
		}
		return p.content(name)
	})
	if strings.HasSuffix(kind, "tool_use") || strings.HasSuffix(kind, "tool_result") {
		p.part().Blocks++
	}
	if src.given {
		p.weigh(kind, src)
	}
	p.open = p.wanted && carries(kind) && (kind != "text" || readable(&before, &p.part().Text))
	return err
}

// weightless members are strings of the wire format, not text for the model.
func weightless(name string) bool {
	switch name {
	case "type", "role", "id", "tool_use_id", "signature", "ttl", "media_type", "file_id":
		return true
	}
	return false
}

// source is where an image or a document comes from.
type source struct {
	given bool
	media string
	data  []byte // as escaped in the body; nil if it is elsewhere
	made  bool   // of content blocks, which were measured already
}

func (p *parser) source(s *source) error {
	s.given = true
	return p.object(func(name string) error {
		switch k := p.dec.PeekKind(); {
		case name == "media_type" && k == '"':
			return p.stringInto(k, name, &s.media)
		case name == "content":
			s.made = true
			return p.content(name)
		case k == '"':
			raw, err := p.value()
			if err != nil {
				return err
			}
			raw = raw[1 : len(raw)-1]
			p.part().fold(p, raw) // data, url or file_id: it tells one prefix from another
			if name == "data" {
				s.data = raw // media_type may come behind it
			}
			return nil
		}
		return p.dec.SkipValue()
	})
}

// weigh measures an image or a document by the rules for its kind.
func (p *parser) weigh(kind string, s source) {
	m := &p.part().Measure
	document := kind == "document" || s.media == "application/pdf"
	switch {
	case s.made:
		return
	case strings.HasPrefix(s.media, "text/"):
		measure(s.data, &m.Text)
		return
	case document && s.data == nil:
		m.Pages += unknownPages
		return
	}
	data := s.data
	if bytes.IndexByte(data, '\\') >= 0 { // some writers of JSON escape the slash
		data = bytes.ReplaceAll(data, []byte(`\/`), []byte(`/`))
	}
	if document {
		m.Pages += countPages(data)
		return
	}
	addImage(data, m)
}
