package top

import (
	"strings"

	"charm.land/lipgloss/v2"
)

// column is one of a table. Those of rank 0 are always shown, the others in the
// order of their ranks as far as there is room; a column of bars takes what is
// left over.
type column struct {
	title string
	rank  int
	right bool
	most  int // widest that it may be; 0: 24
}

// cell is a text with its paint, or a bar that fills its column.
type cell struct {
	text  string
	bar   *gauge
	paint paint
}

// row is a line of cells, or a heading over those below it.
type row struct {
	heading string
	cells   []cell
}

const (
	gap      = 2
	mostWide = 24
	barLeast = 8
	barMost  = 32
)

// table lays rows out in width columns of the terminal. No line is wider.
func (m *Model) table(width int, cols []column, rows []row) []string {
	widths, shown := fit(width, cols, rows)
	var out []string
	titles := make([]cell, len(cols))
	for i, c := range cols {
		titles[i] = cell{text: c.title, paint: dim}
	}
	out = append(out, m.line(titles, cols, widths, shown))
	for _, r := range rows {
		if r.heading != "" {
			out = append(out, m.paint(bold, cut(r.heading, width)))
			continue
		}
		out = append(out, m.line(r.cells, cols, widths, shown))
	}
	return out
}

// fit decides which columns are shown, and how wide.
func fit(width int, cols []column, rows []row) (widths []int, shown []bool) {
	widths, shown = make([]int, len(cols)), make([]bool, len(cols))
	grows := -1
	for i, c := range cols {
		widths[i] = lipgloss.Width(c.title)
		for _, r := range rows {
			if i >= len(r.cells) {
				continue
			}
			if r.cells[i].bar != nil {
				grows, widths[i] = i, max(widths[i], barLeast)
			}
			widths[i] = max(widths[i], lipgloss.Width(r.cells[i].text))
		}
		most := c.most
		if most == 0 {
			most = mostWide
		}
		widths[i] = min(widths[i], most)
	}
	widths[0] = max(1, widths[0]-max(0, total(widths, least(cols))-width)) // the first column gives way
	copy(shown, least(cols))
	for rank := 1; rank <= len(cols); rank++ {
		for i, c := range cols {
			if shown[i] = shown[i] || c.rank == rank; c.rank == rank && total(widths, shown) > width {
				shown[i] = false
			}
		}
	}
	if grows >= 0 && shown[grows] {
		widths[grows] = min(barMost, widths[grows]+width-total(widths, shown))
	}
	return widths, shown
}

// least are the columns that are always shown.
func least(cols []column) []bool {
	out := make([]bool, len(cols))
	for i, c := range cols {
		out[i] = c.rank == 0
	}
	return out
}

func total(widths []int, shown []bool) int {
	sum := -gap
	for i, w := range widths {
		if shown[i] {
			sum += w + gap
		}
	}
	return sum
}

// line writes one row.
func (m *Model) line(cells []cell, cols []column, widths []int, shown []bool) string {
	var b strings.Builder
	first := true
	for i, c := range cells {
		if !shown[i] {
			continue
		}
		if !first {
			b.WriteString(strings.Repeat(" ", gap))
		}
		first = false
		if c.bar != nil {
			b.WriteString(m.bar(*c.bar, widths[i], c.paint))
			continue
		}
		text := cut(c.text, widths[i])
		pad := strings.Repeat(" ", max(0, widths[i]-lipgloss.Width(text)))
		if cols[i].right {
			b.WriteString(pad + m.paint(c.paint, text))
		} else {
			b.WriteString(m.paint(c.paint, text) + pad)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// cut shortens a text to at most width columns.
func cut(s string, width int) string {
	s = plain(s)
	if lipgloss.Width(s) <= width {
		return s
	}
	if width <= 1 {
		return strings.Repeat("…", max(width, 0))
	}
	return lipgloss.NewStyle().Inline(true).MaxWidth(width-1).Render(s) + "…"
}

// fold breaks a text into lines of at most width columns, at most so many.
func fold(s string, width, lines int) []string {
	all := strings.Split(lipgloss.Wrap(plain(s), width, ""), "\n")
	if len(all) > lines {
		rest := strings.Join(all[lines-1:], " ")
		all = append(all[:lines-1:lines-1], cut(rest, width))
	}
	for i := range all {
		all[i] = cut(strings.TrimRight(all[i], " "), width)
	}
	return all
}

// gauge is a level as shares of its limit: certainly low, perhaps high.
type gauge struct{ low, high float64 }

// bar draws a gauge. What is certain and what may be differ in shape.
func (m *Model) bar(g gauge, width int, p paint) string {
	share := func(x float64) int { return int(min(max(x, 0), 1)*float64(width) + 0.5) }
	low, high := share(g.low), share(g.high)
	high = max(high, low)
	return m.paint(p, strings.Repeat("█", low)+strings.Repeat("▒", high-low)) +
		m.paint(dim, strings.Repeat("·", width-high))
}
