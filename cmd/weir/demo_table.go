package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/weir-gateway/weir/internal/load"
	"github.com/weir-gateway/weir/sim"
)

// table writes the demo's figures: in place on a terminal, a line every few
// seconds elsewhere.
type table struct {
	out   io.Writer
	live  bool
	every time.Duration
	lines int // of the present table on the terminal
}

func newTable(out io.Writer) *table {
	t := &table{out: out, live: isTerminal(out), every: 5 * time.Second}
	if t.live {
		t.every = time.Second
	}
	return t
}

// head says what is about to be seen, and where.
func (t *table) head(o demoOptions, d *demo) {
	limits := demoLimits()
	fmt.Fprintf(t.out, "Dashboard  %s\n", d.dashboard)
	fmt.Fprintf(t.out, "Gateway    %s   (try it: ANTHROPIC_BASE_URL=%[1]s)\n\n", d.address)
	fmt.Fprintf(t.out, "Two simulated accounts of %d requests, %d,000 input and %d,000 output tokens a minute,\n",
		limits.Requests, limits.InputTokens/1000, limits.OutputTokens/1000)
	fmt.Fprintf(t.out, "%.0f %% full at the start. On each, %d agents of 4 tenants ask for %g times the quota\n",
		demoFill*100, o.workload().Agents, o.overload)
	fmt.Fprintf(t.out, "in requests of 2,000 to 14,000 tokens, and retry as the official SDKs do.\n\n")
}

// update shows the figures of now.
func (t *table) update(d *demo) {
	with, without := d.weir.reading(d.began), d.direct.reading(d.began)
	since := fmt.Sprintf("warming up: %.0f s", time.Since(d.began).Seconds())
	if !d.weir.window.from.IsZero() {
		since = fmt.Sprintf("measured for %.0f s, after %.0f s of warm-up",
			time.Since(d.weir.window.from).Seconds(), d.weir.window.from.Sub(d.began).Seconds())
	}
	if !t.live {
		fmt.Fprintf(t.out, "%-43s with Weir: %3d answered, %2d x 429 | without: %3d answered, %2d x 429\n",
			since, with.OK, with.RateLimited, without.OK, without.RateLimited)
		return
	}
	t.redraw(append(rows(with, without), "", since))
}

// redraw replaces the present table by another.
func (t *table) redraw(lines []string) {
	if t.lines > 0 {
		fmt.Fprintf(t.out, "\x1b[%dA\x1b[J", t.lines)
	}
	fmt.Fprintln(t.out, strings.Join(lines, "\n"))
	t.lines = len(lines)
}

// verdict writes the comparison, and returns an error if Weir let a 429
// through or a request was lost in another way.
func (t *table) verdict(d *demo) error {
	with, without := d.weir.reading(d.began), d.direct.reading(d.began)
	if !t.live {
		fmt.Fprintln(t.out)
	}
	lines := append(rows(with, without), "")
	lines = append(lines, fmt.Sprintf("Measured for %.0f s, after %.0f s of warm-up that are not in the table. In the warm-up users saw",
		with.To.Sub(with.From).Seconds(), with.From.Sub(d.began).Seconds()),
		fmt.Sprintf("%d x 429 with Weir and %d without. Requests still under way at the end (%d and %d) count nowhere.",
			with.warm.rateLimited, without.warm.rateLimited, with.cut, without.cut), "")
	t.redraw(lines)
	return judge(t.out, with)
}

// judge says whether Weir has kept its promise, over the warm-up too.
func judge(out io.Writer, with reading) error {
	through := with.RateLimited + with.warm.rateLimited
	switch {
	case through > 0:
		return hinted{fmt.Errorf("weir let %d x 429 through to its users", through), "please report it with the output above"}
	case with.Overloaded+with.Failed > 0:
		return fmt.Errorf("%d requests through Weir failed: %v", with.Overloaded+with.Failed, with.Errors)
	case with.OK == 0:
		return hinted{errors.New("no request through Weir was answered in the measured time"), "give it longer, such as --for 30s"}
	}
	fmt.Fprintln(out, "Weir let no 429 through.")
	return nil
}

// rows puts both sides beside each other.
func rows(with, without reading) []string {
	bound, _ := with.sim.Binding()
	row := func(name string, cell func(reading) string) string {
		return fmt.Sprintf("  %-36s %19s %19s", name, cell(with), cell(without))
	}
	return []string{
		fmt.Sprintf("  %-36s %19s %19s", "", "with Weir", "without"),
		row("requests answered", func(r reading) string { return share(r.OK, r.Asked) }),
		row("their input tokens", func(r reading) string { return fmt.Sprintf("%d k", (r.InputTokens+500)/1000) }),
		row("429s that users saw", func(r reading) string { return strconv.Itoa(r.RateLimited) }),
		row("429s from the upstream", func(r reading) string { return strconv.FormatInt(r.upstream, 10) }),
		row("used of the "+limiterName(bound)+" limit", func(r reading) string {
			return fmt.Sprintf("%.1f %%", 100*r.used(bound))
		}),
		row("wait, median / 95 %", func(r reading) string {
			return fmt.Sprintf("%.1f / %.1f s", r.Wait.P50, r.Wait.P95)
		}),
		row("answered of the largest tenth", func(r reading) string { return succeeded(r.BySize, len(r.BySize)-1) }),
		row("answered of the smallest tenth", func(r reading) string { return succeeded(r.BySize, 0) }),
	}
}

// succeeded says how many of one part of the requests were answered.
func succeeded(parts []load.Slice, i int) string {
	if i < 0 || i >= len(parts) {
		return "-"
	}
	return share(parts[i].OK, parts[i].Asked)
}

func share(n, of int) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%d of %d (%.0f %%)", n, of, 100*float64(n)/float64(of))
}

func limiterName(l sim.Limiter) string {
	return strings.ReplaceAll(strings.TrimSuffix(string(l), "s"), "_", " ")
}
