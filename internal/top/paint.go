package top

import (
	"strings"

	"charm.land/lipgloss/v2"
)

// paint is how a text is shown. It adds nothing to what the text says.
type paint uint8

const (
	ordinary paint = iota
	bold
	dim
	good
	attention
	stopped
	chosen
)

// The sixteen colours of a terminal's own theme, which its owner can read.
var styles = map[paint]lipgloss.Style{
	bold:      lipgloss.NewStyle().Bold(true),
	dim:       lipgloss.NewStyle().Faint(true),
	good:      lipgloss.NewStyle().Foreground(lipgloss.Green),
	attention: lipgloss.NewStyle().Foreground(lipgloss.Yellow).Bold(true),
	stopped:   lipgloss.NewStyle().Foreground(lipgloss.Red).Bold(true),
	chosen:    lipgloss.NewStyle().Reverse(true).Bold(true),
}

// paint applies p, unless the terminal is to have none.
func (m *Model) paint(p paint, s string) string {
	if m.noColor || p == ordinary || strings.TrimSpace(s) == "" {
		return s
	}
	return styles[p].Inline(true).Render(s)
}
