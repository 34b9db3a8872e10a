package batch

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// Input is a file of requests, one a line. The bodies stay on the disk. It is
// safe for concurrent use.
type Input struct {
	Sum string // of the whole file

	file  *os.File
	lines []line
	index map[string]int // by custom_id
}

// line is where a request is.
type line struct {
	id     string
	number int // from 1
	at     int64
	size   int
	bare   bool // the line is the request itself
}

// InputError is everything that is wrong with a file.
type InputError struct {
	File   string
	Faults []InputFault
}

// InputFault is what is wrong with one line.
type InputFault struct {
	Line    int
	Message string
}

// maxFaults bounds how many faults are told.
const maxFaults = 100

// Error lists the faults, each on a line of its own.
func (e *InputError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: lines that are wrong: %d; nothing was sent", e.File, len(e.Faults))
	for i, f := range e.Faults {
		if i == maxFaults {
			fmt.Fprintf(&b, "\n  and %d more", len(e.Faults)-i)
			break
		}
		fmt.Fprintf(&b, "\n  line %d: %s", f.Line, f.Message)
	}
	return b.String()
}

// OpenInput reads a file through and checks every line. The error is an
// [*InputError] if lines are wrong. The input must be closed.
func OpenInput(name string) (*Input, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	in := &Input{file: f, index: map[string]int{}}
	faults, err := in.read()
	if err == nil && len(faults) > 0 {
		err = &InputError{File: name, Faults: faults}
	}
	if err == nil && len(in.lines) == 0 {
		err = fmt.Errorf("%s has no requests in it", name)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return in, nil
}

// Close closes the file.
func (in *Input) Close() error { return in.file.Close() }

// Len is the number of requests.
func (in *Input) Len() int { return len(in.lines) }

// ID is a request's custom_id.
func (in *Input) ID(i int) string { return in.lines[i].id }

// Find returns a request by its custom_id.
func (in *Input) Find(id string) (i int, ok bool) {
	i, ok = in.index[id]
	return i, ok
}

// Params reads a request's body, without the wish for a stream.
func (in *Input) Params(i int) ([]byte, error) {
	l := in.lines[i]
	raw := make([]byte, l.size)
	if _, err := in.file.ReadAt(raw, l.at); err != nil {
		return nil, fmt.Errorf("read line %d again: %w", l.number, err)
	}
	if !l.bare {
		var wrapped struct{ Params json.RawMessage }
		if err := json.Unmarshal(raw, &wrapped); err != nil {
			return nil, fmt.Errorf("line %d has changed: %w", l.number, err)
		}
		raw = wrapped.Params
	}
	return Params(raw)
}

func (in *Input) read() (faults []InputFault, err error) {
	sum := sha256.New()
	r := bufio.NewReaderSize(io.TeeReader(in.file, sum), 1<<20)
	at := int64(0)
	for number := 1; ; number++ {
		raw, err := r.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return nil, err
		}
		if text := bytes.TrimSpace(raw); len(text) > 0 {
			l := line{number: number, at: at + int64(bytes.Index(raw, text)), size: len(text)}
			if message := in.check(&l, text); message != "" {
				faults = append(faults, InputFault{number, message})
			}
		}
		at += int64(len(raw))
		if err == io.EOF {
			in.Sum = hex.EncodeToString(sum.Sum(nil))
			return faults, nil
		}
	}
}

// params is what every request must have.
type params struct {
	Model     *string
	MaxTokens *json.Number `json:"max_tokens"`
	Messages  []json.RawMessage
}

// check takes one line in, or says what is wrong with it.
func (in *Input) check(l *line, text []byte) string {
	if len(text) > maxLine {
		return fmt.Sprintf("is %d MB long, the API takes 32 MB", len(text)>>20)
	}
	if text[0] == '[' {
		return "is an array: write one request a line, without brackets and commas around them"
	}
	var wrapped struct {
		ID     *string `json:"custom_id"`
		Params json.RawMessage
		Body   json.RawMessage
		params
	}
	if err := json.Unmarshal(text, &wrapped); err != nil {
		return "is not a request in JSON: " + err.Error()
	}
	p, body := wrapped.params, text
	switch {
	case wrapped.Params != nil:
		if err := json.Unmarshal(wrapped.Params, &p); err != nil {
			return "params: " + err.Error()
		}
		if wrapped.ID == nil || !ValidID(*wrapped.ID) {
			return "custom_id must be 1 to 64 letters, digits, _ or -"
		}
		l.id, body = *wrapped.ID, wrapped.Params
	case wrapped.Body != nil:
		return "has a body where the Message Batches API has params"
	default:
		l.bare, l.id = true, fmt.Sprintf("line-%d", l.number)
		if wrapped.ID != nil {
			return "has a custom_id but no params"
		}
	}
	if fault := p.fault(); fault != "" {
		return fault
	}
	if _, err := Params(body); err != nil {
		return "is not a request in JSON: " + err.Error()
	}
	if other, ok := in.index[l.id]; ok {
		return fmt.Sprintf("custom_id %s is at line %d already", l.id, in.lines[other].number)
	}
	in.index[l.id] = len(in.lines)
	in.lines = append(in.lines, *l)
	return ""
}

func (p params) fault() string {
	switch {
	case p.Model == nil || *p.Model == "":
		return "the request has no model"
	case p.MaxTokens == nil:
		return "the request has no max_tokens"
	case len(p.Messages) == 0:
		return "the request has no messages"
	}
	if n, err := p.MaxTokens.Int64(); err != nil || n < 1 {
		return fmt.Sprintf("max_tokens must be a whole number above 0, not %s", *p.MaxTokens)
	}
	return ""
}
