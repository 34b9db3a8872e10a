package classify

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/weir-gateway/weir/call"
)

// parse reads the JSON body in one strict pass: duplicate names and invalid
// UTF-8 are refused, so that Weir and the upstream never read two different
// models out of one body. It returns metadata.user_id.
func (r *Room) parse(c *call.Call) (user string, err error) {
	p := parser{lean: newLean(c.Body), c: c, seed: r.seed}
	p.dec = jsontext.NewDecoder(bytes.NewBuffer(p.lean.text))
	marked := marked(p.lean.text)
	p.wanted = r.cfg.Ends && c.Endpoint == call.Messages && !marked
	p.caching = marked || p.wanted
	if err := p.document(); err != nil {
		return "", p.describe(err)
	}
	p.assemble()
	if c.Model == "" {
		return "", malformed("model: Field required (a string such as \"claude-haiku-4-5\")")
	}
	return p.user, nil
}

// marked reports whether there may be cache_control marks in a body. It goes
// from quote to quote: bytes.Contains is ten times slower on long texts.
func marked(body []byte) bool {
	for {
		at := bytes.IndexByte(body, '"')
		if at < 0 {
			return false
		}
		body = body[at+1:]
		if bytes.HasPrefix(body, []byte(`cache_control"`)) {
			return true
		}
	}
}

// errShape is a body that is JSON, but not a request.
type errShape string

func (e errShape) Error() string { return string(e) }

func (p *parser) describe(err error) error {
	var shape errShape
	if errors.As(err, &shape) {
		return &call.Refusal{Reason: call.Malformed, Detail: string(shape)}
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		where := fmt.Sprintf("at byte %d", p.lean.offset(int(syntax.ByteOffset)))
		if syntax.JSONPointer != "" {
			where += fmt.Sprintf(", in %s", syntax.JSONPointer)
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return malformed("the body is not valid JSON: it ends too early (%s)", where)
		}
		return malformed("the body is not valid JSON: %v (%s)", syntax.Err, where)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return malformed("the body is not valid JSON: it ends too early")
	}
	return malformed("the body is not valid JSON: %v", err)
}

type parser struct {
	dec  *jsontext.Decoder
	lean lean // what dec reads
	c    *call.Call
	user string

	parts   [numParts]part
	now     call.Part // that is being read
	caching bool      // prefixes are kept: there are cache_control marks, or somebody wants to put them in
	wanted  bool      // the latter
	seed    maphash.Seed
	mark    time.Duration // TTL of a mark in the block that is being read
	auto    time.Duration // TTL of the mark at the top level
	open    bool          // the block that has been read may carry a mark
	bare    int           // where it begins, if it is a bare string
	began   int           // where the value that was read last begins
	role    string        // whose message is being read, if that is wanted
}

func (p *parser) document() error {
	if p.dec.PeekKind() != '{' {
		if _, err := p.dec.ReadValue(); err != nil {
			return err
		}
		return errShape("the body must be a JSON object")
	}
	if err := p.object(p.topLevel); err != nil {
		return err
	}
	return p.end()
}

// end refuses a body that goes on behind its object.
func (p *parser) end() error {
	if _, err := p.dec.ReadToken(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = errShape("the body must be one JSON object with nothing behind it")
		}
		return err
	}
	return nil
}

// object reads one object and calls member for each value in it.
func (p *parser) object(member func(name string) error) error {
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	for p.dec.PeekKind() != '}' {
		name, err := p.dec.ReadToken()
		if err != nil {
			return err
		}
		if err := member(name.String()); err != nil {
			return err
		}
	}
	_, err := p.dec.ReadToken()
	return err
}

// array reads one array and calls element for each value in it.
func (p *parser) array(element func() error) error {
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	for p.dec.PeekKind() != ']' {
		if err := element(); err != nil {
			return err
		}
	}
	_, err := p.dec.ReadToken()
	return err
}

func (p *parser) topLevel(name string) error {
	kind := p.dec.PeekKind()
	switch name {
	case "model":
		return p.stringInto(kind, name, &p.c.Model)
	case "max_tokens":
		return p.number(kind, name)
	case "stream":
		tok, err := p.dec.ReadToken()
		if err != nil {
			return err
		}
		if k := tok.Kind(); k != 't' && k != 'f' && k != 'n' {
			return errShape("stream must be true or false")
		}
		p.c.Stream = tok.Kind() == 't'
		return nil
	case "speed":
		var speed string
		err := p.stringInto(kind, name, &speed)
		if speed == "fast" {
			p.c.Pool = call.PoolFast
		}
		return err
	case "messages":
		if kind != '[' {
			return p.wrong(name, "an array")
		}
		p.now = call.InMessages
		return p.array(p.message)
	case "system":
		p.now = call.InSystem
		return p.blocks("text")
	case "tools":
		p.now = call.InTools
		return p.tools(kind)
	case "tool_choice":
		return p.toolChoice(kind)
	case "metadata":
		return p.metadata(kind)
	case "thinking":
		p.c.Content.Thinking = true
	case "cache_control":
		return p.cacheMark(&p.auto)
	}
	return p.dec.SkipValue()
}

// wrong reads past a value of the wrong kind, so that a syntax error in it is
// reported first, and says what was expected.
func (p *parser) wrong(name, want string) error {
	if err := p.dec.SkipValue(); err != nil {
		return err
	}
	return errShape(name + " must be " + want)
}

func (p *parser) stringInto(kind jsontext.Kind, name string, into *string) error {
	if kind != '"' {
		return p.wrong(name, "a string")
	}
	tok, err := p.dec.ReadToken()
	*into = tok.String()
	return err
}

func (p *parser) number(kind jsontext.Kind, name string) error {
	if kind == 'n' {
		return p.dec.SkipValue()
	}
	if kind != '0' {
		return p.wrong(name, "a whole number")
	}
	tok, err := p.dec.ReadToken()
	if err != nil {
		return err
	}
	n, err := tok.Float()
	p.c.MaxTokens = call.Tokens(min(max(n, 0), 1e12))
	return err
}

func (p *parser) metadata(kind jsontext.Kind) error {
	if kind != '{' {
		return p.dec.SkipValue()
	}
	return p.object(func(name string) error {
		if k := p.dec.PeekKind(); name == "user_id" && k == '"' {
			return p.stringInto(k, name, &p.user)
		}
		return p.dec.SkipValue()
	})
}
