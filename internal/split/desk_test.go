package split_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/split"
)

// desk stands in for the rest of the house: four bytes are a token.
type desk struct {
	window, bucket call.Tokens
	perToken       int // bytes; 0: 4

	mu     sync.Mutex // guards everything below
	asked  []*call.Call
	booked []string
}

func (d *desk) tokens(n int) call.Tokens { return call.Tokens(n / max(d.perToken, 1)) }

func (d *desk) room(cfg split.Config) *split.Room {
	if d.perToken == 0 {
		d.perToken = 4
	}
	return split.New(cfg, split.House{
		Part: func(c *call.Call, body []byte) (*call.Call, error) {
			p := c.Clone()
			d.mu.Lock()
			defer d.mu.Unlock()
			p.Body, p.ID = body, fmt.Sprintf("part_%d", len(d.asked))
			return p, nil
		},
		Input:  func(c *call.Call) call.Tokens { return d.tokens(len(c.Body)) },
		Text:   func(_ *call.Call, text string) call.Tokens { return d.tokens(len(text)) },
		Window: func(string) call.Tokens { return d.window },
		Bucket: func(*call.Call) call.Tokens { return d.bucket },
		End: func(c *call.Call, status int, outcome, reason string) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.booked = append(d.booked, fmt.Sprint(c.ID, " ", status, " ", outcome, " ", reason))
		},
	})
}

// question is what is looked at of a request.
type question struct {
	Stream   bool
	Messages []struct {
		Content []struct {
			Type, Text string
			Source     struct {
				Data    string
				Content []struct{ Text string }
			}
			CacheControl *struct{} `json:"cache_control"`
		}
	}
	CacheControl *struct{} `json:"cache_control"`
}

// reply answers the n-th request, from 1. One is called at a time.
type reply func(n int, q question) (status int, body string)

// ask makes an asker of a reply.
func (d *desk) ask(t *testing.T, answer reply) func(context.Context, *call.Call) (*http.Response, error) {
	return func(ctx context.Context, c *call.Call) (*http.Response, error) {
		var q question
		if err := json.Unmarshal(c.Body, &q); err != nil {
			t.Errorf("%v in %.300s", err, c.Body)
		}
		d.mu.Lock()
		d.asked = append(d.asked, c)
		n := len(d.asked)
		status, body := answer(n, q)
		d.mu.Unlock()
		if status == 0 { // it waits
			<-ctx.Done()
			return nil, &call.Refusal{Reason: call.ClientGone, Cause: ctx.Err()}
		}
		c.Attempts = 1
		return &http.Response{StatusCode: status, Header: http.Header{"Request-Id": {fmt.Sprint("req_", n)}}, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

// message is an answer with content blocks.
func message(stop, usage string, blocks ...string) string {
	return fmt.Sprintf(`{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[%s],"stop_reason":%q,"stop_sequence":null,"usage":%s}`,
		strings.Join(blocks, ","), stop, usage)
}

func says(text string) string { return fmt.Sprintf(`{"type":"text","text":%q}`, text) }

const usage = `{"input_tokens":10,"output_tokens":2}`

// well answers every request.
func well(n int, _ question) (int, string) {
	return 200, message("end_turn", usage, says(fmt.Sprint("answer ", n)))
}

// prose is a text of about so many bytes.
func prose(size int) string {
	var b strings.Builder
	for n := 0; b.Len() < size; n++ {
		fmt.Fprintf(&b, "This is sentence number %d of the text. ", n)
	}
	return b.String()
}

// about is a request of one user message.
func about(more string, blocks ...string) []byte {
	return fmt.Appendf(nil, `{"model":"m","max_tokens":10,%s"messages":[{"role":"user","content":[%s]}]}`, more, strings.Join(blocks, ","))
}

// text and document are blocks.
func text(s string) string { return fmt.Sprintf(`{"type":"text","text":%q}`, s) }

func document(s string) string {
	return fmt.Sprintf(`{"type":"document","source":{"type":"text","media_type":"text/plain","data":%q}}`, s)
}

// wish is a call that may be split.
func wish(body []byte, merge call.Merge) *call.Call {
	return &call.Call{ID: "whole", Model: "m", MaxTokens: 10, Body: body, Split: call.SplitWish{Auto: true, Merge: merge}, Progress: &call.Progress{}}
}

// merged is what is looked at of an answer.
type merged struct {
	Type         string
	Content      []map[string]any
	Usage        map[string]any
	StopReason   string `json:"stop_reason"`
	StopSequence any    `json:"stop_sequence"`
	Weir         struct {
		Parts []struct {
			ID     string `json:"request_id"`
			Blocks int
			Stop   string `json:"stop_reason"`
		}
	}
}

// answer splits c and reads the answer.
func (d *desk) answer(t *testing.T, cfg split.Config, c *call.Call, r reply) (m merged) {
	t.Helper()
	resp, err := d.room(cfg).Answer(t.Context(), c, d.ask(t, r))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || json.Unmarshal(raw, &m) != nil || resp.StatusCode != 200 {
		t.Fatalf("%d, %v: %.500s", resp.StatusCode, err, raw)
	}
	return m
}

// pieces are the texts that were asked about, without what was said before them.
func (d *desk) pieces(t *testing.T, block int) (out []string) {
	t.Helper()
	for _, c := range d.asked {
		var q question
		if err := json.Unmarshal(c.Body, &q); err != nil {
			t.Fatal(err)
		}
		b := q.Messages[0].Content[block]
		var said strings.Builder
		said.WriteString(b.Text + b.Source.Data)
		for _, inner := range b.Source.Content {
			said.WriteString(inner.Text)
		}
		_, piece, found := strings.Cut(said.String(), "alone.)\n\n")
		if found {
			out = append(out, piece)
		}
	}
	return out
}
