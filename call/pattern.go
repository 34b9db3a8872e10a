package call

import (
	"path"
	"slices"
	"strings"
)

// Fits reports whether one of the patterns fits a name. In a pattern * stands for
// anything, ? for one character and [a-c] for one of several; what is no pattern
// fits nothing.
func Fits(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return fits(p, name) })
}

func fits(pattern, name string) bool {
	ok, err := path.Match(plain(pattern), plain(name))
	return ok && err == nil
}

// plain hides the slashes, at which a * would end: names are no paths.
func plain(text string) string { return strings.ReplaceAll(text, "/", "\x00") }

// IsPattern reports whether a pattern fits anything at all.
func IsPattern(pattern string) bool {
	_, err := path.Match(pattern, "")
	return err == nil && pattern != ""
}
