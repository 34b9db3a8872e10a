package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/load"
)

// printJSON prints v for programs.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// printLoad prints a run for people.
func printLoad(w io.Writer, r *load.Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, string(r.By)+"\tasked\tanswered\t429\t529\tfailed\tper second\twait p50\twait max\ttook p50\ttook p95\ttokens in\tout\t")
	for _, s := range r.Steps {
		x := s.Report
		fmt.Fprintf(t, "%d\t%d\t%d\t%d\t%d\t%d\t%.1f\t%.2fs\t%.2fs\t%.2fs\t%.2fs\t%d\t%d\t\n", s.Value, x.Asked, x.OK, x.RateLimited,
			x.Overloaded, x.Failed, x.PerSecond, x.Wait.P50, x.Wait.Max, x.Took.P50, x.Took.P95, x.InputTokens, x.OutputTokens)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, l := range r.Limits {
		fmt.Fprintf(w, "%s: %d per minute, at the lowest %d left (%.0f %%)\n", l.Limiter, l.Limit, l.Lowest, 100*l.Share)
	}
	if r.BoundBy != "" {
		fmt.Fprintf(w, "For long they allow %.1f such requests a second, by %s.\n", r.Sustained, r.BoundBy)
	}
	for _, s := range r.Steps {
		for _, e := range s.Report.Errors {
			fmt.Fprintf(w, "%d x %s\n", e.N, e.Name)
		}
	}
	if n := r.Steps[len(r.Steps)-1].Report.Dropped; n > 0 {
		fmt.Fprintf(w, "%d arrivals of the last step were not sent, because max_in_flight were under way.\n", n)
	}
	switch {
	case r.Knee != nil:
		fmt.Fprintf(w, "The knee is at %d %s: beyond it %s.\n", *r.Knee, r.By, r.Stopped)
	case r.Stopped != "":
		fmt.Fprintf(w, "The first step was too much already: %s.\n", r.Stopped)
	}
	fmt.Fprintf(w, "At list prices that cost $%s at most.\n", cents(r.Cost.Spent))
	if r.Cost.Exhausted {
		fmt.Fprintf(w, "It ended at --max-cost %s: one more request could cost $%s.\n", r.Cost.Max, cents(r.Cost.Refused))
	}
	return nil
}

// cents writes an amount with the four decimals that people read.
func cents(u call.USD) string { return fmt.Sprintf("%.4f", float64(u)/float64(call.Dollar)) }

// judgeLoad fails a run that shows nothing.
func judgeLoad(r *load.Result) error {
	if r.Answered() {
		return nil
	}
	if r.Cost.Exhausted {
		return hinted{
			fmt.Errorf("--max-cost %s allows no request: one could cost $%s", r.Cost.Max, cents(r.Cost.Refused)),
			"allow more, or ask for less: a smaller input or max_tokens in the scenario, or a cheaper --model",
		}
	}
	return hinted{errors.New("no request was answered"), "is something listening at " + r.Target + ", and is the key right?"}
}

// liveLine tells on stderr how the run goes: in place on a terminal.
type liveLine struct {
	out   io.Writer
	every time.Duration
	live  bool
}

func newLiveLine(out io.Writer) liveLine {
	if isTerminal(out) {
		return liveLine{out, time.Second, true}
	}
	return liveLine{out, 5 * time.Second, false}
}

func (l liveLine) show(w load.Workload, r load.Report, inFlight int, watch *load.Watch) {
	text := fmt.Sprintf("%.0f s: %d answered (%.1f a second), %d x 429, %d failed, %d under way",
		r.To.Sub(r.From).Seconds(), r.OK, r.PerSecond, r.RateLimited, r.Overloaded+r.Failed, inFlight)
	if w.Rate == 0 {
		text = fmt.Sprintf("%d agents, %s", max(w.Agents, 1), text)
	}
	if left := watch.String(); left != "" {
		text += "; lowest left: " + left
	}
	if l.live {
		text = "\r\x1b[K" + text
	} else {
		text += "\n"
	}
	_, _ = io.WriteString(l.out, text) // talk: who does not listen misses nothing
}

func (l liveLine) end() {
	if l.live {
		_, _ = io.WriteString(l.out, "\r\x1b[K") // as above
	}
}
