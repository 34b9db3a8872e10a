package call

import (
	"regexp"
	"slices"
)

// Limit lets c's caller use no models but those that fit one of the patterns,
// in which * stands for anything; nil: it changes nothing.
func (c *Call) Limit(patterns []string) {
	if patterns != nil {
		c.Models = append(c.Models, patterns)
	}
}

// version is the end of a model's id that names a version of it.
var version = regexp.MustCompile(`-\d{8}$`)

// May reports whether c's caller may use a model. Whoever may use a model may use
// its versions, such as claude-haiku-4-5-20251001; a version that is allowed
// allows no other one, nor the name that may stand for another one tomorrow.
func (c *Call) May(model string) bool {
	unversioned := version.ReplaceAllString(model, "")
	for _, patterns := range c.Models {
		if !Fits(patterns, model) && !Fits(patterns, unversioned) {
			return false
		}
	}
	return true
}

// Allowed lists, for people, the patterns of what c's caller may use.
func (c *Call) Allowed() (list []string) {
	for _, patterns := range c.Models {
		for _, p := range patterns {
			if c.May(p) && !slices.Contains(list, p) {
				list = append(list, p)
			}
		}
	}
	return list
}
