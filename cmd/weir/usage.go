package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-gateway/weir/internal/config"
	"github.com/weir-gateway/weir/internal/ledger"
	"github.com/weir-gateway/weir/internal/reconcile"
)

type usageFlags struct {
	file, data, by, from, to   string
	asJSON, asCSV, eachAttempt bool
	reconcile                  bool
}

func usageCommand(e env) *cobra.Command {
	var f usageFlags
	cmd := &cobra.Command{
		Use:   "usage",
		Short: "Add up what calls have used and cost",
		Long: "Add up what calls have used and cost, from the ledger of a data folder. It works\n" +
			"while the gateway runs, and after it was stopped or killed.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return usage(cmd.Context(), e, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.file, "config", "", "configuration file that names the data folder, or a PostgreSQL")
	flags.StringVar(&f.data, "data", "", "data folder of the gateway")
	flags.StringVar(&f.by, "by", "", "split by these, in columns: day, tenant, model, key, class")
	flags.StringVar(&f.from, "from", "", "first day, such as 2026-11-01 (UTC)")
	flags.StringVar(&f.to, "to", "", "last day")
	flags.BoolVar(&f.asJSON, "json", false, "print JSON")
	flags.BoolVar(&f.asCSV, "csv", false, "print CSV")
	flags.BoolVar(&f.eachAttempt, "attempts", false, "every attempt instead of sums, as lines of JSON, or CSV")
	flags.BoolVar(&f.reconcile, "reconcile", false, "compare with the Usage and Cost reports of the Admin API (needs keys[].admin_key); the last 7 days if none are named")
	return cmd
}

func usage(ctx context.Context, e env, f usageFlags) error {
	span, by, err := f.parse()
	if err != nil {
		return usageError{err}
	}
	c, err := config.Load(f.file, e.getenv)
	if err != nil {
		return err
	}
	c.Data = cmp.Or(f.data, c.Data)
	r, err := readLedger(c, e)
	if err != nil {
		return err
	}
	defer r.Close()
	if f.reconcile {
		return reconciled(ctx, e, c, r, span, f)
	}
	if f.eachAttempt {
		return printAttempts(ctx, e.stdout, r, span, f.asCSV)
	}
	report, err := r.Usage(ctx, span, by)
	if err != nil {
		return err
	}
	switch {
	case f.asJSON:
		return printJSON(e.stdout, report)
	case f.asCSV:
		return printCSV(e.stdout, report, by)
	}
	return printUsage(e.stdout, report, by)
}

// readLedger opens the ledger of a configuration for reading.
func readLedger(c config.Config, e env) (*ledger.Reader, error) {
	address, err := postgresOf(c, e)
	if err != nil {
		return nil, err
	}
	dir := ""
	if c.Data != "" {
		dir = filepath.Join(c.Data, ledgerFolder)
	}
	if !address.Empty() {
		return ledger.ReadPostgres(address, dir)
	}
	if dir == "" {
		return nil, usageError{hinted{errors.New("no data folder is named"), "give --data, with the folder that weir serve was given"}}
	}
	r, err := ledger.Read(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, hinted{err, "give --data, with the folder that weir serve --data was given; or --config, if that names a PostgreSQL"}
	}
	return r, err
}

// parse reads the flags that have a form.
func (f usageFlags) parse() (span ledger.Span, by []ledger.Dimension, err error) {
	if f.asJSON && f.asCSV {
		return span, nil, errors.New("--json and --csv exclude each other")
	}
	if span, err = ledger.ParseSpan(f.from, f.to); err != nil {
		return span, nil, err
	}
	if f.reconcile && (f.eachAttempt || f.by != "") {
		return span, nil, errors.New("--reconcile is by day and model: it goes with neither --by nor --attempts")
	}
	by, err = ledger.ParseDimensions(f.by)
	return span, by, err
}

// reconciled prints how the ledger compares with the upstream's reports.
func reconciled(ctx context.Context, e env, c config.Config, reader *ledger.Reader, span ledger.Span, f usageFlags) error {
	r, err := newReconciler(c, e, reader, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	if len(r.payers) == 0 {
		return errNoAdminKey
	}
	if span.Last.IsZero() {
		span.Last = time.Now().UTC()
	}
	if span.First.IsZero() {
		span.First = span.Last.AddDate(0, 0, -6)
	}
	report, err := r.compare(ctx, span)
	if errors.Is(err, reconcile.ErrRefused) {
		return hinted{err, "an admin key begins with sk-ant-admin, and is made in the Console under Admin keys"}
	}
	if err != nil {
		return err
	}
	return printReconciled(e.stdout, report, f)
}

// values are a line's values of the dimensions, in their order.
func values(l ledger.Line, by []ledger.Dimension) []string {
	out := make([]string, len(by))
	for i, d := range by {
		out[i] = map[ledger.Dimension]string{
			ledger.ByDay: l.Day, ledger.ByTenant: l.Tenant, ledger.ByModel: l.Model, ledger.ByKey: l.Key, ledger.ByClass: l.Class,
		}[d]
	}
	return out
}

// amounts are the columns of every report, and those of one attempt.
var amounts = []string{"input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "cost_usd"}

// figures are the columns of sums.
var figures = append(append([]string{"requests", "attempts"}, amounts...), "degraded")

func number(n int64) string { return strconv.FormatInt(n, 10) }

func amountsOf(s ledger.Sum) []string {
	return []string{number(int64(s.Input)), number(int64(s.CacheRead)), number(int64(s.CacheWrite)), number(int64(s.Output)), s.Cost.String()}
}

func figuresOf(s ledger.Sum) []string {
	return append(append([]string{number(s.Requests), number(s.Attempts)}, amountsOf(s)...), number(s.Degraded))
}

func names(by []ledger.Dimension) []string {
	out := make([]string, len(by))
	for i, d := range by {
		out[i] = string(d)
	}
	return out
}

func printCSV(w io.Writer, r ledger.Report, by []ledger.Dimension) error {
	out := csv.NewWriter(w)
	_ = out.Write(append(names(by), figures...)) // Error tells of all writes
	for _, l := range r.Rows {
		_ = out.Write(append(values(l, by), figuresOf(l.Sum)...))
	}
	if len(by) == 0 {
		_ = out.Write(figuresOf(r.Total))
	}
	out.Flush()
	return out.Error()
}

func printUsage(w io.Writer, r ledger.Report, by []ledger.Dimension) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(cells ...[]string) {
		for _, part := range cells {
			for _, c := range part {
				fmt.Fprintf(t, "%s\t", c)
			}
		}
		fmt.Fprintln(t)
	}
	line(names(by), []string{"requests", "attempts", "input", "cache read", "cache write", "output", "USD", "degraded"})
	for _, l := range r.Rows {
		line(values(l, by), figuresOf(l.Sum))
	}
	total := make([]string, len(by))
	if len(by) > 0 {
		total[0] = "total"
	}
	line(total, figuresOf(r.Total))
	return t.Flush()
}

// attemptColumns are those of an attempt in CSV, in front of its figures. call is
// the weir-request-id, by which the gateway tells the call's story.
var attemptColumns = []string{
	"call", "attempt", "final", "at", "tenant", "client", "key", "model", "class", "stream", "status", "kind", "outcome", "waited_ms", "took_ms",
	"degraded", "cached", "exact", "priced",
}

// printAttempts writes each attempt of a span.
func printAttempts(ctx context.Context, w io.Writer, r *ledger.Reader, span ledger.Span, asCSV bool) error {
	if !asCSV {
		enc := json.NewEncoder(w)
		return r.Each(ctx, span, func(row ledger.Row) error { return enc.Encode(row) })
	}
	out := csv.NewWriter(w)
	_ = out.Write(append(slices.Clone(attemptColumns), amounts...)) // Error tells of all writes
	err := r.Each(ctx, span, func(row ledger.Row) error {
		sum := ledger.Sum{Input: row.Input, CacheRead: row.CacheRead, CacheWrite: row.CacheWrite, Output: row.Output, Cost: row.Cost}
		return out.Write(append([]string{
			row.Call, strconv.Itoa(row.Attempt), strconv.FormatBool(row.Final), row.At.Format(time.RFC3339Nano), row.Tenant, row.Client, row.Key, row.Model, row.Class,
			strconv.FormatBool(row.Stream), strconv.Itoa(row.Status), row.Kind, row.Outcome, strconv.FormatInt(row.Waited, 10), strconv.FormatInt(row.Took, 10),
			row.Degraded, row.Cached, strconv.FormatBool(row.Exact), strconv.FormatBool(row.Priced),
		}, amountsOf(sum)...))
	})
	out.Flush()
	return errors.Join(err, out.Error())
}
