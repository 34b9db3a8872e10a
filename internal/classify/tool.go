package classify

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// tools reads the definitions of tools. Each of them may end a prefix.
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
		p.open = p.wanted && p.unmarked(raw)
		if at := bytes.Index(raw, []byte(`"cache_control"`)); p.caching && !p.wanted && at >= 0 {
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

// unmarked reports whether a definition may carry a mark: a tool that is loaded
// when it is needed is not part of the prefix. A name may be spelled with
// escapes; such a mark counts as one that the caller has set.
func (p *parser) unmarked(raw []byte) bool {
	if raw[0] != '{' || len(bytes.TrimSpace(raw[1:len(raw)-1])) == 0 || bytes.Contains(raw, []byte(`"defer_loading"`)) {
		return false
	}
	if !bytes.Contains(raw, []byte(`\u`)) {
		return true
	}
	members := jsontext.NewDecoder(bytes.NewReader(raw))
	if _, err := members.ReadToken(); err != nil {
		return false
	}
	for members.PeekKind() == '"' {
		name, err := members.ReadToken()
		if err != nil || name.String() == "defer_loading" {
			return false
		}
		if name.String() == "cache_control" {
			p.mark = shortTTL
			return false
		}
		if members.SkipValue() != nil {
			return false
		}
	}
	return true
}
