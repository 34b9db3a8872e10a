package top

import (
	"strconv"
	"strings"

	"charm.land/lipgloss/v2"

	"github.com/weir-gateway/weir/call"
)

// alerts are what people must know now, in at most so many lines.
func (m *Model) alerts(width, most int) []string {
	var said []cell
	say := func(sign string, p paint, text string) {
		for _, line := range fold(sign+" "+text, width, 2) {
			said = append(said, cell{text: line, paint: p})
		}
	}
	warned := map[string]bool{} // what a warning says already, in better words
	for _, w := range m.picture.Warnings {
		warned[w.Kind] = true
	}
	for _, b := range m.picture.Protection.Breakers {
		if b.State != "closed" && !warned["breaker_open"] {
			say("✖", stopped, m.words.t("breaker.said", "scope", b.Scope, "why", m.words.t("cause."+b.Cause)))
		}
	}
	for _, k := range m.picture.Quota.Keys {
		if k.State != "ok" && !warned["account_blocked"] && !warned["key_refused"] {
			say("✖", stopped, m.words.t("key.said", "name", k.Name, "why", m.words.t("block."+k.Block), "until", m.until(k)))
		}
	}
	for _, w := range m.picture.Warnings {
		sign, p := "▲", attention
		if w.Level == "critical" {
			sign, p = "✖", stopped
		}
		if text := w.Text[m.lang]; text.Message != "" {
			say(sign, p, strings.TrimSpace(text.Message+" "+text.Hint))
		}
	}
	if hidden := len(said) - most; hidden > 0 {
		said = said[:most]
		last, more := &said[most-1], " (+"+strconv.Itoa(hidden)+")"
		last.text = cut(last.text, width-len(more)) + more
	}
	var lines []string
	for _, c := range said {
		lines = append(lines, m.paint(c.paint, c.text))
	}
	return lines
}

func (m *Model) until(k call.KeyReport) string {
	if k.Until == nil {
		return m.words.t("key.lifted")
	}
	return m.words.t("key.until", "time", date(*k.Until))
}

// tiles are the counts of now and of the last minute.
func (m *Model) tiles() []string {
	q, r := m.picture.Queue, m.picture.Recent
	flying := 0
	for _, l := range q.Lanes {
		flying += l.InFlight
	}
	var lines []string
	line, used := "", 0
	for _, tile := range [][2]string{
		{"waiting", strconv.Itoa(q.Waiting)}, {"inflight", strconv.Itoa(flying)}, {"answered", strconv.Itoa(r.Answered)},
		{"p50", span(r.WaitP50)}, {"p95", span(r.WaitP95)}, {"429", strconv.Itoa(r.RateLimited)},
	} {
		value := tile[1]
		name := cut(m.words.t("tile."+tile[0]), max(1, m.width-lipgloss.Width(value)-1))
		text, wide := m.paint(bold, value)+" "+name, lipgloss.Width(value+" "+name)
		if m.lang == "zh" {
			text = name + " " + m.paint(bold, value)
		}
		if used > 0 && used+3+wide > m.width {
			lines, line, used = append(lines, line), "", 0
		}
		if used > 0 {
			line, used = line+m.paint(dim, " · "), used+3
		}
		line, used = line+text, used+wide
	}
	return append(lines, line)
}

// quota shows one line for each limiter under its organization and group.
func (m *Model) quota() []string {
	buckets := m.picture.Quota.Buckets
	if len(buckets) == 0 {
		return []string{cut(m.words.t("quota.none"), m.width)}
	}
	cols := []column{
		{title: m.words.t("col.limiter")}, {rank: 3, most: barMost}, {title: m.words.t("col.left"), right: true},
		{title: m.words.t("col.share"), right: true, rank: 2}, {title: m.words.t("col.state"), rank: 1},
		{title: m.words.t("col.forecast"), rank: 4}, {title: m.words.t("col.belief"), right: true, rank: 5},
		{title: m.words.t("col.reserved"), right: true, rank: 6},
	}
	var rows []row
	pool := ""
	for _, b := range buckets {
		owner := b.Group + "  " + strings.Trim(b.Organization+" · "+b.Workspace, " ·")
		if b.Organization == "" {
			owner = b.Group + "  " + m.words.t("pool.new")
		}
		if owner != pool {
			rows, pool = append(rows, row{heading: owner}), owner
		}
		rows = append(rows, row{cells: m.bucket(b)})
	}
	lines := m.table(m.width, cols, rows)
	return append(lines, m.paint(dim, cut(m.words.t("quota.legend"), m.width)))
}

// lowBelow is the share of a bucket below which it is shown as low.
const lowBelow = 0.1

// bucket is the line of one limiter.
func (m *Model) bucket(b call.BucketReport) []cell {
	level, p := "good", good
	share := func(n int64) float64 {
		if b.Limit <= 0 {
			return 0
		}
		return float64(n) / float64(b.Limit)
	}
	switch left := share(b.Remaining); {
	case b.Limit <= 0:
		level, p = "unknown", dim
	case left <= 0:
		level, p = "out", stopped
	case left < lowBelow:
		level, p = "low", attention
	}
	if b.Limit <= 0 {
		return []cell{{text: " " + m.words.t("limiter."+b.Limiter)}, {bar: &gauge{}}, {text: none}, {text: none}, {text: m.words.t("level." + level), paint: p}, {text: none}, {text: none}, {text: none}}
	}
	return []cell{
		{text: " " + m.words.t("limiter."+b.Limiter)},
		{bar: &gauge{low: share(b.Low), high: share(b.High)}, paint: p},
		{text: short(b.Remaining) + "/" + short(b.Limit)},
		{text: strconv.Itoa(int(100*share(b.Remaining))) + " %"},
		{text: m.words.t("level." + level), paint: p},
		{text: m.forecast(b)},
		{text: short(b.Low) + "–" + short(b.High), paint: dim},
		{text: short(b.Reserved), paint: dim},
	}
}

// forecast says where the level is going.
func (m *Model) forecast(b call.BucketReport) string {
	in := b.FullAt.Sub(m.picture.Quota.At).Seconds()
	switch {
	case b.Limit <= 0:
		return none
	case b.EmptyIn != nil && b.Remaining > 0:
		return m.words.t("forecast.empty", "time", span(*b.EmptyIn))
	case b.Remaining >= b.Limit:
		return m.words.t("forecast.isfull")
	case in > 0:
		return m.words.t("forecast.full", "time", span(in))
	}
	return m.words.t("forecast.steady")
}

// queue shows the lanes, and of each the first who will go.
func (m *Model) queue(first int) []string {
	lanes := m.picture.Queue.Lanes
	cols := []column{
		{title: m.words.t("col.lane")}, {title: m.words.t("col.waiting"), right: true}, {title: m.words.t("col.inflight"), right: true, rank: 2},
		{title: m.words.t("col.head"), right: true, rank: 1}, {title: m.words.t("col.oldest"), right: true, rank: 4},
		{title: m.words.t("col.bound"), rank: 3},
	}
	var rows, next []row
	for _, l := range lanes {
		if l.Waiting == 0 && l.InFlight == 0 {
			continue
		}
		bound, oldest := none, none
		if l.BoundBy != "" {
			bound = m.words.t("limiter." + l.BoundBy)
		}
		if l.Waiting > 0 {
			oldest = span(l.OldestWait)
		}
		rows = append(rows, row{cells: []cell{
			{text: l.Group}, {text: strconv.Itoa(l.Waiting), paint: bold}, {text: strconv.Itoa(l.InFlight)},
			{text: spanOf(l.HeadIn)}, {text: oldest}, {text: bound},
		}})
		if len(l.Next) > 0 {
			next = append(next, row{heading: m.words.t("queue.next") + ": " + l.Group + "  " + m.classes(l.ByClass)})
		}
		for _, w := range l.Next[:min(first, len(l.Next))] {
			next = append(next, row{cells: []cell{
				{text: strconv.Itoa(w.Position)}, {text: spanOf(w.ETA), paint: bold}, {text: span(w.Waited)}, {text: m.words.t("class." + w.Class)},
				{text: w.Tenant}, {text: short(int64(w.Input))}, {text: strconv.Itoa(w.Attempt)},
			}})
		}
	}
	if len(rows) == 0 {
		return []string{cut(m.words.t("queue.none"), m.width)}
	}
	lines := m.table(m.width, cols, rows)
	if len(next) == 0 {
		return lines
	}
	return append(append(lines, ""), m.table(m.width, []column{
		{title: m.words.t("col.place"), right: true}, {title: m.words.t("col.eta"), right: true}, {title: m.words.t("col.waited"), right: true, rank: 3},
		{title: m.words.t("col.class"), rank: 2}, {title: m.words.t("col.tenant"), rank: 1}, {title: m.words.t("col.input"), right: true, rank: 4},
		{title: m.words.t("col.attempt"), right: true, rank: 5},
	}, next)...)
}

// classes counts who waits, the most urgent first.
func (m *Model) classes(by map[string]int) string {
	var parts []string
	for c := range call.Class(call.NumClasses) {
		if n := by[c.String()]; n > 0 {
			parts = append(parts, m.words.t("class."+c.String())+" "+strconv.Itoa(n))
		}
	}
	return strings.Join(parts, ", ")
}

// requests shows the newest calls.
func (m *Model) requests(most int) []string {
	list := m.picture.Requests[:min(most, len(m.picture.Requests))]
	if len(list) == 0 {
		return []string{cut(m.words.t("requests.none"), m.width)}
	}
	cols := []column{
		{title: m.words.t("col.at")}, {title: m.words.t("col.outcome")}, {title: m.words.t("col.waited"), right: true, rank: 1},
		{title: m.words.t("col.took"), right: true, rank: 3}, {title: m.words.t("col.model"), rank: 2}, {title: m.words.t("col.tenant"), rank: 4},
		{title: m.words.t("col.tokens"), right: true, rank: 5}, {title: m.words.t("col.attempts"), right: true, rank: 6}, {title: m.words.t("col.why"), rank: 7},
	}
	var rows []row
	for _, r := range list {
		p, why := ordinary, r.Reason
		if r.Outcome != "ok" {
			p = attention
			if why == "" {
				why = strconv.Itoa(r.Status)
			}
		}
		model, tokens := r.Model, none
		if r.Endpoint == "messages" {
			tokens = short(r.Usage.Input+r.Usage.CacheRead+r.Usage.CacheWrite) + "/" + short(r.Usage.Output)
		}
		if model == "" {
			model = r.Endpoint
		}
		rows = append(rows, row{cells: []cell{
			{text: clock(r.At)}, {text: m.words.t("outcome." + r.Outcome), paint: p}, {text: span(r.Waited)}, {text: span(r.Took)},
			{text: model}, {text: r.Tenant}, {text: tokens}, {text: strconv.Itoa(r.Attempts)}, {text: why},
		}})
	}
	return m.table(m.width, cols, rows)
}
