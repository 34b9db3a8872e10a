// Package price knows what calls cost: list prices by model and date, as data
// (prices.json) that users may replace. All arithmetic is exact, in whole
// picodollars. The package is pure.
package price

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/weir-gateway/weir/call"
)

//go:embed prices.json
var builtin []byte

// Table holds the prices. It is immutable and safe for concurrent use.
type Table struct {
	models  map[string][]entry // by id, the oldest entry first
	batch   factor
	search  call.USD // one web search
	ceiling entry    // what an unknown model costs: the most that any does
}

// rates are prices of one token.
type rates struct{ input, output, write5m, write1h, read call.USD }

// entry is what a model costs from a date on.
type entry struct {
	from time.Time
	base rates
	fast rates // base where there is no other
	us   factor

	above call.Tokens // prompts larger than this cost step; 0: there is no step
	step  rates
}

// factor is a multiplier, exact.
type factor struct{ num, den call.USD }

func (f factor) of(u call.USD) call.USD { return (u*f.num + f.den/2) / f.den }

// Builtin returns the list prices. They are part of the binary: it panics if
// they are broken, which a test rules out.
func Builtin() *Table {
	t, err := Parse(builtin)
	if err != nil {
		panic("price: prices.json: " + err.Error())
	}
	return t
}

// wireRates are prices of a million tokens, in dollars.
type wireRates struct {
	Input   call.USD `json:"input"`
	Output  call.USD `json:"output"`
	Write5m call.USD `json:"write_5m"`
	Write1h call.USD `json:"write_1h"`
	Read    call.USD `json:"read"`
}

type wireEntry struct {
	wireRates
	From  string      `json:"from"`
	US    call.USD    `json:"us"`
	Fast  *wireRates  `json:"fast"`
	Above call.Tokens `json:"above"`
	Step  *wireRates  `json:"step"`
}

// Parse reads a table in the form of prices.json. It reports all faults at
// once, unknown fields among them.
func Parse(data []byte) (*Table, error) {
	var file struct {
		About  string   `json:"about"`
		Batch  call.USD `json:"batch"`
		Search call.USD `json:"web_search"`
		Models []struct {
			IDs    []string    `json:"ids"`
			Prices []wireEntry `json:"prices"`
		} `json:"models"`
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		return nil, fmt.Errorf("prices: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("prices: there is something behind the table")
	}
	t := &Table{models: map[string][]entry{}, batch: factorOf(file.Batch), search: file.Search}
	var errs []error
	for i, m := range file.Models {
		list, err := entriesOf(m.Prices)
		if err != nil {
			errs = append(errs, fmt.Errorf("prices: models[%d]: %w", i, err))
			continue
		}
		for _, id := range m.IDs {
			if t.models[id] != nil {
				errs = append(errs, fmt.Errorf("prices: models[%d]: %q is there twice", i, id))
			}
			t.models[id] = list
		}
		for _, e := range list {
			t.ceiling = t.ceiling.orMore(e)
		}
	}
	if len(t.models) == 0 {
		errs = append(errs, errors.New("prices: there is no model"))
	}
	return t, errors.Join(errs...)
}

// WithCeiling returns the same table, by which a model that it does not know
// costs so much for a million tokens: input, and writes to the cache for twice
// that, which is what they cost where they live longest.
func (t *Table) WithCeiling(input, output call.USD) *Table {
	other := *t
	r := wireRates{Input: input, Output: output, Write5m: 2 * input, Write1h: 2 * input, Read: input}.perToken()
	other.ceiling = entry{base: r, fast: r, us: factor{1, 1}}
	return &other
}

// factorOf turns a decimal factor, such as 1.1, into a fraction. None is 1.
func factorOf(u call.USD) factor {
	if u == 0 {
		return factor{1, 1}
	}
	num, den := u, call.Dollar
	for num%10 == 0 && den%10 == 0 {
		num, den = num/10, den/10
	}
	return factor{num, den}
}

func entriesOf(list []wireEntry) ([]entry, error) {
	if len(list) == 0 {
		return nil, errors.New("there is no price")
	}
	out := make([]entry, len(list))
	for i, w := range list {
		from, err := time.Parse(time.DateOnly, w.From)
		if err != nil || i > 0 && !from.After(out[i-1].from) {
			return nil, fmt.Errorf("prices[%d]: from must be a date such as 2026-10-07, later than the one before, not %q", i, w.From)
		}
		if w.Input == 0 || w.Output == 0 {
			return nil, fmt.Errorf("prices[%d]: input and output must be above 0", i)
		}
		if (w.Above > 0) != (w.Step != nil) {
			return nil, fmt.Errorf("prices[%d]: above and step belong together", i)
		}
		e := entry{from: from, base: w.perToken(), us: factorOf(w.US), above: w.Above}
		e.fast = e.base
		if w.Fast != nil {
			e.fast = w.Fast.perToken()
		}
		if w.Step != nil {
			e.step = w.Step.perToken()
		}
		out[i] = e
	}
	return out, nil
}

func (w wireRates) perToken() rates {
	const million = 1_000_000
	return rates{w.Input / million, w.Output / million, w.Write5m / million, w.Write1h / million, w.Read / million}
}

// orMore is e with whatever o asks more for.
func (e entry) orMore(o entry) entry {
	for _, r := range []rates{o.base, o.step} {
		e.base = e.base.orMore(r)
	}
	e.fast = e.fast.orMore(o.fast).orMore(e.base)
	if o.us.den != 0 && (e.us.den == 0 || o.us.num*e.us.den > e.us.num*o.us.den) {
		e.us = o.us
	}
	return e
}

// dated is the end of a model's id that names a version of it.
var dated = regexp.MustCompile(`(-\d{8}|-latest)$`)

// at finds the prices of a model at a time. Before its first date the first
// prices hold.
func (t *Table) at(model string, at time.Time) (entry, bool) {
	list, ok := t.models[model]
	if !ok {
		list, ok = t.models[dated.ReplaceAllString(model, "")]
	}
	if !ok {
		return t.ceiling, false
	}
	best := list[0]
	for _, e := range list[1:] {
		if !at.Before(e.from) {
			best = e
		}
	}
	return best, true
}

// Cost is what a call of model at a time costs. A model that the table does not
// know costs the most that any does, and known is false.
func (t *Table) Cost(model string, at time.Time, u call.Usage) (cost call.USD, known bool) {
	return t.CostOf(1, model, at, u)
}

// cost is that of u at the prices of e, for prompts of so many tokens.
func (t *Table) cost(e entry, u call.Usage, prompt call.Tokens) call.USD {
	r := e.base
	switch {
	case u.Fast:
		r = e.fast
	case e.above > 0 && prompt > e.above:
		r = e.step
	}
	hour := min(u.HourWrite, u.CacheWrite)
	cost := call.USD(u.Input)*r.input + call.USD(u.Output)*r.output + call.USD(u.CacheRead)*r.read +
		call.USD(u.CacheWrite-hour)*r.write5m + call.USD(hour)*r.write1h
	if u.US {
		cost = e.us.of(cost)
	}
	if u.Batch {
		cost = t.batch.of(cost)
	}
	return cost + call.USD(u.Searches)*t.search
}

// CostOf is [Table.Cost] of n calls that have used u together: whether the step
// in a price holds is decided by their mean prompt.
func (t *Table) CostOf(n int, model string, at time.Time, u call.Usage) (cost call.USD, known bool) {
	e, known := t.at(model, at)
	each := (u.Input + u.CacheRead + u.CacheWrite) / call.Tokens(n)
	return t.cost(e, u, each), known
}

// Bound is the most that a call may use.
type Bound struct {
	Input    call.Tokens // of any kind; cached or not
	Output   call.Tokens
	Searches int64
	Fast     bool // it may be answered at the prices of speed: fast
}

// Most is what a call of model at a time costs if it uses all that it may, and
// all of its input is written to the cache for an hour: nothing costs more,
// unless a dearer model answers than was asked for.
func (t *Table) Most(model string, at time.Time, b Bound) call.USD {
	e, _ := t.at(model, at)
	dearest := e.base
	if e.above > 0 && b.Input > e.above {
		dearest = dearest.orMore(e.step)
	}
	if b.Fast {
		dearest = dearest.orMore(e.fast)
	}
	in := max(dearest.input, dearest.write5m, dearest.write1h, dearest.read)
	cost := call.USD(b.Input)*in + call.USD(b.Output)*dearest.output
	return max(cost, e.us.of(cost)) + call.USD(b.Searches)*t.search
}

func (r rates) orMore(o rates) rates {
	return rates{
		max(r.input, o.input), max(r.output, o.output), max(r.write5m, o.write5m),
		max(r.write1h, o.write1h), max(r.read, o.read),
	}
}
