// Package trace makes OpenTelemetry traces of finished calls: one span for
// the call, and in it one for each wait and each attempt. It reads nothing but
// [call.Event], so that calls under way pay nothing for it, and no content of
// a request or an answer can be in a trace.
//
// It is off unless the standard environment variables name a collector.
package trace

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	api "go.opentelemetry.io/otel/trace"

	"github.com/weir-gateway/weir/call"
)

// Enabled reports whether the environment asks for traces: it names a
// collector and does not switch them off.
func Enabled(getenv func(string) string) bool {
	if getenv("OTEL_SDK_DISABLED") == "true" || getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// Exporter sends the traces. It implements [call.Observer]; events that come
// faster than they can be written down are dropped and counted.
type Exporter struct {
	log      *slog.Logger
	exporter sdk.SpanExporter
	resource *resource.Resource
	inbox    chan call.Event
	dropped  atomic.Uint64
}

// The bounds of what waits to be written down, and of the last sending.
const (
	inboxSize = 4096
	lastWords = 5 * time.Second
)

// New returns an exporter to the collector that the environment names, by OTLP
// over HTTP. It sends nothing before Run.
func New(ctx context.Context, getenv func(string) string, version string, log *slog.Logger) (*Exporter, error) {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if p := getenv(name); p != "" && p != "http/protobuf" {
			return nil, fmt.Errorf("%s=%s: traces are sent by http/protobuf only (a collector listens for it on port 4318)", name, p)
		}
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String(serviceName, "weir"), attribute.String(serviceVersion, version)), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	return &Exporter{log: log, exporter: &quiet{SpanExporter: exporter, log: log}, resource: about, inbox: make(chan call.Event, inboxSize)}, nil
}

// Event implements [call.Observer]. It never blocks.
func (x *Exporter) Event(e call.Event) {
	if e.Endpoint == call.Other {
		return // it is passed on unread: there is nothing to tell
	}
	select {
	case x.inbox <- e:
	default:
		x.dropped.Add(1)
	}
}

// Dropped counts the calls that have no trace because too many came at once.
func (x *Exporter) Dropped() uint64 { return x.dropped.Load() }

// Run writes down what comes until ctx is done, and then sends the rest.
func (x *Exporter) Run(ctx context.Context) error {
	provider := sdk.NewTracerProvider(sdk.WithBatcher(x.exporter), sdk.WithResource(x.resource))
	tracer := provider.Tracer("github.com/weir-gateway/weir", api.WithSchemaURL(schemaURL))
	for ctx.Err() == nil {
		select {
		case e := <-x.inbox:
			write(tracer, e)
		case <-ctx.Done():
		}
	}
	for len(x.inbox) > 0 {
		write(tracer, <-x.inbox)
	}
	if n := x.Dropped(); n > 0 {
		x.log.Warn("calls have no trace: too many came at once", "calls", n)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	return provider.Shutdown(last)
}

// quiet logs what cannot be sent, once a minute, instead of leaving it to the
// SDK's own error handler.
type quiet struct {
	sdk.SpanExporter
	log  *slog.Logger
	last time.Time // owned by the one goroutine that exports
}

// ExportSpans implements [sdk.SpanExporter].
func (q *quiet) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := q.SpanExporter.ExportSpans(ctx, spans)
	if err != nil && !errors.Is(err, context.Canceled) && time.Since(q.last) > time.Minute {
		q.last = time.Now()
		q.log.Warn("traces cannot be sent", "spans", len(spans), "cause", err)
	}
	return nil
}
