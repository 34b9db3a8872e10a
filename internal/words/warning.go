package words

import (
	"cmp"
	"math"
	"strconv"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Warning says what a warning is about and what can be done, in the language
// lang ("en" or "zh").
func (b *Book) Warning(lang string, w call.Warning) Text {
	s := b.speaker(lang)
	blanks := s.warned(w)
	switch w.Kind {
	case call.AccountDown, call.KeyRefused:
		return s.account(w, blanks)
	}
	id := "warning_" + string(w.Kind)
	return Text{Message: s.say(id+".message", blanks), Hint: s.say(id+".hint", blanks)}
}

// Cleared says that what a warning was about is over.
func (b *Book) Cleared(lang string, w call.Warning) string {
	s := b.speaker(lang)
	id := "cleared_quota"
	switch w.Kind {
	case call.AccountDown, call.KeyRefused:
		id = "cleared_account"
	case call.BreakerOpen:
		id = "cleared_breaker"
	case call.BudgetLow:
		id = "cleared_budget"
	}
	return s.say("warning_part."+id, s.warned(w))
}

// Level names how urgent a warning is.
func (b *Book) Level(lang string, l call.WarningLevel) string {
	return b.speaker(lang).say("warning_level."+l.String(), nil)
}

// Over is the word for a warning that has ended, in the place of its level.
func (b *Book) Over(lang string) string { return b.speaker(lang).say("warning_level.cleared", nil) }

// blocks are the causes that have words of their own, shared with refusals.
var blocks = map[string]bool{
	"spend_cap": true, "contract_cap": true, "own_limit": true, "workspace_limit": true,
	"no_credit": true, "disabled": true, "on_hold": true, "bad_key": true,
}

// account tells of a block in the words that a refused caller reads, and whose
// it is.
func (s speaker) account(w call.Warning, blanks map[string]string) Text {
	id := w.Cause
	if !blocks[id] {
		id = call.BadKey.String() // the total answer, as in [call.Verdict.Block]
	}
	blanks["Text"] = s.say(id+".message", blanks)
	return Text{Message: s.say("warning_part.account", blanks), Hint: s.say(id+".hint", blanks)}
}

// warned are the facts that the words of a warning may mention.
func (s speaker) warned(w call.Warning) map[string]string {
	blanks := map[string]string{
		"Account": cmp.Or(w.Key, w.Organization), "Scope": w.Scope,
		"Threshold": s.numbers.Sprint(w.Threshold), "Left": percent(w.Left),
		"Until": s.until(deref(w.Until)), "Meanwhile": s.say("part.meanwhile", nil),
		"Soon": "", "Renewal": "", "Limiter": "", "Cause": "",
	}
	place := "warning_part.place"
	if w.Workspace != "" {
		place = "warning_part.place_of"
	}
	blanks["Place"] = s.say(place, map[string]string{"Group": w.Group, "Workspace": w.Workspace})
	if w.Limiter != "" {
		blanks["Limiter"] = s.say("limiter."+w.Limiter, nil)
	}
	if w.EmptyIn != nil {
		in := time.Duration(min(*w.EmptyIn, 1e6) * float64(time.Second))
		blanks["Soon"] = s.say("warning_part.soon", map[string]string{"Span": s.span(in)})
	}
	if w.Kind == call.BreakerOpen {
		blanks["Cause"] = s.say("warning_cause."+cmp.Or(w.Cause, "failing"), nil)
	}
	if w.Kind == call.BudgetLow {
		s.budget(w, blanks)
	}
	return blanks
}

func (s speaker) budget(w call.Warning, blanks map[string]string) {
	if w.Tenant != "" {
		blanks["Scope"] = s.say("warning_part.budget_of", map[string]string{"Name": w.Scope, "Tenant": w.Tenant})
	}
	if w.Left != nil {
		spent := 1 - *w.Left
		blanks["Spent"] = percent(&spent)
	}
	if w.Until != nil {
		date := w.Until.UTC().Format(s.say("part.date_layout", nil))
		blanks["Renewal"] = s.say("warning_part.renewal", map[string]string{"Date": date})
	}
}

func deref(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return *at
}

// percent writes a share as whole percents, rounded down.
func percent(share *float64) string {
	if share == nil {
		return "0"
	}
	return strconv.Itoa(int(math.Floor(*share*100 + 1e-9)))
}
