package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
)

// The prices of the model of these tests, by hand: dollars for a million tokens
// are micro-dollars for one, here in millionths of a micro-dollar.
const (
	tillModel  = "claude-opus-5"
	tillInput  = 5_000_000  // $5
	tillOutput = 25_000_000 // $25
	tillDollar = 1_000_000_000_000
)

// till stands before an API and keeps its own account of what it bills: it
// reads the usage from the bytes that are sent, and knows nothing of Weir.
type till struct {
	api http.Handler

	mu     sync.Mutex // guards the rest
	billed int64      // of answers that were sent whole, and of the sent part of others
	worst  int64      // as if every answer that broke off had been written to its max_tokens
	calls  int
	broken int // answers that broke off
}

// ServeHTTP implements [http.Handler].
func (l *till) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.URL.Path != "/v1/messages" {
		l.api.ServeHTTP(w, r)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var asked struct {
		MaxTokens int64 `json:"max_tokens"`
	}
	_ = json.Unmarshal(body, &asked) // the API says what is wrong with it
	s := &slip{ResponseWriter: w, status: http.StatusOK}
	defer func() { // the API may break the connection off by a panic
		l.mu.Lock()
		defer l.mu.Unlock()
		l.calls++
		billed, worst, broken := s.sum(int64(len(body)), asked.MaxTokens)
		l.billed, l.worst = l.billed+billed, l.worst+worst
		if broken {
			l.broken++
		}
	}()
	l.api.ServeHTTP(s, r)
}

// slip is one answer.
type slip struct {
	http.ResponseWriter
	status int
	sent   bytes.Buffer
}

func (s *slip) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

func (s *slip) Write(p []byte) (int, error) {
	s.sent.Write(p)
	return s.ResponseWriter.Write(p)
}

func (s *slip) Unwrap() http.ResponseWriter { return s.ResponseWriter }

type slipUsage struct {
	Input  int64  `json:"input_tokens"`
	Output *int64 `json:"output_tokens"`
}

// sum is what the answer costs.
func (s *slip) sum(size, most int64) (billed, worst int64, broken bool) {
	if s.status != http.StatusOK {
		return 0, 0, false // errors are free
	}
	text, whole, input, output := 0, false, int64(0), int64(0)
	var answer struct{ Usage *slipUsage }
	if json.Unmarshal(s.sent.Bytes(), &answer) == nil && answer.Usage != nil {
		whole, input, output = true, answer.Usage.Input, *answer.Usage.Output
	}
	for line := range strings.Lines(s.sent.String()) {
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		var e struct {
			Type    string
			Usage   *slipUsage
			Message struct{ Usage slipUsage }
			Delta   struct{ Text string }
		}
		if json.Unmarshal([]byte(data), &e) != nil {
			continue
		}
		text += len(e.Delta.Text)
		switch e.Type {
		case "message_start":
			input = e.Message.Usage.Input
		case "message_delta":
			whole, output = true, *e.Usage.Output
		}
	}
	if whole {
		billed = input*tillInput + output*tillOutput
		return billed, billed, false
	}
	if input == 0 { // nothing was sent: was it worked on?
		return 0, size/4*tillInput + most*tillOutput, true
	}
	return input*tillInput + min(int64(text)/4+1, most)*tillOutput, input*tillInput + most*tillOutput, true
}
