package sim

import (
	"cmp"
	"encoding/json"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// period is one bucket of a report.
type period struct {
	From    string `json:"starting_at"`
	To      string `json:"ending_at"`
	Results []any  `json:"results"`
}

// serveReport answers the usage and cost reports, with days as their buckets
// (Anthropic docs, Usage and Cost API), and reports whether path is one of
// them.
func (x *exchange) serveReport(path string) bool {
	var results func([]billLine, url.Values) []any
	switch path {
	case "usage_report/messages":
		results = usageResults
	case "cost_report":
		results = x.costResults
	default:
		return false
	}
	x.batches.charge(x.clock)
	query := x.r.URL.Query()
	from, to, bad := x.span(query)
	if bad != nil {
		x.fail(bad)
		return true
	}
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || limit < 1 || limit > 31 {
		limit = 7
	}
	list := []period{}
	day := from
	for ; day.Before(to) && len(list) < limit; day = day.AddDate(0, 0, 1) {
		p := period{From: day.Format(time.RFC3339), To: day.AddDate(0, 0, 1).Format(time.RFC3339), Results: []any{}}
		p.Results = append(p.Results, results(x.who.organization.bill.on(day.Format(time.DateOnly)), query)...)
		list = append(list, p)
	}
	var next *string
	if day.Before(to) {
		next = new("page_" + day.Format(time.DateOnly))
	}
	body, err := json.Marshal(map[string]any{"data": list, "has_more": next != nil, "next_page": next})
	if err != nil {
		x.fail(standard(500)) // never: they are strings and numbers
		return true
	}
	delete(x.headers(true), "Anthropic-Workspace-Id") // an admin key is in none
	x.send(http.StatusOK, body)
	return true
}

// span reads which days are asked for. The token of a page is its first day.
func (x *exchange) span(query url.Values) (from, to time.Time, bad *apiError) {
	if width := query.Get("bucket_width"); width != "" && width != "1d" {
		return from, to, invalid("bucket_width: the simulator has days only")
	}
	from, err := time.Parse(time.RFC3339, query.Get("starting_at"))
	if err != nil {
		return from, to, invalid("starting_at: Input should be a valid datetime")
	}
	to = x.clock.date(x.clock.now())
	if text := query.Get("ending_at"); text != "" {
		if to, err = time.Parse(time.RFC3339, text); err != nil {
			return from, to, invalid("ending_at: Input should be a valid datetime")
		}
	}
	if page, ok := strings.CutPrefix(query.Get("page"), "page_"); ok {
		if from, err = time.Parse(time.DateOnly, page); err != nil {
			return from, to, invalid("page: not a page of this report")
		}
	}
	return from.UTC().Truncate(24 * time.Hour), to.UTC(), nil
}

// usageResults are the lines of the usage report, split as the query asks.
func usageResults(lines []billLine, query url.Values) []any {
	type group struct{ model, workspace, geo, speed string }
	order, groups := merged(lines, func(l billLine) (g group) {
		by := query["group_by[]"]
		if slices.Contains(by, "model") {
			g.model = l.model
		}
		if slices.Contains(by, "workspace_id") {
			g.workspace = l.workspace
		}
		if slices.Contains(by, "inference_geo") {
			g.geo = l.geo
		}
		if slices.Contains(by, "speed") {
			g.speed = l.speed
		}
		return g
	})
	var out []any
	for _, g := range order {
		var sum [numTokenKinds]int64
		for _, l := range groups[g] {
			for kind, n := range l.tokens {
				sum[kind] += n
			}
		}
		out = append(out, map[string]any{
			"uncached_input_tokens":   sum[uncachedInput],
			"cache_creation":          map[string]any{"ephemeral_5m_input_tokens": sum[write5m], "ephemeral_1h_input_tokens": sum[write1h]},
			"cache_read_input_tokens": sum[cacheRead],
			"output_tokens":           sum[outputTokens],
			"server_tool_use":         map[string]any{"web_search_requests": 0},
			"model":                   orNull(g.model), "workspace_id": orNull(g.workspace),
			"inference_geo": orNull(g.geo), "speed": orNull(g.speed),
			"api_key_id": nil, "service_tier": nil, "context_window": nil,
		})
	}
	return out
}

// costResults are the lines of the cost report: with group_by[]=description one
// for each model and kind of token, without it one sum.
func (x *exchange) costResults(lines []billLine, query url.Values) []any {
	type group struct{ model, kind, tier string }
	split := slices.Contains(query["group_by[]"], "description")
	sums := map[group]*big.Rat{}
	var order []group
	for _, l := range lines {
		for kind := range tokenKinds {
			g := group{}
			if split {
				g = group{l.model, tokenKinds[kind], l.tier}
			}
			if sums[g] == nil {
				sums[g] = new(big.Rat)
				order = append(order, g)
			}
			sums[g].Add(sums[g], x.catalog.cents(l, kind))
		}
	}
	var out []any
	for _, g := range order {
		if sums[g].Sign() == 0 {
			continue
		}
		out = append(out, map[string]any{
			"currency": "USD", "amount": exactly(sums[g]), "workspace_id": nil,
			"model": orNull(g.model), "token_type": orNull(g.kind), "cost_type": "tokens",
			"description": orNull(strings.TrimSpace(g.model + " " + g.kind)), "service_tier": cmp.Or(g.tier, "standard"), "context_window": nil,
		})
	}
	return out
}

// exactly writes an amount in cents. Prices have few decimals, so that it ends.
func exactly(cents *big.Rat) string {
	return strings.TrimSuffix(strings.TrimRight(cents.FloatString(10), "0"), ".")
}

// orNull is the API's null for what a report does not split by.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
