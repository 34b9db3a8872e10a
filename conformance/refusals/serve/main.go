// Command serve lets clients in any language meet every refusal of Weir; see
// package refusals. It prints the address that it serves on, and runs until it
// gets a signal.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/weir-gateway/weir/conformance/refusals"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "refusals: error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := refusals.NewServer()
	defer s.Close()
	srv := &http.Server{Handler: s.Handler()}
	context.AfterFunc(ctx, func() { srv.Close() })
	fmt.Fprintf(os.Stderr, "weir refusals: http://%s\n", l.Addr())
	if err := srv.Serve(l); ctx.Err() == nil {
		return err
	}
	return nil
}
