package top

import (
	"strconv"
	"strings"
)

// ladder shows the rungs of the degradation ladder that are in force, or would
// be were it no dry run.
func (m *Model) ladder() []string {
	state, p := "ladder.on", attention
	if m.picture.Degradation.DryRun {
		state, p = "ladder.would", dim
	}
	var rows []row
	for _, r := range m.picture.Degradation.Rungs {
		for i, in := range r.InForce {
			who := strings.Trim(in.Class+" "+in.Tenant, " ")
			if i == len(r.InForce)-1 && r.Places > len(r.InForce) {
				who += " +" + strconv.Itoa(r.Places-len(r.InForce))
			}
			rows = append(rows, row{cells: []cell{
				{text: m.words.t("rung." + r.Rung)}, {text: m.words.t(state), paint: p}, {text: who}, {text: in.Model}, {text: clock(in.Since)},
				{text: in.Values},
			}})
		}
	}
	if rows == nil {
		return nil
	}
	return m.table(m.width, []column{
		{title: m.words.t("col.rung")}, {title: m.words.t("col.state")}, {title: m.words.t("col.whom"), rank: 1, most: 30},
		{title: m.words.t("col.model"), rank: 3, most: 30}, {title: m.words.t("col.since"), rank: 2}, {title: m.words.t("col.why"), rank: 4},
	}, rows)
}
