package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-gateway/weir/internal/top"
)

// topFlags are the flags of weir top.
type topFlags struct {
	admin, lang  string
	once, asJSON bool
}

func topCommand(e env) *cobra.Command {
	var f topFlags
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Show a running gateway live in the terminal",
		Long: `Show what a running gateway knows: how much quota is left and until when, who
waits and goes next, the latest requests, what is blocked and what is made
simpler. Press ? for the keys. Where the output is not a terminal, one picture is printed as plain text.

--json prints the figures of the admin API as one document:
{"quota":…,"queue":…,"protection":…,"degradation":…,"requests":…}`,
		Example: "  weir top\n  weir top --once\n  weir top --json | jq .quota.state",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			address, err := adminURL(f.admin)
			if err != nil {
				return usageError{err}
			}
			if f.lang != "" && f.lang != "en" && f.lang != "zh" {
				return usageError{fmt.Errorf("--lang %q is not known: use en or zh", f.lang)}
			}
			return runTop(cmd.Context(), e, address, f)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.admin, "admin", localAdmin, "address of the gateway's admin plane")
	fs.StringVar(&f.lang, "lang", "", "en or zh (default: by LC_ALL, LC_MESSAGES or LANG)")
	fs.BoolVar(&f.once, "once", false, "print one picture and end")
	fs.BoolVar(&f.asJSON, "json", false, "print the figures as one JSON document and end")
	return cmd
}

// adminURL reads an address with or without its scheme.
func adminURL(text string) (string, error) {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("--admin %q is not an address such as http://127.0.0.1:8788", text)
	}
	return strings.TrimSuffix(u.String(), "/"), nil
}

// onceTime is how long a gateway may take to say something.
const onceTime = 5 * time.Second

func runTop(ctx context.Context, e env, address string, f topFlags) error {
	lang := cmp.Or(f.lang, top.Language(e.getenv))
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment}
	defer transport.CloseIdleConnections()
	client := &top.Client{URL: address, HTTP: &http.Client{Transport: transport}}
	if !f.once && !f.asJSON && isTerminal(e.stdout) {
		return top.Run(ctx, client, lang, top.Screen{In: e.stdin, Out: e.stdout, NoColor: e.getenv("NO_COLOR") != ""})
	}
	ctx, cancel := context.WithTimeout(ctx, onceTime)
	defer cancel()
	var err error
	if f.asJSON {
		var figures []byte
		if figures, err = client.Figures(ctx); err == nil {
			_, err = fmt.Fprintf(e.stdout, "%s\n", figures)
		}
	} else {
		err = top.Once(ctx, client, lang, e.stdout, columns(e))
	}
	if err != nil {
		return hinted{fmt.Errorf("read the gateway at %s: %w", address, err), "is weir serve running? --admin names the address that it prints as its admin plane"}
	}
	return nil
}

// columns is the width that the environment names, or one that suits a file.
func columns(e env) int {
	if n, err := strconv.Atoi(e.getenv("COLUMNS")); err == nil && n >= 40 && n <= 500 {
		return n
	}
	return 120
}
