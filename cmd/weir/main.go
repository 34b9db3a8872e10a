// Command weir is a quota-aware gateway for the Anthropic (Claude) API. Run
// weir help for its commands.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, env{os.Stdin, os.Stdout, os.Stderr, os.Getenv}, os.Args[1:]))
}
