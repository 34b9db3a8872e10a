package words

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/nicksnyder/go-i18n/v2/i18n"
)

// detail recognizes one of the facts that rooms tell in English
// ([call.Refusal.Detail]), by its English message.
type detail struct {
	id      string
	pattern *regexp.Regexp
	fixed   int // bytes of pattern that are no blanks
}

var blank = regexp.MustCompile(`\\\{\\\{\\\.(\w+)\\\}\\\}`) // in a quoted pattern

// detailsOf returns the details of the English file, those first that leave
// least open.
func detailsOf(english *i18n.MessageFile) []detail {
	var all []detail
	for _, m := range english.Messages {
		if strings.HasPrefix(m.ID, "detail.") {
			quoted := regexp.QuoteMeta(m.Other)
			all = append(all, detail{
				id:      m.ID,
				pattern: regexp.MustCompile(`(?s)^` + blank.ReplaceAllString(quoted, `(?P<$1>.+)`) + `$`),
				fixed:   len(blank.ReplaceAllString(quoted, "")),
			})
		}
	}
	slices.SortFunc(all, func(a, b detail) int {
		return cmp.Or(b.fixed-a.fixed, cmp.Compare(a.id, b.id))
	})
	return all
}

// detail translates a fact. One that it does not know stays in English.
func (s speaker) detail(text string) string {
	for _, d := range s.details {
		m := d.pattern.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		blanks := map[string]string{}
		for i, name := range d.pattern.SubexpNames() {
			if i > 0 {
				blanks[name] = s.detail(m[i]) // shorter each time, so that it ends
			}
		}
		return s.say(d.id, blanks)
	}
	return text
}
