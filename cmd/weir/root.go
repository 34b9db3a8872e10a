package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// env is what a command may use of the process.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
}

// Exit codes of every command.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// hinted is an error that says what to do about it.
type hinted struct {
	error
	hint string
}

func (e hinted) Unwrap() error { return e.error }

// usageError is a mistake in the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// run executes one command line and returns its exit code. It returns soon
// after ctx is done.
func run(ctx context.Context, e env, args []string) int {
	root := rootCommand(e)
	root.SetArgs(args)
	root.SetIn(e.stdin)
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if strings.HasPrefix(err.Error(), "unknown command") { // cobra has no type for it
		err = usageError{hinted{err, fmt.Sprintf("run %q for the commands and their flags", cmd.CommandPath()+" --help")}}
	}
	fmt.Fprintf(e.stderr, "weir: error: %v\n", err)
	if h, ok := errors.AsType[hinted](err); ok {
		fmt.Fprintf(e.stderr, "weir: hint: %s\n", h.hint)
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

func rootCommand(e env) *cobra.Command {
	root := &cobra.Command{
		Use:   "weir",
		Short: "A quota-aware gateway for the Claude API",
		Long: "Weir stands between your programs and the Claude API. It holds each request until\n" +
			"your quota has room for it, so that nobody sees an HTTP 429.",
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{hinted{err, fmt.Sprintf("run %q for the flags", cmd.CommandPath()+" --help")}}
	})
	root.AddCommand(
		serveCommand(e), checkCommand(e), doctorCommand(e), tokenCommand(e), demoCommand(), simCommand(), loadCommand(e), topCommand(e),
		usageCommand(e), askCommand(e), splitCommand(e), batchCommand(e),
	)
	return root
}

// version is the module's, or the revision's for a build from source.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version
}

// printJSON prints v for programs.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
