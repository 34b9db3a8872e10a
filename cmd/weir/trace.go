package main

import (
	"context"
	"log/slog"

	"github.com/weir-gateway/weir/internal/trace"
	"github.com/weir-gateway/weir/weir"
)

// traces sends the calls' traces where the standard OTEL_… variables name a
// collector. stop sends what is left, also of the calls that ended while the
// gateway was draining, which is after the end of ctx.
func traces(ctx context.Context, e env, log *slog.Logger) (opts []weir.Option, stop func(), err error) {
	if !trace.Enabled(e.getenv) {
		return nil, func() {}, nil
	}
	x, err := trace.New(ctx, e.getenv, version(), log)
	if err != nil {
		return nil, nil, hinted{err, "unset OTEL_EXPORTER_OTLP_ENDPOINT to run without traces"}
	}
	return []weir.Option{weir.WithObserver(x)}, beside(context.WithoutCancel(ctx), x.Run), nil
}
