package trace

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	api "go.opentelemetry.io/otel/trace"

	"github.com/weir-gateway/weir/call"
)

// write makes the spans of a call. They bear the times at which things
// happened, and continue the caller's trace if there is one.
func write(tracer api.Tracer, e call.Event) {
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": e.TraceParent})
	operation, model := chat, e.Model
	if e.Endpoint == call.CountTokens {
		operation = countTokens
	}
	if e.Degraded.From != "" {
		model = e.Degraded.From
	}
	name := operation
	if model != "" {
		name += " " + model
	}
	ctx, span := tracer.Start(ctx, name, api.WithTimestamp(e.At.Add(-e.Took)), api.WithSpanKind(api.SpanKindClient),
		api.WithAttributes(attribute.String(operationName, operation), attribute.String(providerName, anthropic), attribute.String(requestModel, model)))
	defer span.End(api.WithTimestamp(e.At))
	if !span.IsRecording() {
		return // the caller's trace is not sampled
	}
	span.SetAttributes(facts(e)...)
	switch e.Outcome {
	case "ok":
	case "client_gone":
		span.SetAttributes(attribute.String(errorType, e.Outcome))
	default:
		span.SetAttributes(attribute.String(errorType, e.Reason))
		span.SetStatus(codes.Error, e.Outcome)
	}
	sent := 0
	for i, a := range e.Story {
		waited(ctx, tracer, a)
		if kinds[a.Kind] {
			attempted(ctx, tracer, e, i, sent)
			sent++
		}
	}
}

// facts are what there is to say of the whole call.
func facts(e call.Event) []attribute.KeyValue {
	list := []attribute.KeyValue{
		attribute.Bool(requestStream, e.Stream), attribute.Int(statusCode, e.Status),
		attribute.String(weirID, e.ID), attribute.String(weirTenant, e.Tenant), attribute.String(weirClass, e.Class.String()),
		attribute.String(weirOutcome, e.Outcome), attribute.Float64(weirWait, e.Waited.Seconds()),
		attribute.Int(weirAttempts, e.Attempts),
	}
	if e.Hedges > 0 {
		list = append(list, attribute.Int(weirHedges, e.Hedges))
	}
	if e.Degraded.Rung != "" {
		list = append(list, attribute.String(weirDegraded, e.Degraded.Rung))
	}
	if e.Estimate.Input > 0 {
		list = append(list, attribute.Int64(weirEstimate, int64(e.Estimate.Input)))
	}
	if u := e.Usage; u != (call.Usage{Exact: u.Exact}) {
		list = append(list, attribute.String(responseModel, e.Model),
			attribute.Int64(inputTokens, int64(u.Input+u.CacheRead+u.CacheWrite)), attribute.Int64(outputTokens, int64(u.Output)),
			attribute.Int64(cacheReadTokens, int64(u.CacheRead)), attribute.Int64(cacheWriteTokens, int64(u.CacheWrite)))
	}
	if e.Stream && e.FirstIn > 0 {
		list = append(list, attribute.Float64(timeToFirstChunk, e.FirstIn.Seconds()))
	}
	return list
}

// shortest is what counts as a wait.
const shortest = time.Millisecond

// waited makes the span of one wait, if it was one.
func waited(ctx context.Context, tracer api.Tracer, a call.Attempt) {
	if a.Wait.Took < shortest && kinds[a.Kind] {
		return
	}
	_, span := tracer.Start(ctx, "wait", api.WithTimestamp(a.At.Add(-a.Wait.Took)),
		api.WithAttributes(attribute.String(weirBoundBy, a.Wait.BoundBy), attribute.Int(weirAhead, a.Wait.Ahead)))
	if !kinds[a.Kind] { // it led to nothing
		span.SetAttributes(attribute.String(errorType, a.Kind))
		span.SetStatus(codes.Error, a.Kind)
	}
	span.End(api.WithTimestamp(a.At))
}

// attempted makes the span of the i-th chapter's attempt, before which so many
// were sent. One whose answer was handed on lasts as long as that.
func attempted(ctx context.Context, tracer api.Tracer, e call.Event, i, before int) {
	a := e.Story[i]
	end := a.At.Add(a.Took)
	if a.Kind == call.OK.String() && i == len(e.Story)-1 && e.At.After(end) {
		end = e.At
	}
	_, span := tracer.Start(ctx, "POST", api.WithTimestamp(a.At), api.WithSpanKind(api.SpanKindClient),
		api.WithAttributes(attribute.String(requestMethod, "POST"), attribute.String(weirKey, a.Key), attribute.String(weirKind, a.Kind)))
	if before > 0 {
		span.SetAttributes(attribute.Int(resendCount, before))
	}
	if a.Status > 0 {
		span.SetAttributes(attribute.Int(statusCode, a.Status))
	}
	if a.Kind != call.OK.String() {
		span.SetAttributes(attribute.String(errorType, a.Kind))
		span.SetStatus(codes.Error, a.Kind)
	} else if e.Stream {
		span.AddEvent("first content", api.WithTimestamp(a.At.Add(a.Took)))
	}
	span.End(api.WithTimestamp(end))
}

// kinds are those of chapters that tell of a request sent; the others tell of
// a wait that led to nothing.
var kinds = func() map[string]bool {
	all := map[string]bool{}
	for k := call.OK; k <= call.Unreachable; k++ {
		all[k.String()] = true
	}
	return all
}()
