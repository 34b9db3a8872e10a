package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/condition"
	"github.com/weir-gateway/weir/internal/schema"
)

// Degrade says what may be made simpler when it must.
type Degrade struct {
	Fallback map[string][]string `yaml:"fallback,omitempty" jsonschema:"description=for a model: those that may answer in its place while it is overloaded or fails; in order"`
	Ladder   []Rung              `yaml:"ladder,omitempty" jsonschema:"description=what is made simpler while a condition holds; a call takes every rung that is in force for it; in order"`
	DryRun   bool                `yaml:"dry_run,omitempty" jsonschema:"description=only count what the ladder would do"`
	Protect  Protect             `yaml:"protect,omitempty" jsonschema:"description=what the ladder leaves alone"`
}

// Rung is one way in which calls are made simpler, and when.
type Rung struct {
	Rung  string          `yaml:"rung" jsonschema:"required,enum=effort,enum=thinking,enum=max_tokens,enum=trim,enum=images,enum=fallback,enum=cached,enum=batches,enum=refuse,description=what is made simpler"`
	Enter string          `yaml:"enter" jsonschema:"required,minLength=1,description=condition in CEL from which on it is in force such as headroom < 0.2"`
	Leave string          `yaml:"leave,omitempty" jsonschema:"description=condition from which on it no longer is; default: enter does not hold"`
	Dwell schema.Duration `yaml:"dwell,omitempty" jsonschema:"description=how long it is in force or not at least; default 30s"`

	Classes []string `yaml:"classes,omitempty" jsonschema:"description=whose calls; default: all of them and for refuse those of class batch,enum=interactive,enum=normal,enum=batch"`
	Tenants []string `yaml:"tenants,omitempty" jsonschema:"description=whose calls; * stands for anything; default: all"`

	Effort    string `yaml:"effort,omitempty" jsonschema:"enum=low,enum=medium,enum=high,enum=xhigh,description=of rung effort: at most this"`
	Thinking  int64  `yaml:"thinking,omitempty" jsonschema:"minimum=1024,description=of rung thinking: tokens to think with; default: no thinking"`
	MaxTokens int64  `yaml:"max_tokens,omitempty" jsonschema:"minimum=1,description=of rung max_tokens: at most this"`
	Turns     int    `yaml:"turns,omitempty" jsonschema:"minimum=1,description=of rung trim: turns of the user that are kept besides the first; default 10"`
	Bytes     int    `yaml:"bytes,omitempty" jsonschema:"minimum=1,description=of rung images: larger ones in base64 are left out; default: all"`
}

// Protect lists what the ladder leaves alone.
type Protect struct {
	Models  []string `yaml:"models,omitempty" jsonschema:"description=calls of these models; * stands for anything"`
	Tenants []string `yaml:"tenants,omitempty" jsonschema:"description=calls of these tenants; * stands for anything"`
	Clients []string `yaml:"clients,omitempty" jsonschema:"description=calls with the tokens of these clients; * stands for anything"`
	Classes []string `yaml:"classes,omitempty" jsonschema:"enum=interactive,enum=normal,enum=batch,description=calls of these classes"`
}

const conditionHint = "write CEL over these: %s; such as headroom < 0.2, or queue_wait > duration(\"5s\")"

// validateDegrade looks at the chains and at every rung: its conditions are
// checked for their types.
func (c *Config) validateDegrade(add func(path, message, hint string)) {
	d := &c.Degrade
	for model, chain := range d.Fallback {
		if len(chain) == 0 || slices.Contains(chain, model) || slices.Contains(chain, "") {
			add("degrade.fallback."+model, "names no other model, or the model itself", "list the models that may answer in its place")
		}
	}
	for i, r := range d.Ladder {
		at := fmt.Sprintf("degrade.ladder[%d]", i)
		compiles(at+".enter", r.Enter, add)
		if r.Leave != "" {
			compiles(at+".leave", r.Leave, add)
		}
		r.validate(at, add)
		if r.Rung == string(call.RungModel) && len(d.Fallback) == 0 {
			add(at, "there is no other model that calls could move to", "name some under degrade.fallback")
		}
		if r.Rung == string(call.RungCached) && c.Cache == nil {
			add(at, "there are no answers that could be given again", "add cache")
		}
		if r.Rung == string(call.RungBatches) && !c.Queue.Batches.Collect {
			add(at, "no calls are answered by batches", "set queue.batches.collect")
		}
		patterns(at+".tenants", r.Tenants, add)
		classes(at+".classes", r.Classes, add)
	}
	for i, cl := range c.Clients {
		patterns(fmt.Sprintf("clients[%d].models", i), cl.Models, add)
	}
	for name, t := range c.Tenants {
		patterns("tenants."+name+".models", t.Models, add)
	}
	p := d.Protect
	patterns("degrade.protect.models", p.Models, add)
	patterns("degrade.protect.tenants", p.Tenants, add)
	patterns("degrade.protect.clients", p.Clients, add)
	classes("degrade.protect.classes", p.Classes, add)
}

func compiles(at, text string, add func(path, message, hint string)) {
	if _, err := condition.Compile(text); err != nil {
		add(at, fmt.Sprintf("%q is no condition: %v", text, err), fmt.Sprintf(conditionHint, strings.Join(condition.Variables(), ", ")))
	}
}

// validate looks at the numbers of a rung.
func (r *Rung) validate(at string, add func(path, message, hint string)) {
	for _, n := range []struct {
		name, of string
		given    bool
	}{
		{"effort", string(call.RungEffort), r.Effort != ""}, {"thinking", string(call.RungThinking), r.Thinking != 0},
		{"max_tokens", string(call.RungMaxTokens), r.MaxTokens != 0}, {"turns", string(call.RungTrim), r.Turns != 0},
		{"bytes", string(call.RungImages), r.Bytes != 0},
	} {
		if n.given && n.of != r.Rung {
			add(at+"."+n.name, "rung "+r.Rung+" has no use for it", "leave it out")
		}
	}
	switch {
	case r.Rung == string(call.RungEffort) && r.Effort == "":
		add(at+".effort", "nobody knows how low", "write low, medium, high or xhigh")
	case r.Rung == string(call.RungMaxTokens) && r.MaxTokens == 0:
		add(at+".max_tokens", "nobody knows how low", "write a number of tokens such as 1024")
	case r.Rung == string(call.RungRefuse) && slices.Contains(r.Classes, call.Interactive.String()):
		add(at+".classes", "interactive calls are not refused", "name normal, batch or both")
	}
}

func patterns(at string, list []string, add func(path, message, hint string)) {
	for i, p := range list {
		if !call.IsPattern(p) {
			add(fmt.Sprintf("%s[%d]", at, i), fmt.Sprintf("%q is no pattern", p), "write a name, with * for anything")
		}
	}
}

func classes(at string, list []string, add func(path, message, hint string)) {
	for i, name := range list {
		if _, ok := call.ParseClass(name); !ok {
			add(fmt.Sprintf("%s[%d]", at, i), fmt.Sprintf("%q is no class", name), "write interactive, normal or batch")
		}
	}
}
