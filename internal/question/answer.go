package question

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/message"
	"github.com/weir-gateway/weir/internal/price"
	"github.com/weir-gateway/weir/internal/sse"
)

// Answer is what came in answer to a question.
type Answer struct {
	Text  string
	Model string // that answered
	Stop  string // stop_reason
	Usage call.Usage
	Tier  string // service_tier, if it was told
	Parts int    // that the question was split into; 0: it was not

	Degraded string // how the answer is a simpler one (weir-degraded); "": it is not
}

// Cost is what the answer cost at the list prices. The sum of parts is priced by
// the mean part, which matters where a long prompt has a price of its own. For a
// model without a price it is the most that any costs, and known is false.
func (a Answer) Cost(at time.Time) (cost call.USD, known bool) {
	table := price.Builtin()
	if a.Parts == 0 {
		return table.Cost(a.Model, at, a.Usage)
	}
	return table.CostOf(a.Parts, a.Model, at, a.Usage)
}

// Refusal is an answer that is none: an error, in the words of whoever gave it.
type Refusal struct{ Message, Hint string }

// Error implements error.
func (r *Refusal) Error() string { return r.Message }

// ErrBrokeOff is that a stream ended before its message did.
var ErrBrokeOff = errors.New("the answer broke off")

// maxEvent bounds an event of the stream, and maxBody an answer in one piece.
const (
	maxEvent = 16 << 20
	maxBody  = 64 << 20
)

// Reader reads the answer to one question.
type Reader struct {
	Piece func(text string)     // hears of the answer's text as it comes; or nil
	Parts func(done, total int) // hears how many parts are answered; or nil

	answer Answer
	text   strings.Builder
	begins map[int]bool // blocks with which the answer to another part begins
	ended  bool
	fault  error
}

// Read reads an answer to its end. What had come is returned with an error, too.
func (r *Reader) Read(resp *http.Response) (Answer, error) {
	fmt.Sscan(resp.Header.Get("Weir-Split"), &r.answer.Parts) // none is 0
	r.answer.Degraded = resp.Header.Get("Weir-Degraded")
	var err error
	switch {
	case resp.StatusCode != http.StatusOK:
		raw, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20)) // what could be read will do
		err = refusal(raw, resp.StatusCode)
	case strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json"):
		err = r.whole(resp.Body)
	default:
		err = r.stream(resp.Body)
	}
	r.answer.Text = r.text.String()
	return r.answer, err
}

// whole reads an answer in one piece, of an API that does not stream.
func (r *Reader) whole(body io.Reader) error {
	raw, err := io.ReadAll(io.LimitReader(body, maxBody))
	if err != nil {
		return err
	}
	events, err := message.Events(raw)
	if err != nil {
		return fmt.Errorf("the answer is not understood: %w", err)
	}
	for _, e := range events {
		r.event(sse.Event{Name: e.Name, Data: e.Data})
	}
	return r.fault
}

func (r *Reader) stream(body io.Reader) error {
	scanner := sse.Scanner{Max: maxEvent, Comment: r.comment}
	buf := make([]byte, 32<<10)
	for {
		n, err := body.Read(buf)
		scanner.Feed(buf[:n], r.event)
		switch {
		case r.fault != nil:
			return r.fault
		case r.ended:
			return nil
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return ErrBrokeOff
		case err != nil:
			return err
		}
	}
}

// comment reads ": weir-split: 3/7", which comes while parts are asked about,
// and ": weir-split: 7", which comes before their answer; and ": weir-degraded: …"
// where the header has gone out before that was known.
func (r *Reader) comment(text []byte) {
	if mark, ok := bytes.CutPrefix(text, []byte("weir-degraded: ")); ok {
		r.answer.Degraded = string(mark)
		return
	}
	note, ok := bytes.CutPrefix(text, []byte("weir-split: "))
	if !ok {
		return
	}
	var done, total int
	switch n, _ := fmt.Sscanf(string(note), "%d/%d", &done, &total); {
	case n == 1:
		r.answer.Parts = done
	case n == 2 && r.Parts != nil:
		r.Parts(done, total)
	}
}

// wireEvent is what is looked at of an event.
type wireEvent struct {
	Type    string `json:"type"`
	Index   int    `json:"index"`
	Message struct {
		Model string        `json:"model"`
		Usage message.Usage `json:"usage"`
		Weir  struct {
			Parts []struct {
				Blocks int `json:"blocks"`
			} `json:"parts"`
		} `json:"weir"`
	} `json:"message"`
	Delta struct {
		Text       string `json:"text"`
		StopReason string `json:"stop_reason"`
	} `json:"delta"`
	Usage message.Usage `json:"usage"`
}

func (r *Reader) event(e sse.Event) {
	if r.fault != nil || r.ended || len(e.Data) == 0 {
		return
	}
	var w wireEvent
	if err := json.Unmarshal(e.Data, &w); err != nil {
		r.fault = fmt.Errorf("the stream is broken: %w", err)
		return
	}
	a := &r.answer
	switch w.Type {
	case "error":
		r.fault = refusal(e.Data, 0)
	case "message_start":
		a.Model = w.Message.Model
		r.use(w.Message.Usage)
		r.begins = map[int]bool{}
		block := 0
		for _, p := range w.Message.Weir.Parts {
			block += p.Blocks
			r.begins[block] = true
		}
	case "content_block_start":
		if r.begins[w.Index] {
			r.say("\n\n")
		}
	case "content_block_delta":
		r.say(w.Delta.Text)
	case "message_delta":
		a.Stop = w.Delta.StopReason
		r.use(w.Usage)
	case "message_stop":
		r.ended = true
	}
}

func (r *Reader) say(text string) {
	if text == "" {
		return
	}
	r.text.WriteString(text)
	if r.Piece != nil {
		r.Piece(text)
	}
}

func (r *Reader) use(u message.Usage) {
	r.answer.Usage = u.Over(r.answer.Usage)
	if u.Tier != "" {
		r.answer.Tier = u.Tier
	}
}

// refusal is what an error body says. Some relays say nothing.
func refusal(body []byte, status int) error {
	var doc struct {
		Error struct {
			Message string
			Details struct{ Weir struct{ Hint string } }
		}
	}
	if json.Unmarshal(body, &doc) != nil || doc.Error.Message == "" {
		return &Refusal{Message: fmt.Sprintf("it was refused with status %d", status)}
	}
	return &Refusal{Message: doc.Error.Message, Hint: doc.Error.Details.Weir.Hint}
}
