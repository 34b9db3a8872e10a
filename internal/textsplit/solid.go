package textsplit

import (
	"slices"
	"strings"
)

// solid is a stretch of whole lines that is not cut if it can be helped: a
// fenced block of code, with its fences, a table or the front matter of
// Markdown, and code in HTML.
type solid struct{ from, to int }

// solids lists those of text. A block that is never closed is none: in a text
// that is no Markdown it would swallow all that follows.
func solids(text string) (list []solid) {
	at := frontMatter(text)
	if at > 0 {
		list = append(list, solid{0, at})
	}
	unclosed := map[string]bool{} // marks whose end need not be looked for again
	for at < len(text) {
		end := 0
		switch mark := opening(text[at:lineEnd(text, at)]); {
		case mark == "|":
			end = tableEnd(text, at)
		case mark != "" && !unclosed[mark]:
			end = blockEnd(text, at, mark)
			unclosed[mark] = end == 0
		}
		if end > 0 {
			list = append(list, solid{at, end})
		}
		at = max(end, lineEnd(text, at))
	}
	return list
}

// maxFrontMatter bounds the lines at the beginning of a text that say what it is.
const maxFrontMatter = 4 << 10

// frontMatter is where the front matter of a text ends; 0: it has none.
func frontMatter(text string) int {
	if line := text[:lineEnd(text, 0)]; strings.TrimRight(line, "\r\n") != "---" {
		return 0
	}
	for at := lineEnd(text, 0); at < min(len(text), maxFrontMatter); {
		next := lineEnd(text, at)
		if line := strings.TrimRight(text[at:next], "\r\n"); line == "---" || line == "..." {
			return next
		}
		at = next
	}
	return 0
}

// inner is a line without what Markdown may put before a block.
func inner(line string) string { return strings.TrimLeft(line, " \t>") }

// opening returns the mark of the block that a line opens, or "": its fence, |
// of a table, or what closes an element or a comment of HTML.
func opening(line string) string {
	line = inner(line)
	switch {
	case line == "":
	case line[0] == '|':
		return "|"
	case strings.HasPrefix(line, "<!--"):
		return "-->"
	case line[0] == '<':
		switch name := tagName(line[1:]); name {
		case "pre", "script", "style":
			return "</" + name
		}
	}
	return fenceMark(line)
}

// tableEnd is where the table ends that begins at a line.
func tableEnd(text string, at int) int {
	for at < len(text) && strings.HasPrefix(inner(text[at:lineEnd(text, at)]), "|") {
		at = lineEnd(text, at)
	}
	return at
}

// blockEnd is where the block with a mark ends that begins at a line, behind the
// line that closes it; 0: nowhere.
func blockEnd(text string, at int, mark string) int {
	if mark[0] == '<' || mark[0] == '-' {
		if n := strings.Index(text[at:], mark); n >= 0 {
			return lineEnd(text, at+n)
		}
		return 0
	}
	for at = lineEnd(text, at); at < len(text); {
		next := lineEnd(text, at)
		line := inner(text[at:next])
		if m := fenceMark(line); strings.HasPrefix(m, mark) && strings.TrimSpace(line[len(m):]) == "" {
			return next
		}
		at = next
	}
	return 0
}

// maxFence bounds the marks of a fence.
const maxFence = 16

// fenceMark returns the three or more marks that a line begins with, or "".
func fenceMark(line string) string {
	if !strings.HasPrefix(line, "```") && !strings.HasPrefix(line, "~~~") {
		return ""
	}
	mark := line[:len(line)-len(strings.TrimLeft(line, line[:1]))]
	if len(mark) > maxFence {
		return ""
	}
	return mark
}

// solidAt returns the block around i, or behind which i is not.
func (s *splitter) solidAt(i int) (b solid, inside bool) {
	n, _ := slices.BinarySearchFunc(s.solids, i, func(b solid, i int) int {
		if b.to <= i {
			return -1
		}
		return 1
	})
	if n == len(s.solids) || s.solids[n].from >= i {
		return solid{}, false
	}
	return s.solids[n], true
}
