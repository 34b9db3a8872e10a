package load

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// The rounds of a comparison.
const (
	DefaultRounds = 5
	maxRounds     = 100
)

// Comparison is two targets under the same load by turns: what weir load
// --compare prints. Ratios are the second target's figure over the first's.
type Comparison struct {
	Schema int      `json:"schema"` // as [ResultSchema]
	Sides  [2]Side  `json:"sides"`
	Rounds []Round  `json:"rounds"`
	Ratios []Ratio  `json:"ratios"`
	Cost   Spending `json:"cost"`
}

// Side is what one target did in all whole rounds.
type Side struct {
	Target string  `json:"target"`
	Report Report  `json:"report"`
	Limits []Limit `json:"limits"`
}

// Round is one slice of the load to each target, with the same questions.
type Round struct {
	First   int       `json:"first"` // index of the side that went first: they alternate
	Reports [2]Report `json:"reports"`
}

// Ratio sums up one figure's ratio over the rounds.
type Ratio struct {
	Name   string  `json:"name"`
	Rounds int     `json:"rounds"` // in which both sides had the figure; 0: the rest is nothing
	Median float64 `json:"median"`
	Low    float64 `json:"low"`  // lowest round
	High   float64 `json:"high"` // highest round
}

// figures are what is compared.
var figures = []struct {
	name string
	of   func(Report) float64
}{
	{"answered per second", func(r Report) float64 { return r.PerSecond }},
	{"output tokens per second", func(r Report) float64 { return float64(r.OutputTokens) / r.To.Sub(r.From).Seconds() }},
	{"took p50", func(r Report) float64 { return r.Took.P50 }},
	{"took p95", func(r Report) float64 { return r.Took.P95 }},
	{"first token p95", func(r Report) float64 { return r.First.P95 }},
	{"share answered", func(r Report) float64 { return float64(r.OK) / float64(max(r.Asked, 1)) }},
}

// Compare offers w to both targets by turns, in so many rounds: one slice to
// each, with the same questions, in an order that changes from round to round,
// so that what drifts does not favour either. w.Duration is for all slices
// together; a trace or w.Requests are for each slice. A slice ends when its
// last request does, so that none disturbs the other side's. tell hears of each
// round. An end of ctx or of the purse ends it after the last whole round.
func Compare(ctx context.Context, sides [2]Target, w Workload, rounds int, tell func(Round)) (*Comparison, error) {
	if rounds < 2 || rounds > maxRounds {
		return nil, fmt.Errorf("%d rounds are not from 2 to %d", rounds, maxRounds)
	}
	w.Finish, w.Duration = true, w.Duration/time.Duration(2*rounds)
	w.Stagger = min(w.Stagger, w.Duration/10)
	out := &Comparison{Schema: ResultSchema}
	var recs [2]*Recorder
	var watches [2]*Watch
	for i := range sides {
		watches[i] = NewWatch(sides[i].Transport)
		sides[i].Transport, recs[i] = watches[i], NewRecorder(0)
		out.Sides[i].Target = sides[i].URL
	}
	for n := range rounds {
		round := Round{First: n % 2}
		w.Seed++
		for turn := range 2 {
			i := (round.First + turn) % 2
			began := time.Now()
			if err := Run(ctx, sides[i], w, recs[i]); err != nil && ctx.Err() == nil {
				return nil, err
			}
			round.Reports[i] = recs[i].Report(began, time.Now().Add(time.Nanosecond), nil)
		}
		if ctx.Err() != nil || sides[0].Purse.Empty() || sides[1].Purse.Empty() {
			break
		}
		out.Rounds = append(out.Rounds, round)
		tell(round)
	}
	for i := range sides {
		out.Sides[i].Report, out.Sides[i].Limits = out.sum(i, recs[i]), watches[i].Limits()
	}
	out.compare()
	out.Cost = sides[0].Purse.Spending()
	return out, nil
}

// sum is the report of one side over the whole rounds. Its rate is that of the
// time in which it had its turn.
func (c *Comparison) sum(side int, rec *Recorder) Report {
	if len(c.Rounds) == 0 {
		return Report{Retried: map[int]int{}}
	}
	var turns time.Duration
	for _, r := range c.Rounds {
		turns += r.Reports[side].To.Sub(r.Reports[side].From)
	}
	last := c.Rounds[len(c.Rounds)-1].Reports[side]
	all := rec.Report(c.Rounds[0].Reports[side].From, last.To, nil)
	all.PerSecond = float64(all.OK) / turns.Seconds()
	return all
}

// compare fills in the ratios.
func (c *Comparison) compare() {
	for _, f := range figures {
		ratio := Ratio{Name: f.name}
		var all []float64
		for _, r := range c.Rounds {
			if a, b := f.of(r.Reports[0]), f.of(r.Reports[1]); a > 0 && r.Reports[1].OK > 0 {
				all = append(all, b/a)
			}
		}
		slices.Sort(all)
		if n := len(all); n > 0 {
			ratio.Rounds, ratio.Low, ratio.High = n, all[0], all[n-1]
			ratio.Median = (all[(n-1)/2] + all[n/2]) / 2
		}
		c.Ratios = append(c.Ratios, ratio)
	}
}

// Answered reports whether both sides answered anything.
func (c *Comparison) Answered() bool { return c.Sides[0].Report.OK > 0 && c.Sides[1].Report.OK > 0 }

// Charts are the pictures of a comparison, round by round.
func (c *Comparison) Charts() []Chart {
	var ticks []string
	for i := range c.Rounds {
		ticks = append(ticks, strconv.Itoa(i+1))
	}
	var out []Chart
	for _, f := range []struct {
		title, y string
		of       func(Report) float64
	}{
		{"Answered", "requests per second", func(r Report) float64 { return r.PerSecond }},
		{"Time to the whole answer, p95", "seconds", func(r Report) float64 { return r.Took.P95 }},
	} {
		chart := Chart{Title: f.title, X: "round", Y: f.y, Ticks: ticks, Least: 0.01}
		for i, name := range []string{"first target", "second target"} {
			l := Line{Name: name}
			for _, r := range c.Rounds {
				l.Y = append(l.Y, f.of(r.Reports[i]))
			}
			chart.Lines = append(chart.Lines, l)
		}
		out = append(out, chart)
	}
	return out
}
