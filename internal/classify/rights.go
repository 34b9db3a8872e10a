package classify

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/weir-gateway/weir/call"
)

// Access says who may use the gateway, and for which models.
type Access struct {
	Clients Clients             // nil: anybody
	Models  map[string][]string // patterns, by tenant; tenants that are not there may use any
}

// limit lets c use what both tenants may: that of its token, and the one that it
// names.
func (a *Access) limit(c *call.Call, token, named string) {
	c.Limit(a.Models[token])
	if named != token {
		c.Limit(a.Models[named])
	}
}

// rights refuses a call of a model that its caller may not use. What names models
// in another way than a request or a batch of requests is refused to whoever may
// not use all.
func (r *Room) rights(c *call.Call, req *http.Request) error {
	if c.Models == nil || c.Endpoint == call.Other && harmless(c) {
		return nil
	}
	if c.Endpoint == call.Other {
		at := strings.TrimSuffix(plainPath(c.Path), "/")
		if c.Method != http.MethodPost || at != batches {
			return denied(c, c.Method+" "+at)
		}
		body, err := readBody(req, r.cfg.MaxBody)
		if no, ok := errors.AsType[*call.Refusal](err); ok && no.Reason == call.BodyTooLarge {
			no.Detail = fmt.Sprintf("the batch is over %d MiB, as much as is read for a caller who may not use every model", r.cfg.MaxBody>>20)
		}
		if err != nil {
			return err
		}
		c.Body = body
	}
	return allowed(c)
}

const batches = "/v1/messages/batches"

// harmless reports whether a call that is passed through has no model answer.
func harmless(c *call.Call) bool {
	switch c.Method {
	case http.MethodGet, http.MethodHead, http.MethodDelete, http.MethodOptions:
		return true
	}
	at := strings.TrimSuffix(plainPath(c.Path), "/")
	cancel, _ := path.Match(batches+"/*/cancel", at)
	return c.Method == http.MethodPost && (at == "/v1/files" || cancel)
}

// allowed refuses a body that names a model which c's caller may not use.
func allowed(c *call.Call) error {
	p := parser{lean: newLean(c.Body)}
	p.dec = jsontext.NewDecoder(bytes.NewBuffer(p.lean.text))
	err := p.models("", func(model string) error {
		if c.May(model) {
			return nil
		}
		return denied(c, model)
	})
	if err == nil {
		err = p.end()
	}
	if _, refused := errors.AsType[*call.Refusal](err); refused || err == nil {
		return err
	}
	return p.describe(err)
}

// prose are the members in which a model may be spoken of, but is not asked.
var prose = map[string]bool{
	"messages": true, "system": true, "metadata": true, "input_schema": true, "input_examples": true, "schema": true,
}

// models calls use with each model that a value names: that of a request, those
// of its fallbacks and of the tools that ask a model of their own, and so on for
// each request of a batch. under is the name of the member that has the value.
func (p *parser) models(under string, use func(model string) error) error {
	switch p.dec.PeekKind() {
	case '{':
		return p.object(func(name string) error {
			if prose[name] {
				return p.dec.SkipValue()
			}
			return p.models(name, use)
		})
	case '[':
		return p.array(func() error { return p.models(under, use) })
	case '"':
		text, err := p.dec.ReadToken()
		if err == nil && (under == "model" || under == "fallbacks") {
			err = use(text.String())
		}
		return err
	}
	return p.dec.SkipValue()
}

func denied(c *call.Call, what string) error {
	return &call.Refusal{Reason: call.ModelDenied, Detail: what, Allowed: c.Allowed()}
}
