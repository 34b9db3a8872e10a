package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/dash"
	"github.com/weir-gateway/weir/internal/ledger"
	"github.com/weir-gateway/weir/weir"
)

// How old the page's money may be: adding it up reads the ledger. A store that
// does not answer is not asked again so soon.
const (
	moneyEvery  = time.Second
	moneyWithin = 2 * time.Second
	moneyPause  = 15 * time.Second
)

// moneyOf adds up the running month of a ledger (UTC), for the page, and tells
// of the gateway's budgets.
func moneyOf(l *ledger.Ledger, g *weir.Gateway) func() call.MoneyReport {
	var (
		mu   sync.Mutex // guards last and next
		last call.MoneyReport
		next time.Time
		r    = l.Reader()
	)
	return func() call.MoneyReport {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now().UTC()
		if !now.Before(next) {
			ctx, cancel := context.WithTimeout(context.Background(), moneyWithin)
			defer cancel()
			first := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
			report, err := r.Usage(ctx, ledger.Span{First: first}, []ledger.Dimension{ledger.ByDay, ledger.ByTenant, ledger.ByModel})
			next = now.Add(moneyPause)
			if err == nil { // or the last picture will do
				last, next = monthOf(report), now.Add(moneyEvery)
				last.At, last.Since = now, first
			}
		}
		last.Budgets = g.Budgets()
		return last
	}
}

// monthOf splits a report of days, tenants and models in three.
func monthOf(r ledger.Report) call.MoneyReport {
	tenants, models, days := map[string]*call.MoneyRow{}, map[string]*call.MoneyRow{}, map[string]*call.MoneyRow{}
	for _, l := range r.Rows {
		count(tenants, l.Tenant, l.Sum)
		count(models, l.Model, l.Sum)
		count(days, l.Day, l.Sum)
	}
	total := map[string]*call.MoneyRow{}
	count(total, "", r.Total)
	byCost := func(a, b call.MoneyRow) int { return compare(b.Cost, a.Cost, a.Name, b.Name) }
	return call.MoneyReport{
		Total: *total[""], Tenants: rowsOf(tenants, byCost), Models: rowsOf(models, byCost),
		Days: rowsOf(days, func(a, b call.MoneyRow) int { return strings.Compare(b.Name, a.Name) }),
	}
}

func compare(a, b call.USD, name, other string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return strings.Compare(name, other)
}

func count(rows map[string]*call.MoneyRow, name string, s ledger.Sum) {
	if rows[name] == nil {
		rows[name] = &call.MoneyRow{Name: name}
	}
	r := rows[name]
	r.Requests += s.Requests
	r.Input += s.Input + s.CacheRead + s.CacheWrite
	r.Output += s.Output
	r.Cost += s.Cost
}

func rowsOf(rows map[string]*call.MoneyRow, order func(a, b call.MoneyRow) int) []call.MoneyRow {
	out := make([]call.MoneyRow, 0, len(rows))
	for _, r := range rows {
		out = append(out, *r)
	}
	slices.SortFunc(out, order)
	return out
}

// usageOf answers /api/v1/usage as weir usage does.
func usageOf(l *ledger.Ledger) func(context.Context, dash.UsageQuery) (any, error) {
	return func(ctx context.Context, q dash.UsageQuery) (any, error) {
		span, err := ledger.ParseSpan(q.From, q.To)
		if err != nil {
			return nil, err
		}
		by, err := ledger.ParseDimensions(q.By)
		if err != nil {
			return nil, fmt.Errorf("by: %w", err)
		}
		return l.Reader().Usage(ctx, span, by)
	}
}
