// Package reconcile compares what a ledger has booked with what the Usage and
// Cost Admin API says was used and charged, by day and model.
package reconcile

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/weir-gateway/weir/call"
)

// Key is what both sides are split by. Days are UTC.
type Key struct{ Day, Model string }

// Figures are what was used of each kind of token, and what it cost.
type Figures struct {
	Input      call.Tokens `json:"input_tokens"` // uncached
	CacheRead  call.Tokens `json:"cache_read_tokens"`
	CacheWrite call.Tokens `json:"cache_write_tokens"`
	Output     call.Tokens `json:"output_tokens"`
	Cost       call.USD    `json:"cost_usd"`
}

// Add returns the sum of both.
func (f Figures) Add(o Figures) Figures {
	return Figures{f.Input + o.Input, f.CacheRead + o.CacheRead, f.CacheWrite + o.CacheWrite, f.Output + o.Output, f.Cost + o.Cost}
}

// Less returns what f has more than o.
func (f Figures) Less(o Figures) Figures {
	return f.Add(Figures{-o.Input, -o.CacheRead, -o.CacheWrite, -o.Output, -o.Cost})
}

// tokens reports whether some kind of tokens is not 0.
func (f Figures) tokens() bool {
	f.Cost = 0
	return f != Figures{}
}

// Line is one day and model.
type Line struct {
	Day        string  `json:"day"`
	Model      string  `json:"model"`
	Ours       Figures `json:"ours"`
	Theirs     Figures `json:"theirs"`
	Difference Figures `json:"difference"` // theirs less ours
}

// Report is a comparison, the oldest day first.
type Report struct {
	Total Line     `json:"total"` // without day and model
	Rows  []Line   `json:"rows"`
	Why   []string `json:"why"` // what a difference may come from; none: there is no difference
}

// Doubt is what is known of our own side that can make a difference.
type Doubt struct {
	Estimated int64 // attempts whose usage had to be estimated
	Unpriced  int64 // attempts of models without a price
	Running   bool  // the last day is not over, or has only just been
	Elsewhere bool  // there are keys of which nobody knows whose organization they are
}

// Compare puts both sides beside each other.
func Compare(ours, theirs map[Key]Figures, d Doubt) Report {
	r := Report{Rows: []Line{}, Why: []string{}}
	keys := map[Key]bool{}
	for _, side := range []map[Key]Figures{ours, theirs} {
		for k := range side {
			keys[k] = true
		}
	}
	for k := range keys {
		l := Line{Day: k.Day, Model: k.Model, Ours: ours[k], Theirs: theirs[k]}
		l.Difference = l.Theirs.Less(l.Ours)
		r.Total.Ours, r.Total.Theirs = r.Total.Ours.Add(l.Ours), r.Total.Theirs.Add(l.Theirs)
		r.Rows = append(r.Rows, l)
	}
	r.Total.Difference = r.Total.Theirs.Less(r.Total.Ours)
	slices.SortFunc(r.Rows, func(a, b Line) int {
		return cmp.Or(strings.Compare(a.Day, b.Day), strings.Compare(a.Model, b.Model))
	})
	r.Why = append(r.Why, reasons(r.Rows, d)...)
	return r
}

// reasons lists what the differences may come from, the likeliest first.
func reasons(rows []Line, d Doubt) (why []string) {
	more, less, price := false, false, false
	for _, l := range rows {
		f := l.Difference
		more = more || max(f.Input, f.CacheRead, f.CacheWrite, f.Output) > 0
		less = less || min(f.Input, f.CacheRead, f.CacheWrite, f.Output) < 0
		price = price || !f.tokens() && f.Cost != 0
	}
	add := func(when bool, text string) {
		if when {
			why = append(why, text)
		}
	}
	add(more, "more was used than was booked: other programs use keys of the organization, or calls went around the gateway")
	add((more || less) && d.Elsewhere, "keys without an admin_key were left out of our side: give it to every key of the organization")
	add((more || less) && d.Estimated > 0, "the usage of some calls had to be estimated, because they were broken off or nobody got their answer")
	add((more || less) && d.Running, "the reports lag some minutes behind, and the last day may not be over")
	add(more && less, "a call at midnight (UTC) may stand on one day here and on the other there")
	add(less, "more was booked than was charged: the upstream may charge less for calls that failed or were broken off")
	add(price && d.Unpriced > 0, "the price of a model is not known here, so that its ceiling was booked: see ledger.prices")
	add(price, "the same tokens cost otherwise: a discount, the priority tier, or prices that differ from the table (ledger.prices)")
	return why
}

// Differs reports whether there is any difference.
func (r Report) Differs() bool {
	return slices.ContainsFunc(r.Rows, func(l Line) bool { return l.Difference != Figures{} })
}

// Apart is the sum of the differences in money, whichever way they go.
func (r Report) Apart() (sum call.USD) {
	for _, l := range r.Rows {
		sum += max(l.Difference.Cost, -l.Difference.Cost)
	}
	return sum
}

// dated is the end of a model's id that names a version of it.
var dated = regexp.MustCompile(`(-\d{8}|-latest)$`)

// Model is the name under which both sides list a model, whichever of its ids
// was asked for.
func Model(id string) string { return dated.ReplaceAllString(id, "") }
