package question

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/weir-gateway/weir/call"
)

// response is a stream, or JSON, with this body.
func response(status int, media, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {media}}, Body: io.NopCloser(iotest.OneByteReader(strings.NewReader(body)))}
}

const (
	started = `event: message_start
data: {"type":"message_start","message":{"model":"claude-opus-5","usage":{"input_tokens":7,"cache_read_input_tokens":1000,
data: "cache_creation_input_tokens":500,"cache_creation":{"ephemeral_1h_input_tokens":200},"service_tier":"priority","output_tokens":1}}}

`
	said = `event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm."}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"A weir "}}

data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"holds."}}

`
	ended = `data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":40}}

data: {"type":"message_stop"}

`
)

func TestReadStream(t *testing.T) {
	for name, breaks := range map[string]string{"lf": "\n", "crlf": "\r\n", "cr": "\r"} {
		body := ": weir-split: 1/3\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n: weir-split: 3/3\n\n: another\n\n: weir-degraded: effort; from=claude-opus-5\n\n: weir-split: 3\n\n" + started + said + ended
		var pieces []string
		var parts [][2]int
		r := Reader{
			Piece: func(text string) { pieces = append(pieces, text) },
			Parts: func(done, total int) { parts = append(parts, [2]int{done, total}) },
		}
		a, err := r.Read(response(200, "text/event-stream", strings.ReplaceAll(body, "\n", breaks)))
		want := call.Usage{Input: 7, CacheRead: 1000, CacheWrite: 500, HourWrite: 200, Output: 40}
		if err != nil || a.Text != "A weir holds." || a.Usage != want || a.Stop != "end_turn" || a.Tier != "priority" || a.Model != "claude-opus-5" {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
		if len(pieces) != 2 || len(parts) != 2 || parts[0] != [2]int{1, 3} || a.Parts != 3 || a.Degraded != "effort; from=claude-opus-5" {
			t.Errorf("%s: heard %q, %v of %d", name, pieces, parts, a.Parts)
		}
		// By the list: 5 a million in, 0.50 read, 6.25 and 10 written, 25 out.
		cost, known := a.Cost(time.Now())
		if exact := call.USD(7*5_000_000 + 1000*500_000 + 300*6_250_000 + 200*10_000_000 + 40*25_000_000); cost != exact || !known {
			t.Errorf("%s: it cost %v, want %v", name, cost, exact)
		}
	}
}

func TestReadInOnePiece(t *testing.T) {
	body := `{"type":"message","role":"assistant","model":"claude-haiku-4-5","content":[{"type":"text","text":"Yes."}],"stop_reason":"end_turn","usage":{"input_tokens":9,"output_tokens":3}}`
	resp := response(200, "application/json", body)
	resp.Header.Set("Weir-Split", "4")
	resp.Header.Set("Weir-Degraded", "images; from=claude-haiku-4-5")
	a, err := new(Reader).Read(resp)
	if err != nil || a.Text != "Yes." || a.Usage.Output != 3 || a.Parts != 4 || a.Degraded != "images; from=claude-haiku-4-5" {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestReadList reads the answers to parts, one of which has two blocks: each
// begins in a paragraph of its own.
func TestReadList(t *testing.T) {
	body := `{"type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"It "},{"type":"text","text":"rose."},{"type":"text","text":"It fell."}],` +
		`"stop_reason":"end_turn","usage":{},"weir":{"parts":[{"blocks":2},{"blocks":1}]}}`
	if a, err := new(Reader).Read(response(200, "application/json", body)); err != nil || a.Text != "It rose.\n\nIt fell." {
		t.Errorf("%q, %v", a.Text, err)
	}
}

func TestReadWhatIsNoAnswer(t *testing.T) {
	const failure = `{"type":"error","error":{"type":"overloaded_error","message":"Busy.","details":{"weir":{"hint":"Wait."}}}}`
	for name, tt := range map[string]struct {
		resp *http.Response
		want string
		hint string
		text string
	}{
		"refused":      {response(429, "application/json", failure), "Busy.", "Wait.", ""},
		"without-word": {response(502, "text/html", "<p>Bad gateway"), "status 502", "", ""},
		"event":        {response(200, "text/event-stream", started+said+"event: error\ndata: "+failure+"\n\n"), "Busy.", "Wait.", "A weir holds."},
		"broke-off":    {response(200, "text/event-stream", started+said), ErrBrokeOff.Error(), "", "A weir holds."},
		"no-json":      {response(200, "text/event-stream", "data: {\n\n"), "the stream is broken", "", ""},
		"no-message":   {response(200, "application/json", "[]"), "not understood", "", ""},
	} {
		a, err := new(Reader).Read(tt.resp)
		no, _ := errors.AsType[*Refusal](err)
		if err == nil || !strings.Contains(err.Error(), tt.want) || a.Text != tt.text || tt.hint != "" && (no == nil || no.Hint != tt.hint) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}

// A long prompt has a price of its own, which parts below it do not pay.
func TestCostOfParts(t *testing.T) {
	a := Answer{Model: "claude-haiku-5-5", Usage: call.Usage{Input: 150_000}}
	whole, _ := a.Cost(time.Now())
	a.Parts = 3
	parts, _ := a.Cost(time.Now())
	if whole != 5*parts || parts != 150_000*100_000 {
		t.Errorf("whole %v, in parts %v", whole, parts)
	}
}
