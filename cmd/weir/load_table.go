package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/weir-gateway/weir/internal/load"
)

// loadResult is what weir load --json prints.
type loadResult struct {
	Target  string       `json:"target"`
	Limits  []load.Limit `json:"limits"` // that the headers told of
	Steps   []load.Step  `json:"steps"`  // one, without a ramp
	Stopped string       `json:"stopped,omitempty"`
	Knee    *int         `json:"knee"` // agents of the last step worth taking; nil: not reached, or no ramp

	// What the limits allow for long. Steps that are short live on what the
	// buckets have saved, so that the knee may lie beyond it.
	Sustained float64 `json:"sustained_per_second"`
	BoundBy   string  `json:"bound_by,omitempty"`
}

// findKnee fills in the step before the one that was beyond it, and what the
// limits allow for long.
func (r *loadResult) findKnee() {
	if n := len(r.Steps); r.Stopped != "" && n > 1 {
		r.Knee = new(r.Steps[n-2].Agents)
	}
	r.Sustained, r.BoundBy = load.Sustained(r.Limits, r.Steps[len(r.Steps)-1].Report)
}

func (r *loadResult) print(w io.Writer, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "agents\tasked\tanswered\t429\t529\tfailed\tper second\twait p50\twait max\ttook p50\ttook p95\ttokens in\tout\t")
	for _, s := range r.Steps {
		x := s.Report
		fmt.Fprintf(t, "%d\t%d\t%d\t%d\t%d\t%d\t%.1f\t%.2fs\t%.2fs\t%.2fs\t%.2fs\t%d\t%d\t\n", s.Agents, x.Asked, x.OK, x.RateLimited,
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
	switch {
	case r.Knee != nil:
		fmt.Fprintf(w, "The knee is at %d agents: beyond it %s.\n", *r.Knee, r.Stopped)
	case r.Stopped != "":
		fmt.Fprintf(w, "The first step was too much already: %s.\n", r.Stopped)
	}
	return nil
}

// judge fails a run that shows nothing.
func (r *loadResult) judge() error {
	for _, s := range r.Steps {
		if s.Report.OK > 0 {
			return nil
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
