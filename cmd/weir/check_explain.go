package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/condition"
	"github.com/weir-gateway/weir/internal/config"
	"github.com/weir-gateway/weir/weir"
)

// calm are the signals of a gateway that has nothing to worry about.
func calm(now time.Time) call.Signals {
	return call.Signals{Headroom: 1, Input: 1, Output: 1, Requests: 1, Breaker: "closed", Class: call.Normal, Now: now}
}

// signalsOf reads what --with says, such as headroom=0.1,class=batch.
func signalsOf(with []string, now time.Time) (call.Signals, error) {
	s := calm(now)
	var errs []error
	tight := false
	for _, each := range with {
		name, value, _ := strings.Cut(each, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if err := setSignal(&s, name, value); err != nil {
			errs = append(errs, fmt.Errorf("--with %s: %w", each, err))
		}
		tight = tight || name == "headroom"
	}
	if !tight {
		s.Headroom = min(s.Input, s.Output, s.Requests)
	}
	return s, errors.Join(errs...)
}

// signalForms are how signals are written; all others are shares.
var signalForms = map[string]string{
	"queue_wait": "a span of time such as 8s", "waiting": "a whole number", "now": "a time such as 2026-11-25T03:00:00Z",
	"class": "interactive, normal or batch", "breaker": "closed, half_open or open",
}

func setSignal(s *call.Signals, name, value string) (err error) {
	ok := true
	switch name {
	case "headroom", "input", "output", "requests", "budget":
		share := map[string]*float64{"headroom": &s.Headroom, "input": &s.Input, "output": &s.Output, "requests": &s.Requests, "budget": &s.Budget}[name]
		*share, err = strconv.ParseFloat(value, 64)
	case "queue_wait":
		s.QueueWait, err = time.ParseDuration(value)
	case "waiting":
		s.Waiting, err = strconv.Atoi(value)
	case "now":
		s.Now, err = time.Parse(time.RFC3339, value)
	case "class":
		s.Class, ok = call.ParseClass(value)
	case "breaker":
		s.Breaker, ok = value, slices.Contains([]string{"closed", "half_open", "open"}, value)
	case "tenant":
		s.Tenant = value
	case "model":
		s.Model = value
	default:
		return fmt.Errorf("want one of %s", strings.Join(condition.Variables(), ", "))
	}
	if err != nil || !ok {
		return fmt.Errorf("want %s", cmp.Or(signalForms[name], "a number such as 0.1"))
	}
	return nil
}

// explainedRung is a rung as weir check --explain --json prints it.
type explainedRung struct {
	Rung    string   `json:"rung"`
	Does    string   `json:"does"`
	Verdict string   `json:"verdict"`
	Enter   string   `json:"enter"`
	Enters  bool     `json:"enter_holds"`
	Leave   string   `json:"leave,omitempty"`
	Leaves  bool     `json:"leave_holds"`
	Values  string   `json:"values"`
	Fault   string   `json:"fault,omitempty"`
	Dwell   float64  `json:"dwell_s"`
	Classes []string `json:"classes,omitempty"`
	Tenants []string `json:"tenants,omitempty"`
}

// explainedLadder is what weir check --explain --json prints.
type explainedLadder struct {
	DryRun  bool                `json:"dry_run"`
	Protect map[string][]string `json:"protect"`
	Rungs   []explainedRung     `json:"rungs"`
}

// explain prints what each rung of the ladder makes of a call that finds the
// signals of --with.
func explain(e env, c config.Config, f checkFlags) error {
	s, err := signalsOf(f.with, time.Now())
	if err != nil {
		return usageError{err}
	}
	plan, p := ladderOf(c), c.Degrade.Protect
	out := explainedLadder{DryRun: plan.DryRun, Protect: map[string][]string{}, Rungs: []explainedRung{}}
	for name, list := range map[string][]string{"models": p.Models, "tenants": p.Tenants, "clients": p.Clients, "classes": p.Classes} {
		if list != nil {
			out.Protect[name] = list
		}
	}
	for i, each := range plan.Explain(s) {
		r := explainRung(each, c.Degrade.Ladder[i])
		if chain := c.Degrade.Fallback[s.Model]; each.Rung.Do.Kind == call.RungModel && s.Model != "" {
			r.Does += ": " + cmp.Or(strings.Join(chain, ", "), "it has none")
		}
		out.Rungs = append(out.Rungs, r)
	}
	if f.asJSON {
		return printJSON(e.stdout, out)
	}
	return out.print(e.stdout)
}

func explainRung(x weir.Explanation, r config.Rung) explainedRung {
	out := explainedRung{
		Rung: r.Rung, Does: does(x.Rung.Do), Verdict: string(x.Verdict), Enter: r.Enter, Enters: x.Enter, Leave: r.Leave, Leaves: x.Leave,
		Values: x.Values, Dwell: x.Rung.DwellTime().Seconds(), Classes: r.Classes, Tenants: r.Tenants,
	}
	if x.Err != nil {
		out.Fault = x.Err.Error()
	}
	return out
}

// does says what a rung does, in words.
func does(r call.Rung) string {
	switch r.Kind {
	case call.RungEffort:
		return "effort " + r.Effort + " at most"
	case call.RungThinking:
		if r.Thinking > 0 {
			return fmt.Sprintf("%d tokens to think with at most", r.Thinking)
		}
		return "no thinking"
	case call.RungMaxTokens:
		return fmt.Sprintf("max_tokens %d at most", r.MaxTokens)
	case call.RungTrim:
		return fmt.Sprintf("the first turn of the user and the last %d", r.Turns)
	case call.RungImages:
		if r.Bytes > 0 {
			return fmt.Sprintf("no images of more than %d bytes", r.Bytes)
		}
		return "no images"
	case call.RungModel:
		return "the next model of its chain"
	case call.RungCached:
		return "an answer of the cache, however old"
	case call.RungBatches:
		return "a Message Batch, if the caller waits for an hour"
	}
	return "429 refused_by_rule"
}

// verdicts are the words for what becomes of a rung.
var verdicts = map[weir.RungVerdict]string{
	weir.RungEnters: "in force", weir.RungLeaves: "not in force", weir.RungStays: "stays as it is",
	weir.RungElsewhere: "not for such calls", weir.RungProtected: "protected: left alone",
}

func (l explainedLadder) print(w io.Writer) error {
	var b strings.Builder
	if len(l.Rungs) == 0 {
		b.WriteString("no rungs: degrade.ladder is empty\n")
	}
	if l.DryRun {
		b.WriteString("dry run: nothing is made simpler, it is only counted\n")
	}
	for i, r := range l.Rungs {
		fmt.Fprintf(&b, "%d. %s: %s\n   %s\n", i+1, r.Rung, r.Does, verdicts[weir.RungVerdict(r.Verdict)])
		if r.Fault != "" {
			fmt.Fprintf(&b, "   fault   %s\n", r.Fault)
		}
		fmt.Fprintf(&b, "   enter   %-5t  %s\n", r.Enters, r.Enter)
		if r.Leave != "" {
			fmt.Fprintf(&b, "   leave   %-5t  %s\n", r.Leaves, r.Leave)
		}
		fmt.Fprintf(&b, "   with    %s\n   dwell   %gs\n", cmp.Or(r.Values, "nothing"), r.Dwell)
		for _, only := range []struct {
			name string
			list []string
		}{{"classes", r.Classes}, {"tenants", r.Tenants}} {
			if only.list != nil {
				fmt.Fprintf(&b, "   %s %s\n", only.name, strings.Join(only.list, ", "))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.Protect)) {
		fmt.Fprintf(&b, "protected %s: %s\n", name, strings.Join(l.Protect[name], ", "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
