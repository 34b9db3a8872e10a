// Package batch answers many requests when there is time for them: those of a
// file ([Queue] asks one by one through the lowest class, [Batches] by the
// Message Batches API), and those of callers that can wait for hours
// ([Collector]). What must outlive a kill is on the disk before anything is
// sent.
package batch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// The bounds of the Message Batches API (anthropic-api.md §5.4). A batch is
// made smaller than it may be: one whose upload fails is sent again whole.
const (
	MaxRequests = 100_000
	maxBytes    = 100 << 20 // the API takes 256 MB
	maxLine     = 32 << 20  // one request
)

// The types of a result.
const (
	Succeeded = "succeeded"
	Errored   = "errored"
	Canceled  = "canceled"
	Expired   = "expired"
)

// Result is one line of results, in the API's form. Raw is the object with a
// type and either a message or an error.
type Result struct {
	ID   string          `json:"custom_id"`
	Type string          `json:"-"`
	Raw  json.RawMessage `json:"result"`
}

// ParseResult reads one line.
func ParseResult(line []byte) (Result, error) {
	var r Result
	if err := json.Unmarshal(line, &r); err != nil {
		return r, err
	}
	var kind struct{ Type string }
	if err := json.Unmarshal(r.Raw, &kind); err != nil || r.ID == "" || kind.Type == "" {
		return r, fmt.Errorf("not a result: no custom_id, or no type")
	}
	r.Type = kind.Type
	return r, nil
}

// line is the result as it stands in a file, byte for byte as it came.
func (r Result) line() []byte {
	b := make([]byte, 0, len(r.Raw)+len(r.ID)+32)
	b = append(append(b, `{"custom_id":"`...), r.ID...)
	b = append(append(b, `","result":`...), r.Raw...)
	return append(b, '}', '\n')
}

// succeeded is the result of an answer.
func succeeded(id string, message []byte) Result {
	return Result{ID: id, Type: Succeeded, Raw: wrap(Succeeded, "message", message)}
}

// errored is the result of an error body. One that is no JSON is put into the
// API's form.
func errored(id string, body []byte) Result {
	if !json.Valid(body) {
		body = errorBody("api_error", strings.ToValidUTF8(string(body[:min(len(body), 500)]), "?"))
	}
	return Result{ID: id, Type: Errored, Raw: wrap(Errored, "error", body)}
}

func errorBody(kind, message string) []byte {
	type object = map[string]any
	raw, _ := json.Marshal(object{"type": "error", "error": object{"type": kind, "message": message}}) // strings only
	return raw
}

// wrap puts value, made to fit on a line, beside a type.
func wrap(kind, name string, value []byte) []byte {
	b := bytes.NewBuffer(make([]byte, 0, len(value)+64))
	b.WriteString(`{"type":"` + kind + `","` + name + `":`)
	if json.Compact(b, value) != nil {
		b.WriteString("null") // never: callers have checked it
	}
	b.WriteByte('}')
	return b.Bytes()
}

// ValidID reports whether the API takes a custom_id.
func ValidID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// Params is a request's body as a batch takes it: without the wish for a
// stream. Everything else stays as it is.
func Params(body []byte) ([]byte, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body))
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return nil, fmt.Errorf("the request is not a JSON object")
	}
	out := append(make([]byte, 0, len(body)), '{')
	cut := false
	for dec.PeekKind() != '}' {
		name, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		from, is := dec.InputOffset()-int64(len(name)), string(name)
		if err := dec.SkipValue(); err != nil {
			return nil, err
		}
		if is == `"stream"` {
			cut = true
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, body[from:dec.InputOffset()]...)
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	if _, err := dec.ReadToken(); err != io.EOF {
		return nil, fmt.Errorf("there is something behind the request")
	}
	if !cut {
		return body, nil
	}
	return append(out, '}'), nil
}
