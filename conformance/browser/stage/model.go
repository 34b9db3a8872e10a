package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/weir-gateway/weir/call"
)

// queueTime is how long a message to the made-up model waits.
const queueTime = 4 * time.Second

// model stands in for the gateway's front door. What it does depends on the
// last word of the message: "cap", "busy", "yours", "wait" are refusals, and
// anything else is answered, after a wait if it says "queue".
type model struct{}

var calls atomic.Int64

// ServeHTTP implements [http.Handler].
func (model) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method == http.MethodGet {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"data":[{"type":"model","id":"claude-sonnet-5","display_name":"Claude Sonnet 5"},{"type":"model","id":"claude-opus-5","display_name":"Claude Opus 5"}]}`)
		return
	}
	var asked struct {
		Messages []struct{ Content string } `json:"messages"`
	}
	if err := json.NewDecoder(req.Body).Decode(&asked); err != nil || len(asked.Messages) == 0 {
		http.Error(w, "malformed", http.StatusBadRequest)
		return
	}
	words := strings.Fields(asked.Messages[len(asked.Messages)-1].Content)
	until := time.Now().Add(queueTime)
	id := fmt.Sprintf("weir_play_%d_%d", calls.Add(1), until.UnixMilli())
	w.(interface{ Accepted(string) }).Accepted(id)
	w.Header().Set("Weir-Request-Id", id)
	switch last := words[len(words)-1]; last {
	case "queue":
		select {
		case <-time.After(time.Until(until)):
		case <-req.Context().Done():
			return
		}
	case "cap", "busy", "yours", "wait":
		refuse(w, last)
		return
	}
	answer(w, req)
}

// refuse answers as Weir's front door does.
func refuse(w http.ResponseWriter, kind string) {
	r := map[string]struct {
		status      int
		typ         string
		scope, who  string
		said, hint  string
		retry       string
		helpsToWait bool
	}{
		"wait":  {429, "rate_limit_error", "temporary", "wait", "The account's quota had no room for this request within the 60 s it could wait.", "Nothing is wrong with the request. Allow a longer wait.", time.Now().Add(20 * time.Second).UTC().Format(time.RFC3339), true},
		"cap":   {429, "rate_limit_error", "account", "admin", "The account has reached the monthly spend cap of its usage tier.", "Ask for a higher tier or limit in the Console under Limits.", "2026-12-01T00:00:00Z", false},
		"busy":  {529, "overloaded_error", "temporary", "anthropic", "Anthropic is overloaded.", "Nothing is wrong with the request.", "", false},
		"yours": {413, "request_too_large", "request", "you", "This request needs about 700,000 input tokens, but the account's limit is 450,000 per minute.", "Split the text into smaller requests.", "", false},
	}[kind]
	details := map[string]any{"scope": r.scope, "who": r.who, "hint": r.hint, "retry_at": nil}
	if r.retry != "" {
		details["retry_at"] = r.retry
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(r.status)
	json.NewEncoder(w).Encode(map[string]any{
		"type":  "error",
		"error": map[string]any{"type": r.typ, "message": r.said, "details": map[string]any{"error_code": kind, "weir": details}},
	})
}

// answer streams a few words.
func answer(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	rc := http.NewResponseController(w)
	send := func(name, data string) {
		fmt.Fprintf(w, "event: %s\ndata: %s\n\n", name, data)
		rc.Flush()
	}
	send("message_start", `{"type":"message_start","message":{"usage":{"input_tokens":42,"output_tokens":1}}}`)
	for _, word := range strings.SplitAfter("A weir holds a river back just enough that it never floods.", " ") {
		data, _ := json.Marshal(map[string]any{"type": "content_block_delta", "index": 0, "delta": map[string]string{"type": "text_delta", "text": word}})
		send("content_block_delta", string(data))
		select {
		case <-time.After(30 * time.Millisecond):
		case <-req.Context().Done():
			return
		}
	}
	send("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":15}}`)
	send("message_stop", `{"type":"message_stop"}`)
}

// waiting tells the place of a message that waits: the id says until when.
func waiting(id string) (call.WaiterReport, bool) {
	var n, until int64
	if _, err := fmt.Sscanf(id, "weir_play_%d_%d", &n, &until); err != nil {
		return call.WaiterReport{}, false
	}
	eta := time.Until(time.UnixMilli(until)).Seconds()
	return call.WaiterReport{ID: id, Tenant: "playground", Class: "interactive", Position: max(1, int(eta)+1), ETA: &eta, Waited: queueTime.Seconds() - eta, Attempt: 1}, eta > 0
}

type metrics struct{}

// ServeHTTP implements [http.Handler].
func (metrics) ServeHTTP(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "weir_up 1\n") }
