package textsplit

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// lineEnd returns where the line at i ends, behind its mark.
func lineEnd(text string, i int) int {
	if n := strings.IndexByte(text[i:], '\n'); n >= 0 {
		return i + n + 1
	}
	return len(text)
}

func isBlank(line string) bool { return line != "" && line[0] != '\f' && strings.TrimSpace(line) == "" }

// isHeading reports whether a line is a heading of Markdown or HTML.
func isHeading(line string) bool {
	rest := strings.TrimLeft(line, "#")
	if n := len(line) - len(rest); 0 < n && n <= 6 {
		return rest != "" && (rest[0] == ' ' || rest[0] == '\t')
	}
	tag := blockTag(line)
	return len(tag) == 2 && tag[0] == 'h' && tag != "hr"
}

// isUnderline reports whether a line makes a heading of the one before it.
func isUnderline(line string) bool {
	line = strings.TrimRight(line, " \t\r\n")
	return len(line) >= 3 && (strings.Trim(line, "=") == "" || strings.Trim(line, "-") == "")
}

// isItem reports whether an item of a list begins with a line.
func isItem(line string) bool {
	line = strings.TrimLeft(line, " \t")
	rest := strings.TrimLeft(line, "0123456789")
	switch {
	case rest == line:
		rest = strings.TrimLeft(line, "-*+•")
		if len(line)-len(rest) != 1 && !strings.HasPrefix(line, "•") {
			return false
		}
	case len(line)-len(rest) <= 9 && strings.ContainsAny(rest[:min(1, len(rest))], ".)"):
		rest = rest[1:]
	default:
		return false
	}
	return rest != "" && (rest[0] == ' ' || rest[0] == '\t')
}

// closes reports whether a line closes what the lines before it have opened.
func closes(line string) bool {
	line = strings.TrimLeft(line, " \t")
	return line != "" && strings.ContainsRune("})]", rune(line[0])) || strings.HasPrefix(line, "</") || strings.TrimSpace(line) == "end"
}

// isPageNumber reports whether a line has nothing but the number of a page, as
// in the text of a PDF: 12, - 12 -, Page 12 of 30.
func isPageNumber(line string) bool {
	if len(line) > 40 {
		return false
	}
	line = strings.ToLower(strings.Trim(line, "\f \t\r\n-–—|[]"))
	for _, word := range []string{"page", "of", "第", "页", "共", "/"} {
		line = strings.ReplaceAll(line, word, " ")
	}
	digits := strings.Fields(line)
	if len(digits) == 0 || len(digits) > 2 {
		return false
	}
	return strings.Trim(strings.Join(digits, ""), "0123456789") == "" && len(digits[0]) <= 5
}

// hyphenated reports whether a word goes on from one line to the next.
func hyphenated(before, line string) bool {
	start, cut := strings.CutSuffix(strings.TrimRight(before, "\r\n"), "-")
	if !cut {
		return false
	}
	last, _ := utf8.DecodeLastRuneInString(start)
	first, _ := utf8.DecodeRuneInString(line)
	return unicode.IsLetter(last) && unicode.IsLower(first)
}

// ends reports whether a line ends like a sentence, a statement or an element.
func ends(line string) bool {
	line = strings.TrimRight(line, " \t\r\n\"')]*_”’」』）】》")
	r, _ := utf8.DecodeLastRuneInString(line)
	return strings.ContainsRune(".!?:;}>。！？：；…．｡।؟۔።။។།։", r)
}
