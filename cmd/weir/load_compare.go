package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/weir-gateway/weir/internal/load"
)

// comparison is what the flags ask for beside the load on one target.
type comparison struct {
	other  string // address of the second target; "": none
	keyEnv string
	rounds int
}

// plan adds the second target to p.
func (c comparison) plan(e env, f loadFlags, p *loadPlan) error {
	if c.other == "" {
		return nil
	}
	var errs []error
	if f.ramp != "" || f.writeTrace != "" {
		errs = append(errs, errors.New("--compare holds one load, so it does not go with --ramp or --write-trace"))
	}
	if c.rounds < 2 || c.rounds > 100 {
		errs = append(errs, fmt.Errorf("--rounds %d is not from 2 to 100", c.rounds))
	}
	other := p.target
	other.URL, other.Key = c.other, cmp.Or(e.getenv(cmp.Or(c.keyEnv, f.keyEnv)), "none")
	p.other, p.rounds = &other, c.rounds
	return errors.Join(append(errs, f.checkTarget("--compare", c.other))...)
}

// runComparison runs both targets by turns and prints how they differ.
func runComparison(ctx context.Context, e env, p loadPlan) error {
	n := 0
	c, err := load.Compare(ctx, [2]load.Target{p.target, *p.other}, p.workload, p.rounds, func(r load.Round) {
		n++
		fmt.Fprintf(e.stderr, "round %d of %d: %.1f and %.1f answered a second, p95 %.2fs and %.2fs\n", n, p.rounds,
			r.Reports[0].PerSecond, r.Reports[1].PerSecond, r.Reports[0].Took.P95, r.Reports[1].Took.P95)
	})
	if err != nil {
		return err
	}
	if !c.Answered() {
		for _, s := range c.Sides {
			one := &load.Result{Target: s.Target, Steps: []load.Step{{Report: s.Report}}, Cost: c.Cost}
			if err := judgeLoad(one); err != nil {
				return err
			}
		}
	}
	return p.out.write(e.stdout, comparisonPage(c), c)
}

// comparisonPage is a comparison for people.
func comparisonPage(c *load.Comparison) load.Page {
	p := load.Page{
		Title: "Load on " + c.Sides[0].Target + " and " + c.Sides[1].Target,
		Head:  append([]string{"target"}, reportHead...), Charts: c.Charts(),
	}
	for _, s := range c.Sides {
		p.Rows = append(p.Rows, append([]string{s.Target}, reportRow(s.Report)...))
	}
	p.Lines = append(p.Lines, fmt.Sprintf("%d rounds by turns; second ÷ first, median (lowest to highest round):", len(c.Rounds)))
	for _, r := range c.Ratios {
		if r.Rounds > 0 {
			p.Lines = append(p.Lines, fmt.Sprintf("%s: %.2f (%.2f to %.2f)", strings.ToUpper(r.Name[:1])+r.Name[1:], r.Median, r.Low, r.High))
		}
	}
	p.Lines = append(p.Lines, costLines(c.Cost)...)
	return p
}
