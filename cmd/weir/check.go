package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/weir-gateway/weir/internal/config"
)

// checkFlags are the flags of weir check.
type checkFlags struct {
	serveFlags
	asJSON, schema bool
	explain        bool
	with           []string // signals
}

func checkCommand(e env) *cobra.Command {
	var f checkFlags
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check a configuration and print it as it takes effect",
		Long: `Check a configuration and print it as it takes effect: the built-in defaults, the
profile, the file, the environment and the flags over each other. Behind each value
that is not the built-in default stands where it comes from. Secrets are not shown,
and nothing is asked of the network: that is for weir doctor.

With --explain it says instead what each rung of the degradation ladder makes of a
call, and why. Such a call finds the signals of --with, and otherwise a gateway at
rest.`,
		Example: "  weir check --config weir.yaml\n  weir check --config weir.yaml --profile production --json\n" +
			"  weir check --config weir.yaml --explain --with headroom=0.1,queue_wait=8s,class=batch\n" +
			"  weir check --schema > weir.schema.json",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if f.schema {
				return printSchema(e)
			}
			if len(f.with) > 0 && !f.explain {
				return usageError{hinted{errors.New("--with is for --explain"), "add --explain to see what the ladder makes of such a call"}}
			}
			return check(e, f)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&f.explain, "explain", false, "say what the degradation ladder makes of a call")
	cmd.Flags().StringSliceVar(&f.with, "with", nil, "what that call finds, such as headroom=0.1,queue_wait=8s,class=batch,now=2026-11-25T03:00:00Z")
	cmd.Flags().BoolVar(&f.schema, "schema", false, "print the JSON Schema of the file, for editors")
	return cmd
}

func printSchema(e env) error {
	raw, err := config.Schema()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "%s\n", raw)
	return err
}

// remark is a fault or a warning as weir check --json prints it.
type remark struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Path    string `json:"path"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// checked is what weir check --json prints.
type checked struct {
	Valid         bool              `json:"valid"`
	Configuration map[string]any    `json:"configuration,omitempty"`
	Origins       map[string]string `json:"origins,omitempty"`
	Faults        []remark          `json:"faults"`
	Warnings      []remark          `json:"warnings"`
}

func remarks(file string, list []config.Fault) []remark {
	out := make([]remark, len(list)) // none is [], not null
	for i, f := range list {
		out[i] = remark{File: file, Line: f.Line, Path: f.Path, Message: f.Message, Hint: f.Hint}
	}
	return out
}

func check(e env, f checkFlags) error {
	explained, err := effective(e, f.serveFlags)
	if err == nil {
		err = checkLoadTest(explained.Config)
	}
	invalid, listed := errors.AsType[*config.Faults](err)
	if err != nil && (!listed || !f.asJSON) {
		return err
	}
	if err != nil {
		return errors.Join(printJSON(e.stdout, checked{Faults: remarks(invalid.File, invalid.Faults), Warnings: []remark{}}), err)
	}
	warnings := append(explained.Config.Warnings(), unresolved(explained.Config, e)...)
	for _, w := range warnings {
		fmt.Fprintf(e.stderr, "weir: warning: %s\n", w)
	}
	if f.explain {
		return explain(e, explained.Config, f)
	}
	if f.asJSON {
		view, err := explained.Config.View()
		if err != nil {
			return err
		}
		return printJSON(e.stdout, checked{
			Valid: true, Configuration: view, Origins: explained.Origins,
			Faults: []remark{}, Warnings: remarks("", warnings),
		})
	}
	text, err := explained.YAML()
	if err != nil {
		return err
	}
	_, err = e.stdout.Write(text)
	return err
}

// unresolved warns of what is not there: the gateway would not start, but a
// file may be checked elsewhere.
func unresolved(c config.Config, e env) []config.Fault {
	list := c.Unresolved(e.getenv)
	if _, err := pricesOf(c); err != nil {
		list = append(list, config.Fault{Path: "ledger.prices", Message: err.Error(), Hint: "weir serve does not start without it"})
	}
	return list
}
