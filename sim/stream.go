package sim

import (
	"iter"
	"net/http"
	"strconv"
	"time"
)

// chunkTime is how much of the answer one event carries, in the server's time:
// the API sends a few tokens at once too, and one timer per token would be the
// most expensive thing here.
const chunkTime = 75 * time.Millisecond

// instantChunk is the tokens per event where answers come at once.
const instantChunk = 32

// event is one server-sent event, due when so many tokens have been said.
type event struct {
	name   string
	data   []byte // without "data: "
	tokens int
}

// events returns the events of the answer in the API's order. The data of one
// is valid until the next.
func (a *answer) events(chunk int) iter.Seq[event] {
	return func(yield func(event) bool) {
		b := make([]byte, 0, 1024)
		b = append(b, `{"type":"message_start","message":`...)
		b = a.head(b)
		b = append(b, `,"content":[],"stop_reason":null,"stop_sequence":null,"usage":`...)
		b = a.usage(b, min(1, a.output), false)
		b = append(b, `}}`...)
		if !yield(event{"message_start", b, 0}) {
			return
		}
		said := 0
		for i, k := range a.blocks {
			if !k.events(b, i, said, chunk, yield) {
				return
			}
			said += k.tokens
		}
		b = append(b[:0], `{"type":"message_delta","delta":{`...)
		b = a.ending(b)
		b = append(b, `},"usage":`...)
		b = a.usage(b, a.output, true)
		b = append(b, '}')
		if yield(event{"message_delta", b, a.output}) {
			yield(event{"message_stop", []byte(`{"type":"message_stop"}`), a.output})
		}
	}
}

// events yields the events of one block, after said tokens of others.
func (k answerBlock) events(b []byte, index, said, chunk int, yield func(event) bool) bool {
	open := func(kind string) []byte {
		b = append(b[:0], `{"type":"`...)
		b = append(b, kind...)
		b = append(b, `","index":`...)
		return strconv.AppendInt(b, int64(index), 10)
	}
	b = append(open("content_block_start"), `,"content_block":`...)
	b = append(k.start(b), '}')
	if !yield(event{"content_block_start", b, said}) {
		return false
	}
	if index == 0 && !yield(event{"ping", []byte(`{"type": "ping"}`), said}) {
		return false
	}
	kind := map[string]string{
		"thinking": `thinking_delta","thinking":`, "text": `text_delta","text":`, "tool_use": `input_json_delta","partial_json":`,
	}[k.kind]
	pieces := max(1, (k.tokens+chunk-1)/chunk)
	for i := range pieces {
		part := k.text[len(k.text)*i/pieces : len(k.text)*(i+1)/pieces]
		b = append(open("content_block_delta"), `,"delta":{"type":"`...)
		b = append(quoted(append(b, kind...), part), `}}`...)
		if !yield(event{"content_block_delta", b, said + k.tokens*(i+1)/pieces}) {
			return false
		}
	}
	if k.sign != "" {
		b = append(open("content_block_delta"), `,"delta":{"type":"signature_delta","signature":`...)
		b = append(quoted(b, k.sign), `}}`...)
		if !yield(event{"content_block_delta", b, said + k.tokens}) {
			return false
		}
	}
	return yield(event{"content_block_stop", append(open("content_block_stop"), '}'), said + k.tokens})
}

// stream sends the answer as server-sent events, paced from the instant first
// on, and closes the ticket with what was said until it ended or the client
// left.
func (x *exchange) stream(a *answer, t *ticket, first instant) {
	h := x.headers(true)
	h["Content-Type"] = []string{"text/event-stream; charset=utf-8"}
	h["Cache-Control"] = []string{"no-cache"}
	x.begin(http.StatusOK)
	rate := x.config.Timing.TokensPerSecond
	chunk := instantChunk
	if rate > 0 {
		chunk = max(1, int(rate*chunkTime.Seconds()))
	}
	control := http.NewResponseController(x.w)
	line := make([]byte, 0, 1024)
	said, n, billed := 0, 0, false
	finish := func() {
		if t.close(x.clock.now(), float64(said)); !billed {
			billed = true
			if said > 0 || !x.failed {
				x.charge(a.req, a.cache, said)
			}
		}
	}
	defer finish()
	for e := range a.events(chunk) {
		late := time.Duration(0)
		if rate > 0 {
			late = first + seconds(float64(e.tokens)/rate) - x.clock.now()
		}
		if !x.wait(late) {
			return
		}
		spoiled, over := x.midway(n, e.data)
		if over {
			return
		}
		if said = e.tokens; e.name == "message_stop" {
			finish() // in time for whoever has read it
		}
		line = append(append(append(line[:0], "event: "...), e.name...), "\ndata: "...)
		line = append(append(line, spoiled...), "\n\n"...)
		if _, err := x.w.Write(line); err != nil {
			return
		}
		if err := control.Flush(); err != nil {
			return
		}
		n++
	}
}

// midway applies the faults that strike after n events. It returns the data of
// the next event and whether the stream is over.
func (x *exchange) midway(n int, data []byte) (next []byte, over bool) {
	for _, f := range x.upset.faults {
		if f.AfterEvents != n {
			continue
		}
		switch f.Kind {
		case FaultEOF:
			_ = http.NewResponseController(x.w).Flush()
			return nil, true
		case FaultReset: // at 0 it came before the answer
			x.cut()
			return nil, true
		case FaultStall:
			if n > 0 && !x.stall(f) {
				return nil, true
			}
		case FaultMalformed:
			data = append(data[:len(data)*2/3:len(data)*2/3], ",,]"...)
		case FaultErrorEvent:
			x.errorEvent(f)
			return nil, true
		}
	}
	return data, false
}

// errorEvent ends a stream as the API does when something fails midway: no
// message_stop and no final usage.
func (x *exchange) errorEvent(f *Fault) {
	x.failed = true
	e := standard(529)
	if f.Status > 0 {
		e = standard(f.Status)
	}
	if f.Type != "" {
		e.kind = f.Type
	}
	if f.Message != "" {
		e.message = f.Message
	}
	_, _ = x.w.Write([]byte("event: error\ndata: " + string(e.body(x.id)) + "\n\n"))
	_ = http.NewResponseController(x.w).Flush()
}
