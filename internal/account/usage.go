package account

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/message"
)

// usageOfEvent merges the usage of a message_start or message_delta event over
// what was known before.
func usageOfEvent(data []byte, before call.Usage) (call.Usage, bool) {
	var event struct {
		Usage   *message.Usage `json:"usage"`
		Message struct {
			Model string         `json:"model"`
			Usage *message.Usage `json:"usage"`
		} `json:"message"`
	}
	if json.Unmarshal(data, &event, lenient) != nil {
		return before, false
	}
	switch {
	case event.Usage != nil:
		return event.Usage.Over(before), true
	case event.Message.Usage != nil:
		before.Model = event.Message.Model
		return event.Message.Usage.Over(before), true
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
			var w message.Usage
			err = json.UnmarshalDecode(dec, &w)
			u = w.Over(u)
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
