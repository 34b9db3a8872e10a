package split

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/weir-gateway/weir/call"
)

// reduce asks for one answer in the place of many, in several rounds if they are
// too long for one. Where that leads nowhere, because each is too long to be put
// beside another, the answers stay as they are.
func (j *job) reduce(ctx context.Context, m *merged) (*http.Response, error) {
	for len(m.answers) > 1 {
		groups := j.groups(m.answers)
		units := make([]unit, 0, len(groups))
		for _, g := range groups {
			if len(g) > 1 { // one alone needs no step
				units = append(units, unit{note: reduceNote(j.call.Lang, len(g)), piece: numbered(g)})
			}
		}
		if len(units) == 0 {
			m.give(j.request.format)
			return nil, nil
		}
		answers, failed, err := j.askAll(ctx, units)
		if failed != nil || err != nil {
			return failed, err
		}
		var next []answered
		for _, g := range groups {
			if len(g) == 1 {
				next = append(next, g[0])
				continue
			}
			m.spent = append(m.spent, g...)
			next, answers = append(next, answers[0]...), answers[1:]
		}
		shorter := len(next) < len(m.answers)
		if m.answers = next; !shorter {
			m.give(j.request.format)
			return nil, nil
		}
	}
	return nil, nil
}

// numbered puts answers under each other.
func numbered(list []answered) string {
	var text strings.Builder
	for n, a := range list {
		fmt.Fprintf(&text, "[%d]\n%s\n\n", n+1, a.text)
	}
	return text.String()
}

// groups puts answers that follow each other together as far as a part may
// reach.
func (j *job) groups(list []answered) (groups [][]answered) {
	var sum call.Tokens
	for i, a := range list {
		n := j.cost(a.text)
		if i == 0 || sum+n > j.size {
			groups, sum = append(groups, nil), 0
		}
		sum += n
		last := len(groups) - 1
		groups[last] = append(groups[last], a)
	}
	return groups
}
