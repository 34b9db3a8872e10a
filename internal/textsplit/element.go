package textsplit

import "strings"

// blockTags are the elements of HTML before which a text is better cut than
// between two sentences.
var blockTags = map[string]bool{
	"address": true, "article": true, "aside": true, "blockquote": true, "body": true, "dd": true, "details": true, "div": true,
	"dl": true, "dt": true, "figure": true, "footer": true, "form": true, "h1": true, "h2": true, "h3": true, "h4": true,
	"h5": true, "h6": true, "header": true, "hr": true, "li": true, "main": true, "nav": true, "ol": true, "p": true, "pre": true,
	"section": true, "table": true, "tbody": true, "tr": true, "ul": true,
}

// blockTag returns the name of the element of HTML that begins a line, if it is
// a block, or "".
func blockTag(line string) string {
	line, open := strings.CutPrefix(strings.TrimLeft(line, " \t"), "<")
	if !open {
		return ""
	}
	if name := tagName(line); blockTags[name] {
		return name
	}
	return ""
}

// tagName is the name that text begins with, in lower case.
func tagName(text string) string {
	n := 0
	for n < len(text) && n < len("blockquote") && isAlphanumeric(text[n]) {
		n++
	}
	return strings.ToLower(text[:n])
}

func isAlphanumeric(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9'
}

// element returns the last beginning of a block of HTML in (low, high], or low.
// What opens around a block stays with it.
func (s *splitter) element(low, high int) int {
	found := low
	for at := high; ; {
		n := strings.LastIndexByte(s.text[low:at], '<')
		if n <= 0 || found > low && s.text[found-1] != '>' {
			return found
		}
		at = low + n
		switch {
		case blockTags[tagName(s.text[at+1:])]:
			found = at
		case found > low:
			return found
		}
	}
}

// maxTag bounds the tags that are not cut.
const maxTag = 1 << 10

// outsideTag returns a place behind low that is not inside a tag: the beginning
// of the one around at, or at itself.
func (s *splitter) outsideTag(low, at int) int {
	from := max(low, at-maxTag)
	n := strings.LastIndexAny(s.text[from:at], "<>")
	if n < 0 || s.text[from+n] == '>' || from+n <= low {
		return at
	}
	next := s.text[from+n+1]
	if next == '/' || next == '!' || isAlphanumeric(next) {
		return from + n
	}
	return at
}
