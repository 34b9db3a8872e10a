package main

import (
	"cmp"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/condition"
	"github.com/weir-gateway/weir/internal/config"
	"github.com/weir-gateway/weir/weir"
)

// defaultTurns is how many turns of the user rung trim keeps besides the first.
const defaultTurns = 10

// ladderOf translates the degradation ladder; the configuration has been
// checked.
func ladderOf(c config.Config) weir.Ladder {
	d := c.Degrade
	out := weir.Ladder{
		DryRun: d.DryRun, Models: d.Protect.Models, Tenants: d.Protect.Tenants, Clients: d.Protect.Clients,
		Classes: classesOf(d.Protect.Classes),
	}
	for _, r := range d.Ladder {
		rung := weir.Rung{
			Do: call.Rung{
				Kind: call.RungKind(r.Rung), Effort: r.Effort, MaxTokens: call.Tokens(r.MaxTokens),
				Thinking: call.Tokens(r.Thinking), Turns: cmp.Or(r.Turns, defaultTurns), Bytes: r.Bytes,
			},
			Enter: compiled(r.Enter), Dwell: r.Dwell.D(), Classes: classesOf(r.Classes), Tenants: r.Tenants,
		}
		if r.Leave != "" {
			rung.Leave = compiled(r.Leave)
		}
		out.Rungs = append(out.Rungs, rung)
	}
	return out
}

// compiled reads a condition that has been checked; nil if it has not, which
// the gateway refuses.
func compiled(text string) weir.Condition {
	c, err := condition.Compile(text)
	if err != nil {
		return nil
	}
	return c
}

func classesOf(names []string) (list []call.Class) {
	for _, name := range names {
		if class, ok := call.ParseClass(name); ok {
			list = append(list, class)
		}
	}
	return list
}

// modelsOf are the models that tenants may use.
func modelsOf(c config.Config) map[string][]string {
	models := map[string][]string{}
	for name, t := range c.Tenants {
		if t.Models != nil {
			models[name] = t.Models
		}
	}
	return models
}
