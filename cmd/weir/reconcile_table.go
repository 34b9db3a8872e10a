package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/weir-gateway/weir/internal/reconcile"
)

// sides are the lines that a day and model has in a table or in CSV.
var sides = []struct {
	name string
	of   func(reconcile.Line) reconcile.Figures
}{
	{"ours", func(l reconcile.Line) reconcile.Figures { return l.Ours }},
	{"theirs", func(l reconcile.Line) reconcile.Figures { return l.Theirs }},
	{"difference", func(l reconcile.Line) reconcile.Figures { return l.Difference }},
}

func cells(f reconcile.Figures) []string {
	n := func(v int64) string { return strconv.FormatInt(v, 10) }
	return []string{n(int64(f.Input)), n(int64(f.CacheRead)), n(int64(f.CacheWrite)), n(int64(f.Output)), f.Cost.String()}
}

// printReconciled writes a comparison in the form that was asked for.
func printReconciled(w io.Writer, r reconcile.Report, f usageFlags) error {
	switch {
	case f.asJSON:
		return printJSON(w, r)
	case f.asCSV:
		out := csv.NewWriter(w)
		_ = out.Write(append([]string{"day", "model", "side"}, figures[2:]...)) // Error tells of all writes
		for _, l := range r.Rows {
			for _, s := range sides {
				_ = out.Write(append([]string{l.Day, l.Model, s.name}, cells(s.of(l))...))
			}
		}
		out.Flush()
		return out.Error()
	}
	return tabulate(w, r)
}

func tabulate(w io.Writer, r reconcile.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "day\tmodel\tside\tinput\tcache read\tcache write\toutput\tUSD")
	r.Total.Day = "total"
	for _, l := range append(r.Rows, r.Total) {
		for i, s := range sides {
			day, model := l.Day, l.Model
			if i > 0 {
				day, model = "", ""
			}
			fmt.Fprintf(t, "%s\t%s\t%s", day, model, s.name)
			for _, c := range cells(s.of(l)) {
				fmt.Fprintf(t, "\t%s", c)
			}
			fmt.Fprintln(t)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if !r.Differs() {
		_, err := fmt.Fprintln(w, "\nno difference")
		return err
	}
	fmt.Fprintln(w, "\nwhy they may differ:")
	for _, why := range r.Why {
		if _, err := fmt.Fprintln(w, "- "+why); err != nil {
			return err
		}
	}
	return nil
}
