package trace

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"go.opentelemetry.io/proto/otlp/common/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/weir-gateway/weir/call"
)

// receiver is a collector that keeps what it gets.
type receiver struct {
	*httptest.Server
	status int

	mu   sync.Mutex // guards the rest
	got  []*spans.ResourceSpans
	path string
}

func receive(t *testing.T) *receiver {
	r := &receiver{status: http.StatusOK}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		raw, _ := io.ReadAll(req.Body)
		var in collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(raw, &in); err != nil {
			t.Errorf("no OTLP: %v", err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got, r.path = append(r.got, in.ResourceSpans...), req.URL.Path
		w.WriteHeader(r.status)
	}))
	t.Cleanup(r.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", r.URL)
	return r
}

func none(string) string { return "" }

// send runs an exporter for these events and returns the spans by name, in the
// order of their beginnings.
func (r *receiver) send(t *testing.T, events ...call.Event) []*spans.Span {
	t.Helper()
	x, err := New(t.Context(), none, "v9", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		x.Event(e)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel() // what is in the inbox is still sent
	if err := x.Run(ended); err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*spans.Span
	for _, rs := range r.got {
		for _, ss := range rs.ScopeSpans {
			if ss.SchemaUrl != schemaURL {
				t.Errorf("schema %q", ss.SchemaUrl)
			}
			all = append(all, ss.Spans...)
		}
	}
	return all
}

// attributes of a span, as text.
func attributes(list []*v1.KeyValue) map[string]string {
	out := map[string]string{}
	for _, kv := range list {
		text := kv.Value.String() // "string_value:\"x\"", "int_value:3"
		_, text, _ = strings.Cut(text, ":")
		out[kv.Key] = strings.Trim(text, `"`)
	}
	return out
}

var began = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// retried is a stream that waited, failed, waited again and was answered.
func retried() call.Event {
	at := func(s float64) time.Time { return began.Add(time.Duration(s * float64(time.Second))) }
	return call.Event{
		ID: "weir_1", At: at(20), Took: 20 * time.Second, Endpoint: call.Messages, Model: "claude-haiku-4-5", Tenant: "amber",
		Class: call.Normal, Stream: true, Status: 200, Outcome: "ok", Waited: 4 * time.Second, FirstIn: 15 * time.Second, Attempts: 2,
		Estimate: call.Estimate{Input: 100}, Usage: call.Usage{Input: 90, CacheRead: 1000, CacheWrite: 10, Output: 7, Exact: true},
		Story: []call.Attempt{
			{At: at(4), Wait: call.Wait{Took: 4 * time.Second, BoundBy: "input_tokens", Ahead: 3, Behind: "birch"}, Key: "main", Status: 529, Kind: "overloaded", Took: time.Second},
			{At: at(10), Wait: call.Wait{Took: 5 * time.Second}, Key: "main", Status: 200, Kind: "ok", Took: 5 * time.Second},
		},
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}
}

func TestSpansOfACall(t *testing.T) {
	r := receive(t)
	list := r.send(t, retried())
	if len(list) != 5 || r.path != "/v1/traces" {
		t.Fatalf("%d spans at %q, want 5", len(list), r.path)
	}
	byName := map[string][]*spans.Span{}
	for _, s := range list {
		byName[s.Name] = append(byName[s.Name], s)
	}
	root := byName["chat claude-haiku-4-5"][0]
	for _, s := range list {
		if got := traceID(s); got != "0af7651916cd43dd8448eb211c80319c" {
			t.Errorf("%s is of the trace %s", s.Name, got)
		}
		if s != root && string(s.ParentSpanId) != string(root.SpanId) {
			t.Errorf("%s is no child of the call", s.Name)
		}
	}
	if got := hex(root.ParentSpanId); got != "b7ad6b7169203331" {
		t.Errorf("the call's parent is %s", got)
	}
	for _, tt := range []struct {
		span     *spans.Span
		from, to float64 // seconds
		kind     spans.Span_SpanKind
		failed   bool
		has      map[string]string
	}{
		{root, 0, 20, spans.Span_SPAN_KIND_CLIENT, false, map[string]string{
			"gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude-haiku-4-5",
			"gen_ai.response.model": "claude-haiku-4-5", "gen_ai.request.stream": "true",
			"gen_ai.usage.input_tokens": "1100", "gen_ai.usage.cache_read.input_tokens": "1000",
			"gen_ai.usage.cache_creation.input_tokens": "10", "gen_ai.usage.output_tokens": "7",
			"gen_ai.response.time_to_first_chunk": "15", "http.response.status_code": "200",
			"weir.request.id": "weir_1", "weir.class": "normal", "weir.outcome": "ok", "weir.wait": "4", "weir.attempts": "2",
			"weir.tenant": "amber", "weir.estimate.input_tokens": "100",
		}},
		{byName["wait"][0], 0, 4, spans.Span_SPAN_KIND_INTERNAL, false, map[string]string{"weir.wait.bound_by": "input_tokens", "weir.wait.ahead": "3"}},
		{byName["POST"][0], 4, 5, spans.Span_SPAN_KIND_CLIENT, true, map[string]string{
			"http.request.method": "POST", "http.response.status_code": "529", "error.type": "overloaded", "weir.kind": "overloaded", "weir.key": "main"}},
		{byName["wait"][1], 5, 10, spans.Span_SPAN_KIND_INTERNAL, false, map[string]string{"weir.wait.bound_by": "", "weir.wait.ahead": "0"}},
		{byName["POST"][1], 10, 20, spans.Span_SPAN_KIND_CLIENT, false, map[string]string{
			"http.request.method": "POST", "http.response.status_code": "200", "http.request.resend_count": "1", "weir.kind": "ok", "weir.key": "main"}},
	} {
		from, to := since(tt.span.StartTimeUnixNano), since(tt.span.EndTimeUnixNano)
		failed := tt.span.Status != nil && tt.span.Status.Code == spans.Status_STATUS_CODE_ERROR
		if from != tt.from || to != tt.to || tt.span.Kind != tt.kind || failed != tt.failed {
			t.Errorf("%s: %v to %v, %v, failed %v", tt.span.Name, from, to, tt.span.Kind, failed)
		}
		got := attributes(tt.span.Attributes)
		for name, want := range tt.has {
			if v, ok := got[name]; !ok || v != want {
				t.Errorf("%s: %s is %q, want %q", tt.span.Name, name, v, want)
			}
			delete(got, name)
		}
		if len(got) > 0 {
			t.Errorf("%s: also %v", tt.span.Name, got)
		}
	}
	if events := byName["POST"][1].Events; len(events) != 1 || since(events[0].TimeUnixNano) != 15 {
		t.Errorf("the first content: %v", events)
	}
	about := attributes(r.got[0].Resource.Attributes)
	if about["service.name"] != "weir" || about["service.version"] != "v9" {
		t.Errorf("resource %v", about)
	}
}

func since(nano uint64) float64 { return time.Unix(0, int64(nano)).Sub(began).Seconds() }

func traceID(s *spans.Span) string { return hex(s.TraceId) }

func hex(b []byte) string {
	const digits = "0123456789abcdef"
	var out strings.Builder
	for _, c := range b {
		out.WriteByte(digits[c>>4])
		out.WriteByte(digits[c&15])
	}
	return out.String()
}

func TestEndings(t *testing.T) {
	for _, tt := range []struct {
		name   string
		event  call.Event
		spans  string
		failed bool
		cause  string
	}{
		{"at-once", call.Event{Outcome: "ok", Story: []call.Attempt{{Kind: "ok", Status: 200}}}, "POST,chat m", false, ""},
		{"refused-after-a-wait", call.Event{Outcome: "refused", Reason: "wait_deadline", Status: 429,
			Story: []call.Attempt{{Kind: "wait_deadline", Wait: call.Wait{Took: time.Minute}}}}, "wait,chat m", true, "wait_deadline"},
		{"refused-unread", call.Event{Outcome: "refused", Reason: "malformed_request", Status: 400}, "chat m", true, "malformed_request"},
		{"client-gone", call.Event{Outcome: "client_gone", Status: 499}, "chat m", false, "client_gone"},
		{"broken-off", call.Event{Outcome: "failed_mid_stream", Reason: "broken_off", Status: 200}, "chat m", true, "broken_off"},
		{"counted", call.Event{Endpoint: call.CountTokens, Outcome: "ok"}, "count_tokens m", false, ""},
		{"other-model", call.Event{Outcome: "ok", Degraded: call.Degradation{Rung: "fallback", From: "asked"}}, "chat asked", false, ""},
		{"bad-parent", call.Event{Outcome: "ok", TraceParent: "00-zz-01"}, "chat m", false, ""},
		{"not-sampled", call.Event{Outcome: "ok", TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"}, "", false, ""},
		{"passed-on", call.Event{Endpoint: call.Other, Outcome: "ok"}, "", false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := tt.event
			e.At, e.Model = began, "m"
			if tt.name != "counted" && tt.name != "passed-on" {
				e.Endpoint = call.Messages
			}
			var names []string
			var root *spans.Span
			for _, s := range receive(t).send(t, e) {
				names = append(names, s.Name)
				root = s
			}
			if got := strings.Join(names, ","); got != tt.spans {
				t.Fatalf("spans %s, want %s", got, tt.spans)
			}
			if root == nil {
				return
			}
			failed := root.Status != nil && root.Status.Code == spans.Status_STATUS_CODE_ERROR
			if cause := attributes(root.Attributes)["error.type"]; failed != tt.failed || cause != tt.cause {
				t.Errorf("failed %v by %q", failed, cause)
			}
		})
	}
}

func TestEnabled(t *testing.T) {
	const endpoint, traces = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	for _, tt := range []struct {
		name string
		env  map[string]string
		want bool
	}{
		{"nothing", nil, false},
		{"endpoint", map[string]string{endpoint: "http://c:4318"}, true},
		{"traces-endpoint", map[string]string{traces: "http://c:4318/v1/traces"}, true},
		{"disabled", map[string]string{endpoint: "http://c:4318", "OTEL_SDK_DISABLED": "true"}, false},
		{"other-exporter", map[string]string{endpoint: "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Enabled(func(name string) string { return tt.env[name] }); got != tt.want {
				t.Errorf("%v", got)
			}
		})
	}
}

func TestWrongProtocolIsSaid(t *testing.T) {
	_, err := New(t.Context(), func(name string) string {
		return map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}[name]
	}, "", nil)
	if err == nil || !strings.Contains(err.Error(), "4318") {
		t.Errorf("%v", err)
	}
}

// TestCollectorAway: a collector that refuses costs one line in the log.
func TestCollectorAway(t *testing.T) {
	r := receive(t)
	r.status = http.StatusBadRequest
	var log strings.Builder
	x, err := New(t.Context(), none, "", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for range 2000 { // several batches
		x.Event(call.Event{Endpoint: call.Messages, Outcome: "ok", At: began})
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	x.Run(ended)
	if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "traces cannot be sent") {
		t.Errorf("%d lines: %s", n, log.String())
	}
}

// TestEventNeverBlocks: nobody runs, and the inbox fills.
func TestEventNeverBlocks(t *testing.T) {
	receive(t)
	x, err := New(t.Context(), none, "", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for range inboxSize + 10 {
		x.Event(call.Event{Endpoint: call.Messages})
	}
	if x.Dropped() != 10 {
		t.Errorf("%d dropped", x.Dropped())
	}
}

func BenchmarkEvent(b *testing.B) {
	x := &Exporter{inbox: make(chan call.Event, inboxSize)}
	e := retried()
	for b.Loop() {
		x.Event(e)
		if len(x.inbox) == inboxSize {
			b.StopTimer()
			for len(x.inbox) > 0 {
				<-x.inbox
			}
			b.StartTimer()
		}
	}
}
