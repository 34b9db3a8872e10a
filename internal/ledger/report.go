package ledger

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weir-gateway/weir/call"
)

// Reader reads the ledger of a folder, whether or not a gateway writes it, and
// whether or not the last one was killed. It changes nothing. It is safe for
// concurrent use.
type Reader struct {
	dir   string
	store store
}

// Read opens the ledger of a folder for reading. It must be closed.
func Read(dir string) (*Reader, error) {
	if _, err := os.Stat(filepath.Join(dir, databaseFile)); err != nil {
		return nil, fmt.Errorf("there is no ledger in %s: %w", dir, fs.ErrNotExist)
	}
	store, err := openDatabase(dir, true)
	if err != nil {
		return nil, err
	}
	return &Reader{dir: dir, store: store}, nil
}

// ReadPostgres opens a ledger in PostgreSQL for reading, with the journal of a
// folder if one is named. It must be closed.
func ReadPostgres(address call.Secret, dir string) (*Reader, error) {
	if dir != "" {
		if _, err := os.Stat(dir); err != nil {
			dir = "" // no gateway has written here yet
		}
	}
	store, err := openPostgres(address, dir)
	if err != nil {
		return nil, err
	}
	return &Reader{dir: dir, store: store}, nil
}

// Reader returns a reader of the same ledger, which ends with it.
func (l *Ledger) Reader() *Reader { return &Reader{dir: l.cfg.Dir, store: l.store} }

// Close closes the reader.
func (r *Reader) Close() error { return r.store.close() }

// Report is the answer of weir usage.
type Report struct {
	Total Sum    `json:"total"`
	Rows  []Line `json:"rows"`
}

// Line is a sum by the dimensions that were asked for; the others are empty.
type Line struct {
	Day    string `json:"day,omitempty"`
	Tenant string `json:"tenant,omitempty"`
	Model  string `json:"model,omitempty"`
	Key    string `json:"key,omitempty"`
	Class  string `json:"class,omitempty"`
	Sum
}

// Usage adds up a span of days, split by some dimensions. Days come in their
// order, everything else by cost, the dearest first.
func (r *Reader) Usage(ctx context.Context, s Span, by []Dimension) (Report, error) {
	sums, err := r.sums(ctx, s)
	if err != nil {
		return Report{}, err
	}
	out := Report{Rows: []Line{}}
	lines := map[group]*Sum{}
	for g, sum := range sums {
		out.Total.add(sum)
		key := g.only(by)
		if lines[key] == nil {
			lines[key] = &Sum{}
		}
		lines[key].add(sum)
	}
	if len(by) == 0 {
		return out, nil
	}
	for g, sum := range lines {
		out.Rows = append(out.Rows, Line{Day: g.Day, Tenant: g.Tenant, Model: g.Model, Key: g.Key, Class: g.Class, Sum: *sum})
	}
	slices.SortFunc(out.Rows, func(a, b Line) int {
		return cmp.Or(strings.Compare(a.Day, b.Day), cmp.Compare(b.Cost, a.Cost), cmp.Compare(b.Requests, a.Requests),
			strings.Compare(a.Tenant+"\x00"+a.Model+"\x00"+a.Key+"\x00"+a.Class, b.Tenant+"\x00"+b.Model+"\x00"+b.Key+"\x00"+b.Class))
	})
	return out, nil
}

// tail is the journal that stands beside the store. There is none where only
// the store is known.
func (r *Reader) tail(from mark) ([]Row, error) {
	if r.dir == "" {
		return nil, nil
	}
	rows, _, _, err := tail(r.dir, from, math.MaxInt)
	if err != nil {
		return nil, fmt.Errorf("its journal: %w", err)
	}
	return rows, nil
}

// sums adds what the journal has, and the store lacks, to the store's sums.
func (r *Reader) sums(ctx context.Context, s Span) (map[group]Sum, error) {
	sums, rows, err := r.store.sums(ctx, s, r.tail)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	for i := range rows {
		if g := rows[i].group(); s.holds(g.Day) {
			sum := sums[g]
			sum.count(&rows[i])
			sums[g] = sum
		}
	}
	return sums, nil
}

// Each hands every attempt of a span to do, those of the journal last.
func (r *Reader) Each(ctx context.Context, s Span, do func(Row) error) error {
	rows, err := r.store.each(ctx, s, r.tail, do)
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	for _, row := range rows {
		if !s.holds(row.group().Day) {
			continue
		}
		if err := do(row); err != nil {
			return err
		}
	}
	return nil
}

// only keeps the values of some dimensions.
func (g group) only(by []Dimension) (out group) {
	for _, d := range by {
		switch d {
		case ByDay:
			out.Day = g.Day
		case ByTenant:
			out.Tenant = g.Tenant
		case ByModel:
			out.Model = g.Model
		case ByKey:
			out.Key = g.Key
		case ByClass:
			out.Class = g.Class
		}
	}
	return out
}
