package load

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/message"
)

// maxLine bounds one line of a stream, as the official Go SDK does.
const maxLine = 32 << 20

// answer is what one attempt brought.
type answer struct {
	status  int // 0: none; an error event in a stream counts as its type's status
	header  http.Header
	outcome Outcome
	err     error
	usage   call.Usage
	begun   bool // a stream had begun, so that an SDK does not retry
	pinged  bool // pings came before the message did
	first   time.Time
	token   time.Time // when the first content of a stream came; zero: none did
}

type wireEvent struct {
	Type    string        `json:"type"`
	Usage   message.Usage `json:"usage"`
	Model   string        `json:"model"`
	Message struct {
		Usage message.Usage `json:"usage"`
		Model string        `json:"model"`
	} `json:"message"`
	Error struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"error"`
}

// read takes the whole answer in.
func read(resp *http.Response) answer {
	a := answer{status: resp.StatusCode, header: resp.Header, first: time.Now()}
	switch {
	case resp.StatusCode != http.StatusOK:
		a.refused(resp.Body)
	case bytes.HasPrefix([]byte(resp.Header.Get("content-type")), []byte("text/event-stream")):
		a.begun = true
		a.stream(resp.Body)
	default:
		a.message(resp.Body)
	}
	return a
}

// refused reads an error body.
func (a *answer) refused(body io.Reader) {
	a.outcome = Refused
	var e wireEvent
	if err := json.NewDecoder(io.LimitReader(body, 1<<16)).Decode(&e); err != nil {
		a.err = fmt.Errorf("status %d without an error body", a.status)
		return
	}
	a.err = fmt.Errorf("%s: %s", e.Error.Type, e.Error.Message)
}

// message reads a JSON answer. One that breaks off counts as none, which is
// how SDKs see it.
func (a *answer) message(body io.Reader) {
	var e wireEvent
	if err := json.NewDecoder(body).Decode(&e); err != nil {
		a.status, a.outcome, a.err = 0, Broken, err
		return
	}
	if e.Type != "message" {
		a.outcome, a.err = Broken, fmt.Errorf("answer of type %q", e.Type)
		return
	}
	a.usage = e.Usage.Over(a.usage)
	a.usage.Exact, a.usage.Model = true, e.Model
}

// stream reads server-sent events up to message_stop; an end without one is a
// failure.
func (a *answer) stream(body io.Reader) {
	a.outcome, a.err = Broken, io.ErrUnexpectedEOF
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data:"))
		if ok && a.event(data) {
			return
		}
	}
	if err := lines.Err(); err != nil {
		a.err = err
	}
}

// event takes one event in and reports whether it was the last.
func (a *answer) event(data []byte) bool {
	if bytes.Contains(data, []byte(`"content_block_`)) {
		if a.token.IsZero() {
			a.token = time.Now()
		}
		return false // most of a stream; nothing in it to count
	}
	var e wireEvent
	if err := json.Unmarshal(data, &e); err != nil {
		a.err = err
		return true
	}
	switch e.Type {
	case "ping":
		a.pinged = a.pinged || a.usage == call.Usage{}
	case "message_start":
		a.first = time.Now()
		a.usage = e.Message.Usage.Over(a.usage)
		a.usage.Model = e.Message.Model
	case "message_delta":
		a.usage = e.Usage.Over(a.usage)
	case "message_stop":
		a.outcome, a.err, a.usage.Exact = OK, nil, true
		return true
	case "error":
		a.outcome = Broken
		a.status = statusOf(e.Error.Type)
		a.err = errors.New(e.Error.Type + ": " + e.Error.Message)
		return true
	}
	return false
}

// statusOf returns the status that an error of this type would have had, had
// it come in time.
func statusOf(errorType string) int {
	switch errorType {
	case "rate_limit_error":
		return http.StatusTooManyRequests
	case "overloaded_error":
		return statusOverloaded
	case "invalid_request_error":
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}
