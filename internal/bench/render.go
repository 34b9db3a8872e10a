package bench

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/weir-gateway/weir/internal/load"
	"github.com/weir-gateway/weir/sim"
)

// Row is one scenario with a result for each of [Sides].
type Row struct {
	Scenario Scenario
	Results  []Result
}

// weir returns the gateway's result.
func (r Row) weir() Result { return r.Results[Weir] }

// Machine says where and when the figures come from.
type Machine struct {
	Command  string
	Cores    int
	Go       string
	Revision string
	Took     time.Duration
}

const preamble = `# The quota benchmark

What users of the same API meet with three clients: one that does not retry, one
that retries as the official SDKs do (twice, obeying ` + "`retry-after`" + `), and the same
SDK behind Weir. The API is Weir's simulator, which keeps real token buckets; the
gateway is the whole of it, HTTP included. Time is virtual (testing/synctest), so
the figures do not depend on the speed of the machine.

"Used" is admitted ÷ (admitted + refill that found the bucket full + growth of its
level), after the warm-up (DESIGN §8); it exceeds 100 % where tokens were spent that
had been saved before. "Upstream 429" is per 1,000 requests that the API admitted.
A dash means that nobody asked any more.
Waits are those of answered requests. 429s that users saw, and whether all were
answered, count the warm-up too.

`

// Write prints the rows as the page docs/benchmarks/quota.md. The others are
// short runs of the gateway with other seeds.
func Write(w io.Writer, m Machine, rows []Row, others []Result) error {
	p := &page{}
	p.WriteString(preamble)
	p.line("Made by `%s` at %s, %s, on %d cores, in %v.\n", m.Command, m.Revision, m.Go, m.Cores, m.Took.Round(time.Second))
	p.summary(rows)
	p.short(rows)
	p.seeds(others)
	for _, r := range rows {
		p.scenario(r)
	}
	_, err := io.WriteString(w, p.String())
	return err
}

// page is a Markdown page in the making.
type page struct{ strings.Builder }

func (p *page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// cells prints one line of a table.
func (p *page) cells(values ...string) { p.line("| %s |", strings.Join(values, " | ")) }

// three prints one line with a value for each side.
func (p *page) three(r Row, name string, value func(Result) string) {
	out := []string{name}
	for _, res := range r.Results {
		out = append(out, value(res))
	}
	p.cells(out...)
}

// summary prints one line for each scenario.
func (p *page) summary(rows []Row) {
	p.line("## At a glance\n\nIn each cell: no retry / SDK retry / **Weir**.\n")
	p.cells("scenario", "429s that users saw", "answered", "binding limit used", "upstream 429 ‰", "Weir clears its bars")
	p.cells("---", "---", "---", "---", "---", "---")
	for _, r := range rows {
		p.cells(r.Scenario.Title,
			r.all(func(x Result) string { return fmt.Sprint(x.Whole.RateLimited + x.Whole.Overloaded) }),
			r.all(func(x Result) string { return answered(x.Whole) }),
			r.all(func(x Result) string { return x.share(x.Bound()) }),
			r.all(Result.permille),
			r.marks())
	}
}

// all prints a value of every side in one cell.
func (r Row) all(value func(Result) string) string {
	var out []string
	for _, x := range r.Results {
		out = append(out, value(x))
	}
	out[Weir] = "**" + out[Weir] + "**"
	return strings.Join(out, " / ")
}

// marks says how many bars the gateway clears.
func (r Row) marks() string {
	verdicts := r.weir().Judge()
	var missed []string
	for _, v := range verdicts {
		if !v.Held {
			missed = append(missed, v.Name)
		}
	}
	if missed == nil {
		return fmt.Sprintf("all %d", len(verdicts))
	}
	return "**SHORT**: " + strings.Join(missed, ", ")
}

// short lists everything that falls short of its bar.
func (p *page) short(rows []Row) {
	p.line("\n## What falls short\n")
	any := false
	for _, r := range rows {
		for _, v := range r.weir().Judge() {
			if !v.Held {
				p.line("- %s: %s is %s, the bar is %s", r.Scenario.Title, v.Name, v.Got, v.Bar)
				any = true
			}
		}
	}
	if !any {
		p.line("Nothing.")
	}
}

// seeds says whether the figures were luck.
func (p *page) seeds(others []Result) {
	p.line("\n## Other seeds\n")
	var missed []string
	var refused, requests int64
	for _, r := range others {
		refused += r.Surprises
		requests += r.WarmUp.Requests + r.Stats.Requests
		for _, v := range r.Judge() {
			if !v.Held {
				missed = append(missed, fmt.Sprintf("- %s, seed %d: %s is %s, the bar is %s", r.Scenario.Title, r.Scenario.Sim.Seed, v.Name, v.Got, v.Bar))
			}
		}
	}
	p.line("%d short runs of Weir with other seeds: %d upstream 429s in %d requests, warm-up included; %d bars missed.\n",
		len(others), refused, requests, len(missed))
	for _, m := range missed {
		p.line("%s", m)
	}
}

// scenario prints everything about one.
func (p *page) scenario(r Row) {
	s := r.Scenario
	p.line("\n## %s\n", s.Title)
	p.line("`%s`: %v of warm-up, %v measured.\n", s.Name, s.WarmUp, s.Span)
	p.three(r, "", func(x Result) string { return x.Side.String() })
	p.cells("---", "---", "---", "---")
	p.three(r, "429 / 529 that users saw", func(x Result) string {
		return fmt.Sprintf("%d / %d", x.Whole.RateLimited, x.Whole.Overloaded)
	})
	p.three(r, "answered", func(x Result) string { return fmt.Sprintf("%d of %d", x.Whole.OK, x.Whole.Asked) })
	p.three(r, "upstream 429 ‰ (in all)", func(x Result) string {
		return fmt.Sprintf("%s (%d)", x.permille(), x.Surprises)
	})
	for _, l := range []sim.Limiter{sim.Requests, sim.InputTokens, sim.OutputTokens} {
		p.three(r, "used of "+strings.ReplaceAll(string(l), "_", " "), func(x Result) string { return x.share(x.Used(l)) })
	}
	if s.Bars.Ramp != nil {
		p.three(r, "used of the ramp", func(x Result) string { return percent(x.Bound()) })
	}
	if s.Finish {
		p.three(r, "left unserved / left behind", func(x Result) string { return fmt.Sprintf("%d / %d", x.Left, x.Stranded) })
	}
	p.three(r, "longest wait (deadline)", func(x Result) string {
		return fmt.Sprintf("%s (%s)", seconds(x.Report.Wait.Max), seconds(x.Deadline().Seconds()))
	})
	p.slices(r)
	p.line("\nBars: %s.", r.bars())
}

// slices prints success and waits by size and by tenant.
func (p *page) slices(r Row) {
	for i, name := range []string{"smallest tenth", "largest tenth"} {
		p.three(r, name+": answered; wait p50/p95/max", func(x Result) string {
			small, large := x.tenths()
			return fared([]load.Slice{small, large}[i])
		})
	}
	if names := r.weir().Report.ByTenant; len(names) > 1 {
		for _, t := range names {
			p.three(r, t.Name+": answered; wait p50/p95/max; tokens", func(x Result) string { return x.tenant(t.Name) })
		}
		p.three(r, "Jain index of the tenants", func(x Result) string { return fmt.Sprintf("%.3f", x.Report.Jain) })
	}
}

// tenant tells how one tenant fared.
func (r Result) tenant(name string) string {
	for _, t := range r.Report.ByTenant {
		if t.Name == name {
			return fmt.Sprintf("%s; %dk", fared(t), t.Tokens/1000)
		}
	}
	return "-"
}

// share prints a share of a limiter, unless nobody asked in the measured time.
func (r Result) share(used float64) string {
	if r.Stats.Requests == 0 {
		return "-"
	}
	return percent(used)
}

// permille prints the upstream's 429s, unless nobody asked.
func (r Result) permille() string {
	if r.Stats.Requests == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", r.Upstream429())
}

func fared(s load.Slice) string {
	if s.Asked == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%; %s / %s / %s", 100*s.Success, seconds(s.Wait.P50), seconds(s.Wait.P95), seconds(s.Wait.Max))
}

func answered(r load.Report) string {
	return fmt.Sprintf("%.0f %%", 100*float64(r.OK)/float64(max(r.Asked, 1)))
}

// bars lists every verdict on the gateway.
func (r Row) bars() string {
	var out []string
	for _, v := range r.weir().Judge() {
		held := "held"
		if !v.Held {
			held = "**SHORT**"
		}
		out = append(out, fmt.Sprintf("%s %s (%s): %s", v.Name, v.Got, v.Bar, held))
	}
	return strings.Join(out, "; ")
}
