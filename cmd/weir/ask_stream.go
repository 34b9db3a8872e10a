package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/weir"
)

// askAnswer is what weir ask --json prints.
type askAnswer struct {
	Text      string      `json:"text"`
	Model     string      `json:"model"`
	Stop      string      `json:"stop_reason"`
	Input     call.Tokens `json:"input_tokens"`
	CacheRead call.Tokens `json:"cache_read_tokens"`
	CacheMade call.Tokens `json:"cache_write_tokens"`
	Output    call.Tokens `json:"output_tokens"`
	Cost      call.USD    `json:"cost_usd"`
	Priced    bool        `json:"priced"`
	Parts     int         `json:"parts"` // 0: it was not split
	RequestID string      `json:"request_id"`
	Seconds   float64     `json:"seconds"`
}

// askUsage are the numbers of a usage object that cost money.
type askUsage struct {
	Input     *call.Tokens `json:"input_tokens"`
	CacheRead *call.Tokens `json:"cache_read_input_tokens"`
	CacheMade *call.Tokens `json:"cache_creation_input_tokens"`
	Output    *call.Tokens `json:"output_tokens"`
}

// askEvent is what is looked at of an event.
type askEvent struct {
	Type    string
	Message struct {
		Model string
		Usage askUsage
	}
	Delta struct {
		Type, Text string
		StopReason string `json:"stop_reason"`
	}
	Usage askUsage
	Error struct{ Message string }
}

// maxLine bounds a line of the stream: a part of a text is never as long.
const maxLine = 16 << 20

// read prints the answer as it comes.
func (a *asking) read(body io.Reader) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	ended := false
	for lines.Scan() {
		line := lines.Bytes()
		if note, ok := bytes.CutPrefix(line, []byte(": weir-split: ")); ok {
			a.progress(string(note))
		}
		data, ok := bytes.CutPrefix(line, []byte("data:"))
		if !ok {
			continue
		}
		var e askEvent
		if err := json.Unmarshal(data, &e); err != nil {
			return fmt.Errorf("the stream is broken: %w", err)
		}
		if e.Type == "error" {
			return refusedAnswer("stream", data)
		}
		a.take(e)
		ended = ended || e.Type == "message_stop"
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if !ended {
		return errors.New("the answer broke off")
	}
	return nil
}

// progress tells how many parts are answered, and when all will be.
func (a *asking) progress(note string) {
	var done, total int
	if n, _ := fmt.Sscanf(note, "%d/%d", &done, &total); n == 0 {
		return
	}
	if total == 0 { // the answer begins
		a.answer.Parts = done
		return
	}
	eta := ""
	if took := time.Since(a.began); done > 0 {
		eta = fmt.Sprintf(", about %s to go", (took * time.Duration(total-done) / time.Duration(done)).Round(time.Second))
	}
	fmt.Fprintf(a.env.stderr, "weir: %d of %d parts answered%s\n", done, total, eta)
}

func (a *asking) take(e askEvent) {
	for _, u := range []askUsage{e.Message.Usage, e.Usage} {
		for _, each := range []struct{ from, to *call.Tokens }{
			{u.Input, &a.answer.Input}, {u.CacheRead, &a.answer.CacheRead}, {u.CacheMade, &a.answer.CacheMade}, {u.Output, &a.answer.Output},
		} {
			if each.from != nil {
				*each.to = *each.from
			}
		}
	}
	if e.Message.Model != "" {
		a.answer.Model = e.Message.Model
	}
	if e.Delta.StopReason != "" {
		a.answer.Stop = e.Delta.StopReason
	}
	if e.Type == "content_block_delta" && e.Delta.Text != "" {
		a.text.WriteString(e.Delta.Text)
		if !a.asJSON {
			io.WriteString(a.env.stdout, e.Delta.Text)
		}
	}
}

// finish tells what it took.
func (a *asking) finish() error {
	r := &a.answer
	r.Text, r.Seconds = a.text.String(), time.Since(a.began).Seconds()
	r.Cost, r.Priced = weir.ListPrice(r.Model, call.Usage{Input: r.Input, CacheRead: r.CacheRead, CacheWrite: r.CacheMade, Output: r.Output})
	if !a.asJSON && !strings.HasSuffix(r.Text, "\n") {
		fmt.Fprintln(a.env.stdout)
	}
	in := ""
	if r.Parts > 0 {
		in = fmt.Sprintf(" in %d parts", r.Parts)
	}
	cost := "of unknown price"
	if r.Priced {
		cost = fmt.Sprintf("$%s", dollars(r.Cost))
	}
	fmt.Fprintf(a.env.stderr, "weir: %d input and %d output tokens%s, %s, %.1f s\n", r.Input+r.CacheRead+r.CacheMade, r.Output, in, cost, r.Seconds)
	if r.Stop == "max_tokens" {
		fmt.Fprintln(a.env.stderr, "weir: the answer was cut off by --max-tokens")
	}
	if a.asJSON {
		enc := json.NewEncoder(a.env.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	return nil
}

// refusedAnswer is the error that an error body stands for.
func refusedAnswer(status string, body []byte) error {
	var doc struct {
		Error struct {
			Message string
			Details struct{ Weir struct{ Hint string } }
		}
	}
	if json.Unmarshal(body, &doc) != nil || doc.Error.Message == "" {
		return fmt.Errorf("it was refused: %s", status)
	}
	if hint := doc.Error.Details.Weir.Hint; hint != "" {
		return hinted{errors.New(doc.Error.Message), hint}
	}
	return errors.New(doc.Error.Message)
}

// dollars is an amount to the hundredth of a cent.
func dollars(u call.USD) string { return fmt.Sprintf("%.4f", float64(u)/float64(call.Dollar)) }
