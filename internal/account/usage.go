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

	Writes struct {
		Hour *call.Tokens `json:"ephemeral_1h_input_tokens"`
	} `json:"cache_creation"`
	Server struct {
		Searches *call.Tokens `json:"web_search_requests"`
	} `json:"server_tool_use"`
	Tier  string `json:"service_tier"`
	Speed string `json:"speed"`
	Geo   string `json:"inference_geo"`
}

func (w *wireUsage) over(u call.Usage) call.Usage {
	u.Fast, u.Batch, u.US = u.Fast || w.Speed == "fast", u.Batch || w.Tier == "batch", u.US || w.Geo == "us"
	if w.Server.Searches != nil && *w.Server.Searches >= 0 {
		u.Searches = int64(*w.Server.Searches)
	}
	for _, f := range []struct {
		from *call.Tokens
		to   *call.Tokens
	}{{w.Input, &u.Input}, {w.CacheWrite, &u.CacheWrite}, {w.CacheRead, &u.CacheRead}, {w.Output, &u.Output}, {w.Writes.Hour, &u.HourWrite}} {
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
			Model string     `json:"model"`
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
		before.Model = event.Message.Model
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
	var u call.Usage
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return u
		}
		switch name.String() {
		case "model":
			err = json.UnmarshalDecode(dec, &u.Model)
		case "usage":
			var w wireUsage
			err = json.UnmarshalDecode(dec, &w)
			u = w.over(u)
			u.Exact = err == nil && w.Input != nil && w.Output != nil
		default:
			err = dec.SkipValue()
		}
		if err != nil {
			return u
		}
	}
	return u
}
