package classify

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// message reads one message. Each block of its content, or its text, may end a
// prefix.
func (p *parser) message() error {
	p.part().Messages++
	if p.dec.PeekKind() != '{' {
		return p.content("")
	}
	return p.object(func(name string) error {
		if name == "content" {
			return p.blocks(name)
		}
		return p.content(name)
	})
}

// blocks reads a text or a list of content blocks.
func (p *parser) blocks(name string) error {
	if p.dec.PeekKind() != '[' {
		err := p.content(name)
		p.boundary()
		return err
	}
	return p.array(func() error {
		err := p.content(name)
		p.boundary()
		return err
	})
}

func (p *parser) tools(kind jsontext.Kind) error {
	if kind != '[' {
		return p.dec.SkipValue()
	}
	return p.array(func() error {
		p.part().Tools++
		raw, err := p.value()
		if err != nil {
			return err
		}
		if at := bytes.Index(raw, []byte(`"cache_control"`)); p.caching && at >= 0 {
			p.text(raw[:at])
			raw = raw[at:]
			end := bytes.IndexByte(raw, '}') + 1
			p.mark = lifetime(raw[:end])
			raw = raw[end:]
		}
		p.text(raw)
		p.boundary()
		return nil
	})
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
