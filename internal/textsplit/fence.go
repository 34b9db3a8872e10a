package textsplit

import (
	"slices"
	"strings"
)

// fence is a block of code that Markdown fences in, with its fences.
type fence struct{ from, to int }

// fences lists the fenced blocks of text. One that is never closed is none: in
// a text that is no Markdown it would swallow all that follows.
func fences(text string) []fence {
	var (
		list  []fence
		mark  string // that opened a block; "": outside
		began int
	)
	for at := 0; at < len(text); {
		next := lineEnd(text, at)
		line := strings.TrimLeft(text[at:next], " \t>")
		switch m := fenceMark(line); {
		case m == "":
		case mark == "":
			mark, began = m, at
		case m[0] == mark[0] && len(m) >= len(mark) && strings.TrimSpace(line[len(m):]) == "":
			list = append(list, fence{began, next})
			mark = ""
		}
		at = next
	}
	return list
}

// fenceMark returns the three or more marks that a line begins with, or "".
func fenceMark(line string) string {
	if !strings.HasPrefix(line, "```") && !strings.HasPrefix(line, "~~~") {
		return ""
	}
	return line[:len(line)-len(strings.TrimLeft(line, line[:1]))]
}

// fenceAt returns the fenced block around i, or behind which i is not.
func (s *splitter) fenceAt(i int) (f fence, inside bool) {
	n, _ := slices.BinarySearchFunc(s.fences, i, func(f fence, i int) int {
		if f.to <= i {
			return -1
		}
		return 1
	})
	if n == len(s.fences) || s.fences[n].from >= i {
		return fence{}, false
	}
	return s.fences[n], true
}

// lineEnd returns where the line at i ends, behind its mark.
func lineEnd(text string, i int) int {
	if n := strings.IndexByte(text[i:], '\n'); n >= 0 {
		return i + n + 1
	}
	return len(text)
}
