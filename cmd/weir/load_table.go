package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/load"
)

// printPage prints the table and the lines of a page for people.
func printPage(w io.Writer, p load.Page) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range append([][]string{p.Head}, p.Rows...) {
		fmt.Fprintln(t, strings.Join(row, "\t")+"\t")
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, line := range p.Lines {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// loadPage is a run for people.
func loadPage(r *load.Result) load.Page {
	p := load.Page{Title: "Load on " + r.Target, Head: append([]string{string(r.By)}, reportHead...), Charts: r.Charts()}
	for _, s := range r.Steps {
		p.Rows = append(p.Rows, append([]string{strconv.Itoa(s.Value)}, reportRow(s.Report)...))
	}
	say := func(format string, args ...any) { p.Lines = append(p.Lines, fmt.Sprintf(format, args...)) }
	for _, l := range r.Limits {
		say("%s: %d per minute, at the lowest %d left (%.0f %%)", l.Limiter, l.Limit, l.Lowest, 100*l.Share)
	}
	if r.BoundBy != "" {
		say("For long they allow %.1f such requests a second, by %s.", r.Sustained, r.BoundBy)
	}
	if n := hidden(r.Steps); n > 0 {
		say("%d x 429 or 529 were hidden by the clients' own retries.", n)
	}
	for _, t := range tenantLines(r.Steps[len(r.Steps)-1]) {
		say("%s", t)
	}
	for _, s := range r.Steps {
		for _, e := range s.Report.Errors {
			say("%d x %s", e.N, e.Name)
		}
	}
	if n := r.Steps[len(r.Steps)-1].Report.Dropped; n > 0 {
		say("%d arrivals of the last step were not sent, because max_in_flight were under way.", n)
	}
	switch {
	case r.Knee != nil:
		say("The knee is at %d %s: beyond it %s.", *r.Knee, r.By, r.Stopped)
	case r.Stopped != "":
		say("The first step was too much already: %s.", r.Stopped)
	}
	p.Lines = append(p.Lines, costLines(r.Cost)...)
	return p
}

// hidden counts the 429s and 529s that a retry of the client made good.
func hidden(steps []load.Step) (n int) {
	for _, s := range steps {
		n += s.Report.Retried[429] + s.Report.Retried[529]
	}
	return n
}

// tenantLines tell how each tenant of a step fared, if there are several.
func tenantLines(s load.Step) (lines []string) {
	if len(s.Report.ByTenant) < 2 {
		return nil
	}
	for _, t := range s.Report.ByTenant {
		lines = append(lines, fmt.Sprintf("Tenant %s, at %d %s: %d of %d answered, wait p50 %.2fs, p95 %.2fs.",
			cmp.Or(t.Name, "without a name"), s.Value, s.By, t.OK, t.Asked, t.Wait.P50, t.Wait.P95))
	}
	return lines
}

var reportHead = []string{"asked", "answered", "429", "529", "failed", "per second", "wait p50", "wait max", "first p95", "took p50", "took p95", "tokens in", "out"}

func reportRow(x load.Report) []string {
	count := func(n int) string { return strconv.Itoa(n) }
	seconds := func(s float64) string { return fmt.Sprintf("%.2fs", s) }
	return []string{
		count(x.Asked), count(x.OK), count(x.RateLimited), count(x.Overloaded), count(x.Failed), fmt.Sprintf("%.1f", x.PerSecond),
		seconds(x.Wait.P50), seconds(x.Wait.Max), seconds(x.First.P95), seconds(x.Took.P50), seconds(x.Took.P95), count(int(x.InputTokens)), count(int(x.OutputTokens)),
	}
}

func costLines(s load.Spending) []string {
	lines := []string{fmt.Sprintf("At list prices that cost $%s at most.", cents(s.Spent))}
	if s.Exhausted {
		lines = append(lines, fmt.Sprintf("It ended at --max-cost %s: one more request could cost $%s.", s.Max, cents(s.Refused)))
	}
	return lines
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
