package top

import (
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
)

// View implements [tea.Model].
func (m *Model) View() tea.View {
	v := tea.NewView(strings.Join(m.screen(), "\n"))
	v.AltScreen = true
	v.WindowTitle = "weir top"
	return v
}

// screen is what is to be seen: never more lines than the terminal has, nor
// wider ones.
func (m *Model) screen() []string {
	if m.width < 1 || m.height < 1 {
		return nil
	}
	lines := m.head()
	body := m.body()
	room := m.room()
	from := min(m.offset, max(0, len(body)-room))
	to := min(from+room, len(body))
	lines = append(lines, body[from:to]...)
	for range room - (to - from) {
		lines = append(lines, "")
	}
	lines = append(lines, m.foot(from, to, len(body)))
	if len(lines) > m.height {
		lines = lines[:m.height]
	}
	for i, line := range lines {
		if lipgloss.Width(line) > m.width { // narrower than what must be seen of a table
			lines[i] = lipgloss.NewStyle().MaxWidth(m.width).Render(line)
		}
	}
	return lines
}

// room is how many lines of the body there is room for.
func (m *Model) room() int { return max(1, m.height-len(m.head())-1) }

// head is the state of the gateway and of the connection, what people must
// know, and the tabs.
func (m *Model) head() []string {
	lines := []string{m.banner()}
	if m.link == lost {
		lines = append(lines, m.paint(stopped, cut("✖ "+m.words.t("link.lost", "time", clock(m.since)), m.width)))
		if m.height >= 14 {
			lines = append(lines, m.paint(dim, cut(m.words.t("link.lost.hint", "url", m.url), m.width)))
		}
	}
	if m.picture != nil {
		lines = append(lines, m.alerts(m.width, max(1, m.height/6))...)
	}
	return append(lines, m.tabs())
}

// banner is the first line: what is shown, its state, and whether it is live.
func (m *Model) banner() string {
	status, p := m.words.t("link.connecting", "url", m.url), dim
	switch {
	case m.link == lost:
		status = "✖"
		if m.picture != nil {
			status += " " + clock(m.picture.At) // of what is still shown
		}
	case m.paused:
		status, p = "‖ "+m.words.t("link.paused"), attention
	case m.link == live:
		status = "● " + m.words.t("link.live")
		if m.picture != nil {
			status += " " + clock(m.picture.At)
		}
	}
	if m.picture == nil {
		return m.ends(m.words.t("title"), bold, status, p)
	}
	state := m.picture.state()
	sign, sp := signOf(state)
	return m.ends(m.words.t("title")+"  "+sign+" "+m.words.t("state."+state), sp, status, p)
}

// signOf is the symbol and the paint of a state.
func signOf(state string) (string, paint) {
	switch state {
	case "ok":
		return "●", good
	case "tight", "exhausted", "partly":
		return "▲", attention
	case "blocked", "failing":
		return "✖", stopped
	}
	return "○", bold
}

// ends puts one text at the left end of a line and one at the right. Where
// there is not enough room for both, a short one at the right is kept whole.
func (m *Model) ends(left string, lp paint, right string, rp paint) string {
	wide := lipgloss.Width(right)
	if wide > m.width/3 {
		wide = 0
	}
	left = cut(left, m.width-wide-gap)
	rest := m.width - lipgloss.Width(left) - gap
	if rest < 4 || right == "" {
		return m.paint(lp, left)
	}
	right = cut(right, rest)
	return m.paint(lp, left) + strings.Repeat(" ", m.width-lipgloss.Width(left)-lipgloss.Width(right)) + m.paint(rp, right)
}

// tabs names the sections. The present one stands in brackets.
func (m *Model) tabs() string {
	var parts []string
	used := 0
	for i, name := range tabNames {
		text, p := " "+m.words.t("tab."+name)+" ", dim
		if m.width >= 60 {
			text = " " + strconv.Itoa(i+1) + text
		}
		if i == m.tab && !m.help {
			text, p = "["+strings.TrimSpace(text)+"]", chosen
		}
		if i == numTabs-1 {
			text = strings.TrimRight(text, " ")
		}
		if used += lipgloss.Width(text); used > m.width {
			return m.paint(chosen, cut("["+m.words.t("tab."+tabNames[m.tab])+"]", m.width))
		}
		parts = append(parts, m.paint(p, text))
	}
	return strings.Join(parts, "")
}

// foot tells the keys, and which part of a long body is seen.
func (m *Model) foot(from, to, n int) string {
	help := m.words.t("keys")
	if lipgloss.Width(help) > m.width {
		help = m.words.t("keys.short")
	}
	part := ""
	if n > to-from {
		part = m.words.t("more", "from", strconv.Itoa(from+1), "to", strconv.Itoa(to), "n", strconv.Itoa(n))
		if lipgloss.Width(help)+gap+lipgloss.Width(part) > m.width {
			part = "↑↓ " + strconv.Itoa(to) + "/" + strconv.Itoa(n)
		}
	}
	return m.ends(help, dim, part, dim)
}

// body is the present section, or the help.
func (m *Model) body() []string {
	if m.help {
		var lines []string
		for line := range strings.SplitSeq(m.words.t("help"), "\n") {
			lines = append(lines, cut(line, m.width))
		}
		return lines
	}
	if m.picture == nil {
		return nil
	}
	switch m.tab {
	case tabQuota:
		return m.quota()
	case tabQueue:
		return m.queue(20)
	case tabRequests:
		return m.requests(len(m.picture.Requests))
	case tabProtection:
		if part := m.protection(); part != nil {
			return part
		}
		return []string{cut(m.words.t("protection.none"), m.width)}
	}
	return m.all()
}

// all is every section, each under its name.
func (m *Model) all() []string {
	lines := m.tiles()
	section := func(tab int, part []string) {
		lines = append(lines, "", m.paint(bold, cut("── "+m.words.t("tab."+tabNames[tab])+" ──", m.width)))
		lines = append(lines, part...)
	}
	section(tabQuota, m.quota())
	section(tabQueue, m.queue(5))
	if part := m.protection(); part != nil {
		section(tabProtection, part)
	}
	section(tabRequests, m.requests(10))
	return lines
}

// whole is everything on one page, for a file or a pipe.
func (m *Model) whole() []string {
	lines := append([]string{m.banner()}, m.alerts(m.width, 30)...)
	return append(lines, m.all()...)
}
