package account

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/weir-gateway/weir/call"
)

// wireUsage is the usage object of an answer. A missing or null field leaves
// what was known before: message_delta may hold output_tokens alone.
type wireUsage struct {
	Input      *call.Tokens `json:"input_tokens"`
	CacheWrite *call.Tokens `json:"cache_creation_input_tokens"`
	CacheRead  *call.Tokens `json:"cache_read_input_tokens"`
	Output     *call.Tokens `json:"output_tokens"`
}

func (w *wireUsage) over(u call.Usage) call.Usage {
	for _, f := range []struct {
		from *call.Tokens
		to   *call.Tokens
	}{{w.Input, &u.Input}, {w.CacheWrite, &u.CacheWrite}, {w.CacheRead, &u.CacheRead}, {w.Output, &u.Output}} {
		if f.from != nil && *f.from >= 0 {
			*f.to = *f.from
		}
	}
	return u
}

// usageOfEvent merges the usage of a message_start or message_delta event over
// what was known before.
func usageOfEvent(data []byte, before call.Usage) (call.Usage, bool) {
	var event struct {
		Usage   *wireUsage `json:"usage"`
		Message struct {
			Usage *wireUsage `json:"usage"`
		} `json:"message"`
	}
	if json.Unmarshal(data, &event, lenient) != nil {
		return before, false
	}
	switch {
	case event.Usage != nil:
		return event.Usage.over(before), true
	case event.Message.Usage != nil:
		return event.Message.Usage.over(before), true
	}
	return before, false
}

// lenient accepts from the upstream what it would not accept from a client:
// here nothing is decided by which of two names is read.
var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// maxClear bounds what a compressed answer may unfold to.
const maxClear = 64 << 20

// usageOfBody finds the usage of a whole JSON answer. It is not exact if there
// is none to be found.
func usageOfBody(h http.Header, raw []byte) call.Usage {
	var in io.Reader = bytes.NewBuffer(raw)
	if h.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(in)
		if err != nil {
			return call.Usage{}
		}
		in = io.LimitReader(z, maxClear)
	}
	dec := jsontext.NewDecoder(in, lenient)
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return call.Usage{}
	}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return call.Usage{}
		}
		if name.String() != "usage" {
			if dec.SkipValue() != nil {
				return call.Usage{}
			}
			continue
		}
		var w wireUsage
		if json.UnmarshalDecode(dec, &w) != nil {
			return call.Usage{}
		}
		u := w.over(call.Usage{})
		u.Exact = w.Input != nil && w.Output != nil
		return u
	}
	return call.Usage{}
}
