package budget

import (
	"cmp"
	stdslices "slices"
	"time"

	"github.com/weir-gateway/weir/call"
)

// maxReported bounds how many purses of one budget are told of: those that are
// used most.
const maxReported = 20

// Report tells how far the budgets are used now.
func (r *Room) Report(now time.Time) []call.BudgetReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := []call.BudgetReport{}
	for _, w := range r.watches {
		r.turn(now, w)
		if w.Each == All {
			out = append(out, r.purseOf(w, "").report(w))
			continue
		}
		var list []call.BudgetReport
		for key, p := range r.purses {
			if key.Budget == w.Name && key.Period == string(w.Period) && key.Start.Equal(w.start) {
				list = append(list, p.report(w))
			}
		}
		stdslices.SortFunc(list, func(a, b call.BudgetReport) int {
			return cmp.Or(cmp.Compare(b.Share, a.Share), cmp.Compare(a.Subject, b.Subject))
		})
		out = append(out, list[:min(len(list), maxReported)]...)
	}
	return out
}

func (p *purse) report(w *watch) call.BudgetReport {
	end := p.key.End
	return call.BudgetReport{
		Name: p.key.Budget, Subject: p.key.Subject, Each: string(w.Each), Period: p.key.Period,
		Limit: p.limit, Spent: p.spent(), Reserved: p.held, Share: p.share(), Soft: w.Soft, Level: p.level(w.Soft), ResetAt: &end,
	}
}

// Refused counts the calls that were refused, by the budgets' names.
func (r *Room) Refused() map[string]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make(map[string]uint64, len(r.watches))
	for _, w := range r.watches {
		out[w.Name] = r.refused[w.Name]
	}
	return out
}

// Concerned lists the purses that c draws on, as a report names them.
func (r *Room) Concerned(c *call.Call) (list [][2]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.watches {
		if subject, ok := w.watches(c); ok {
			list = append(list, [2]string{w.Name, subject})
		}
	}
	return list
}

// Share is how much is spent of the fullest budget that c draws on, from 0.
func (r *Room) Share(now time.Time, c *call.Call) (most float64) {
	if r.idle.Load() {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.drawn(now, c) {
		most = max(most, p.share())
	}
	return most
}
