package load

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/weir-gateway/weir/call"
)

// The bounds of a trace.
const (
	maxTraceLines = 100_000
	maxTraceBytes = 512 << 20
	maxTraceTime  = 7 * 24 * time.Hour
)

// Arrival is one line of a trace: a request that comes At seconds after the
// first could. It has either a Body, which is sent as it is and holds its own
// model, max_tokens and stream, or InputTokens, and text is made up for it.
type Arrival struct {
	At           float64         `json:"at"`
	Tenant       string          `json:"tenant,omitempty"`
	Class        string          `json:"class,omitempty"`
	Body         json.RawMessage `json:"body,omitempty"`
	InputTokens  call.Tokens     `json:"input_tokens,omitempty"`
	MaxTokens    int             `json:"max_tokens,omitempty"`
	OutputTokens call.Tokens     `json:"output_tokens,omitempty"` // asked of the simulator
	Model        string          `json:"model,omitempty"`         // default: the workload's first
	Stream       bool            `json:"stream,omitempty"`

	head bodyHead
}

// bodyHead is what of a body has to be known.
type bodyHead struct {
	Model     string `json:"model"`
	MaxTokens int    `json:"max_tokens"`
	Stream    bool   `json:"stream"`
}

// ReadTrace reads a trace: one [Arrival] in JSON on each line, empty lines
// aside, in the order of their time. The first mistake ends it.
func ReadTrace(r io.Reader) ([]Arrival, error) {
	lines := bufio.NewScanner(io.LimitReader(r, maxTraceBytes+1))
	lines.Buffer(nil, maxLine)
	var out []Arrival
	n, size := 0, 0
	for lines.Scan() {
		n++
		size += len(lines.Bytes()) + 1
		if size > maxTraceBytes || len(out) == maxTraceLines {
			return nil, fmt.Errorf("line %d: a trace has at most %d lines and %d MB: split it", n, maxTraceLines, maxTraceBytes>>20)
		}
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		a, err := parseArrival(lines.Bytes())
		if err == nil && len(out) > 0 && a.At < out[len(out)-1].At {
			err = errors.New("its at is before that of the line above: sort the lines by at")
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		out = append(out, a)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", n+1, err)
	}
	if len(out) == 0 {
		return nil, errors.New(`it has no line such as {"at": 0.5, "input_tokens": 1000, "max_tokens": 200}`)
	}
	return out, nil
}

func parseArrival(line []byte) (Arrival, error) {
	var a Arrival
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil {
		return a, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return a, errors.New("there is more than one value: put each request on its own line")
	}
	a.head = bodyHead{a.Model, a.MaxTokens, a.Stream}
	_, known := call.ParseClass(a.Class)
	switch {
	case a.At < 0 || a.At > maxTraceTime.Seconds() || math.IsNaN(a.At):
		return a, fmt.Errorf("at %v is not a time in seconds from 0 to %.0f", a.At, maxTraceTime.Seconds())
	case a.Class != "" && !known:
		return a, fmt.Errorf("class %q is not interactive, normal or batch", a.Class)
	case a.OutputTokens < 0:
		return a, fmt.Errorf("output_tokens %d is negative", a.OutputTokens)
	case a.Body == nil && (a.InputTokens < 1 || a.InputTokens > maxTokens || a.MaxTokens < 0):
		return a, fmt.Errorf("it needs a body, or input_tokens from 1 to %d", maxTokens)
	case a.Body == nil:
		return a, nil
	case a.InputTokens != 0 || a.MaxTokens != 0 || a.Model != "" || a.Stream:
		return a, errors.New("the body says model, max_tokens and stream itself: leave them and input_tokens out beside it")
	}
	if err := json.Unmarshal(a.Body, &a.head); err != nil || a.head.Model == "" || a.head.MaxTokens < 1 {
		return a, errors.New("body is not a request to /v1/messages with model and max_tokens")
	}
	return a, nil
}

// WriteTrace writes what [ReadTrace] reads.
func WriteTrace(w io.Writer, trace []Arrival) error {
	enc := json.NewEncoder(w)
	for _, a := range trace {
		if err := enc.Encode(a); err != nil {
			return err
		}
	}
	return nil
}

// Synthesize draws a trace from an open loop: the arrivals of w.Rate until
// w.Duration is over or there are w.Requests.
func (w Workload) Synthesize() ([]Arrival, error) {
	if err := w.Validate(); err != nil {
		return nil, err
	}
	if w.Rate <= 0 || w.Duration <= 0 && w.Requests <= 0 {
		return nil, errors.New("a synthetic trace needs a rate of arrivals, and a duration or a number of requests")
	}
	w = w.withDefaults()
	r := runner{workload: w}
	rng := r.rng(1 << 32)
	var out []Arrival
	for at := 0.0; ; {
		at += rng.ExpFloat64() / w.Rate
		if w.Duration > 0 && at > w.Duration.Seconds() || w.Requests > 0 && len(out) == w.Requests {
			return out, nil
		}
		if len(out) == maxTraceLines {
			return nil, fmt.Errorf("that is more than the %d lines of a trace: lower the rate or the time", maxTraceLines)
		}
		tenant, output := pick(rng, w.Tenants), w.Output.Draw(rng)
		out = append(out, Arrival{
			At: math.Round(at*1000) / 1000, Tenant: tenant.Name, Class: tenant.Class,
			InputTokens: max(w.Input.Draw(rng), 1), MaxTokens: max(w.MaxTokens, int(output)), OutputTokens: output,
			Model: w.Models[rng.IntN(len(w.Models))], Stream: rng.Float64() < w.StreamShare,
		})
	}
}
