package top

import "strconv"

// protection shows the keys, what is made simpler, the breakers that have ever
// opened and the rules.
func (m *Model) protection() []string {
	var lines []string
	for _, part := range [][]string{m.keys(), m.ladder(), m.breakers(), m.rules()} {
		if len(part) > 0 && len(lines) > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, part...)
	}
	return lines
}

func (m *Model) keys() []string {
	var rows []row
	for _, k := range m.picture.Quota.Keys {
		what, p := "", good
		if k.State != "ok" {
			what, p = m.words.t("block."+k.Block)+", "+m.until(k), stopped
		}
		rows = append(rows, row{cells: []cell{
			{text: k.Name}, {text: m.words.t("key." + k.State), paint: p}, {text: what}, {text: k.Organization},
		}})
	}
	if rows == nil {
		return nil
	}
	return m.table(m.width, []column{
		{title: m.words.t("col.key")}, {title: m.words.t("col.state")},
		{title: m.words.t("col.what"), rank: 1, most: 60}, {title: m.words.t("col.organization"), rank: 2, most: 36},
	}, rows)
}

func (m *Model) breakers() []string {
	var rows []row
	for _, b := range m.picture.Protection.Breakers {
		p, probe, why := good, none, none
		switch b.State {
		case "open":
			p = stopped
		case "half_open":
			p = attention
		}
		if b.RetryAt != nil {
			probe = m.words.t("breaker.probe", "time", span(max(0, b.RetryAt.Sub(m.picture.At).Seconds())))
		}
		if b.Cause != "" {
			why = m.words.t("cause." + b.Cause)
		}
		rows = append(rows, row{cells: []cell{
			{text: b.Scope}, {text: m.words.t("breaker." + b.State), paint: p}, {text: probe}, {text: why},
			{text: clock(b.Since)}, {text: strconv.FormatUint(b.Opened, 10)}, {text: b.Rule},
		}})
	}
	if rows == nil {
		return nil
	}
	return m.table(m.width, []column{
		{title: m.words.t("col.breaker"), most: 40}, {title: m.words.t("col.state")}, {rank: 1},
		{title: m.words.t("col.why"), rank: 2}, {title: m.words.t("col.since"), rank: 4},
		{title: m.words.t("col.opened"), right: true, rank: 3}, {title: m.words.t("col.rule"), rank: 5},
	}, rows)
}

func (m *Model) rules() []string {
	var rows []row
	for _, r := range m.picture.Protection.Rules {
		rows = append(rows, row{cells: []cell{
			{text: r.Rule}, {text: strconv.FormatUint(r.Refused, 10), paint: bold}, {text: r.Kind}, {text: r.Resource},
		}})
	}
	if rows == nil {
		return nil
	}
	return m.table(m.width, []column{
		{title: m.words.t("col.rule")}, {title: m.words.t("col.refused"), right: true},
		{title: m.words.t("col.kind"), rank: 1}, {title: m.words.t("col.resource"), rank: 2},
	}, rows)
}
