package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/config"
	"github.com/weir-gateway/weir/internal/tokens"
)

// tokenFlags name the file of tokens.
type tokenFlags struct{ file, data string }

// path is the file of tokens.
func (f tokenFlags) path(e env) (string, error) {
	c, err := config.Load(f.file, e.getenv)
	if err != nil {
		return "", err
	}
	data := cmp.Or(f.data, c.Data)
	if data == "" {
		return "", usageError{hinted{errors.New("no data folder is named"), "give --data, with the folder that weir serve is given"}}
	}
	return tokensFile(data), nil
}

func tokenCommand(e env) *cobra.Command {
	var f tokenFlags
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke the tokens that let programs use the gateway",
		Long: "Make, list and revoke the tokens that let programs use the gateway's keys. Only\n" +
			"hashes are stored. A gateway that runs with the same data folder takes changes\n" +
			"over at once; from the first token on it lets nobody in without one.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&f.file, "config", "", "configuration file that names the data folder")
	flags.StringVar(&f.data, "data", "", "data folder of the gateway")
	cmd.AddCommand(tokenAdd(e, &f), tokenList(e, &f), tokenRevoke(e, &f))
	return cmd
}

func tokenAdd(e env, f *tokenFlags) *cobra.Command {
	t := tokens.Token{Created: time.Now()}
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Make a token and print it; it cannot be shown again",
		Args:  named,
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := f.path(e)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("models") {
				if err := patterns(t.Models); err != nil {
					return err
				}
			}
			t.Name = args[0]
			token, err := tokens.Add(file, t)
			if errors.Is(err, tokens.ErrTaken) {
				return hinted{err, "choose another name, or revoke that token first"}
			}
			if err != nil {
				return err
			}
			fmt.Fprintln(e.stdout, token)
			fmt.Fprintln(e.stderr, "weir: keep it now: only its hash is stored. Programs send it as their API key.")
			return nil
		},
	}
	cmd.Flags().StringVar(&t.Tenant, "tenant", "", "whose share its holder draws on (default: the name)")
	cmd.Flags().StringSliceVar(&t.Models, "models", nil, "models that its holder may use, such as 'claude-haiku-*' (default: any)")
	return cmd
}

// patterns refuses what is no list of patterns of models. An empty one would be a
// token for any model.
func patterns(models []string) error {
	bad := func(p string) bool { return !call.IsPattern(p) }
	if len(models) == 0 || slices.ContainsFunc(models, bad) {
		return usageError{hinted{fmt.Errorf("--models: %q is no list of patterns", models), "* stands for anything, such as: --models 'claude-haiku-*,claude-sonnet-5'"}}
	}
	return nil
}

func tokenList(e env, f *tokenFlags) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the tokens, without the tokens themselves",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			file, err := f.path(e)
			if err != nil {
				return err
			}
			list, err := tokens.Read(file)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if asJSON {
				return printJSON(e.stdout, append([]tokens.Token{}, list...)) // none is [], not null
			}
			w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tTENANT\tCREATED\tMODELS")
			for _, t := range list {
				models := cmp.Or(strings.Join(t.Models, ","), "any")
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", t.Name, t.Tenant, t.Created.Format(time.DateOnly), models)
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func tokenRevoke(e env, f *tokenFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke NAME",
		Short: "Let the holder of a token in no more",
		Args:  named,
		RunE: func(_ *cobra.Command, args []string) error {
			file, err := f.path(e)
			if err != nil {
				return err
			}
			err = tokens.Revoke(file, args[0])
			if errors.Is(err, tokens.ErrUnknown) {
				return hinted{err, "weir token list shows the names"}
			}
			return err
		},
	}
}

// named demands the one argument of a command that acts on a token.
func named(cmd *cobra.Command, args []string) error {
	if len(args) != 1 || args[0] == "" {
		return usageError{hinted{errors.New("one name is needed"), "such as: " + cmd.CommandPath() + " ci"}}
	}
	return nil
}
