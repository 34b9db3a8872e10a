package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/config"
	"github.com/weir-gateway/weir/internal/ledger"
	"github.com/weir-gateway/weir/internal/reconcile"
)

// payer is an organization whose reports can be read, and the keys that it pays
// for.
type payer struct {
	client *reconcile.Client
	keys   []string
}

// reconciler compares the ledger with the reports of the upstream.
type reconciler struct {
	reader    *ledger.Reader
	payers    []payer
	elsewhere bool // there are keys without an admin key
	log       *slog.Logger

	checked atomic.Pointer[reconcile.Report] // of the latest whole day; nil: not yet
}

var errNoAdminKey = hinted{
	errors.New("no key has an admin_key"),
	"give keys[].admin_key in the configuration: an admin key of the organization (sk-ant-admin…) reads its Usage and Cost reports",
}

// newReconciler groups the keys by their admin keys: those with the same one
// belong to the same organization.
func newReconciler(c config.Config, e env, reader *ledger.Reader, log *slog.Logger) (*reconciler, error) {
	r := &reconciler{reader: reader, log: log}
	at := map[string]int{}
	for _, k := range c.Keys {
		if k.AdminKey == "" {
			r.elsewhere = true
			continue
		}
		secret, err := k.AdminKey.Resolve(e.getenv)
		if err != nil {
			return nil, fmt.Errorf("admin key of %s: %w", k.Name, err)
		}
		i, known := at[secret]
		if !known {
			i, at[secret] = len(r.payers), len(r.payers)
			r.payers = append(r.payers, payer{client: reconcile.New(reconcile.Config{
				Upstream: cmp.Or(k.Upstream, c.Upstream), Key: call.NewSecret(secret),
			})})
		}
		r.payers[i].keys = append(r.payers[i].keys, k.Name)
	}
	return r, nil
}

// compare reads both sides for a span of days.
func (r *reconciler) compare(ctx context.Context, s ledger.Span) (reconcile.Report, error) {
	var keys []string
	theirs := map[reconcile.Key]reconcile.Figures{}
	for _, p := range r.payers {
		keys = append(keys, p.keys...)
		one, err := p.client.Read(ctx, s.First, s.Last)
		if err != nil {
			return reconcile.Report{}, err
		}
		for k, f := range one {
			theirs[k] = theirs[k].Add(f)
		}
	}
	doubt := reconcile.Doubt{Elsewhere: r.elsewhere, Running: time.Since(s.End()) < lag}
	ours, err := r.ours(ctx, s, keys, &doubt)
	return reconcile.Compare(ours, theirs, doubt), err
}

// lag is how long the reports may be behind, amply.
const lag = time.Hour

// ours adds up what the ledger has of these keys.
func (r *reconciler) ours(ctx context.Context, s ledger.Span, keys []string, doubt *reconcile.Doubt) (map[reconcile.Key]reconcile.Figures, error) {
	report, err := r.reader.Usage(ctx, s, []ledger.Dimension{ledger.ByDay, ledger.ByModel, ledger.ByKey})
	if err != nil {
		return nil, err
	}
	out := map[reconcile.Key]reconcile.Figures{}
	for _, l := range report.Rows {
		f := reconcile.Figures{Input: l.Input, CacheRead: l.CacheRead, CacheWrite: l.CacheWrite, Output: l.Output, Cost: l.Cost}
		if !slices.Contains(keys, l.Key) || f == (reconcile.Figures{}) {
			continue
		}
		k := reconcile.Key{Day: l.Day, Model: reconcile.Model(l.Model)}
		out[k] = out[k].Add(f)
	}
	err = r.reader.Each(ctx, s, func(row ledger.Row) error {
		if used := row.Input+row.Output > 0 && slices.Contains(keys, row.Key); used {
			doubt.Estimated += one(!row.Exact)
			doubt.Unpriced += one(!row.Priced)
		}
		return nil
	})
	return out, err
}

func one(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// When a day is checked: a while after its end, once.
const (
	checkAt    = 2 * time.Hour // after midnight, UTC
	checkRetry = 10 * time.Minute
)

// run checks each day when it is over, until ctx is done. The first one is the
// day before the start.
func (r *reconciler) run(ctx context.Context) error {
	if len(r.payers) == 0 {
		return nil
	}
	next := time.Now().Add(time.Minute) // the start has other things to do
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Until(next)):
		}
		now := time.Now().UTC()
		day := now.Add(-checkAt).Truncate(24*time.Hour).AddDate(0, 0, -1)
		if err := r.check(ctx, day); err != nil && ctx.Err() == nil {
			r.log.Warn("the ledger could not be compared with the Usage and Cost reports", "day", day.Format(time.DateOnly), "cause", err)
			next = now.Add(checkRetry)
			continue
		}
		next = now.Add(-checkAt).Truncate(24*time.Hour).AddDate(0, 0, 1).Add(checkAt)
	}
}

// check compares one day, and says what differs.
func (r *reconciler) check(ctx context.Context, day time.Time) error {
	report, err := r.compare(ctx, ledger.Span{First: day, Last: day})
	if err != nil {
		return err
	}
	r.checked.Store(&report)
	for _, l := range report.Rows {
		if d := l.Difference; d != (reconcile.Figures{}) {
			r.log.Warn("the ledger and the upstream's reports differ: see weir usage --reconcile", "day", l.Day, "model", l.Model,
				"usd", d.Cost, "input_tokens", d.Input, "cache_read_tokens", d.CacheRead, "cache_write_tokens", d.CacheWrite, "output_tokens", d.Output)
		}
	}
	return nil
}

// books are a ledger whose report tells of the latest check too.
type books struct {
	*ledger.Ledger
	checks *reconciler
}

// Report implements [call.Ledger].
func (b books) Report() call.LedgerReport {
	r := b.Ledger.Report()
	if checked := b.checks.checked.Load(); checked != nil {
		r.Checked, r.Difference, r.Apart = true, checked.Total.Difference.Cost, checked.Apart()
	}
	return r
}
