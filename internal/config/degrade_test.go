package config_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/config"
)

const wholeLadder = `
data: x
keys: [{name: main, key: env:KEY}]
cache: {}
queue: {batches: {collect: true}}
degrade:
  dry_run: true
  protect: {models: [claude-haiku-*], tenants: [core], clients: [ci], classes: [interactive]}
  fallback: {claude-opus-5: [claude-sonnet-5]}
  ladder:
    - {rung: effort, effort: low, enter: headroom < 0.3, leave: headroom > 0.5, dwell: 1m, classes: [normal, batch], tenants: [demo-*]}
    - {rung: thinking, thinking: 2048, enter: queue_wait > duration("5s")}
    - {rung: max_tokens, max_tokens: 1024, enter: budget > 0.8}
    - {rung: trim, turns: 4, enter: waiting > 100}
    - {rung: images, bytes: 100000, enter: input < 0.2 && output < 0.5 || requests < 1}
    - {rung: fallback, enter: breaker == "open"}
    - {rung: cached, enter: now.getHours("Europe/Berlin") >= 22}
    - {rung: batches, enter: class == "normal"}
    - {rung: refuse, enter: tenant == "x" || model.startsWith("claude-opus"), classes: [normal, batch]}
`

func TestLadder(t *testing.T) {
	c, err := config.Load(write(t, wholeLadder), getenv("KEY=x"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	l := c.Degrade.Ladder
	if len(l) != len(call.RungKinds()) || l[0].Dwell.D() != time.Minute || l[0].Leave != "headroom > 0.5" || !c.Degrade.DryRun || c.Degrade.Protect.Clients[0] != "ci" {
		t.Errorf("got %+v", c.Degrade)
	}
	for i, kind := range call.RungKinds() { // the schema knows all of them
		if l[i].Rung != string(kind) {
			t.Errorf("rung %d is %s, want %s", i, l[i].Rung, kind)
		}
	}
}

// TestLadderFaults: each has its place, says what is wrong and what to do.
func TestLadderFaults(t *testing.T) {
	for name, tt := range map[string]struct{ rung, path, message, hint string }{
		"typo":               {`{rung: trim, enter: headrom < 0.2}`, "degrade.ladder[0].enter", "at character 1: undeclared reference to 'headrom'", "headroom, input, output"},
		"end-of-text":        {`{rung: trim, enter: "headroom <"}`, "degrade.ladder[0].enter", "at character 11: Syntax error", "such as headroom < 0.2"},
		"number-of-duration": {`{rung: trim, enter: queue_wait > 5}`, "degrade.ladder[0].enter", "at character 12: found no matching overload", `duration("5s")`},
		"no-bool":            {`{rung: trim, enter: waiting + 1}`, "degrade.ladder[0].enter", "of type int, not bool", "write CEL"},
		"two-in-one":         {`{rung: trim, enter: headroom < 0.2, leave: a > 1 && b}`, "degrade.ladder[0].leave", "at character 1: undeclared reference to 'a'; at character 10: undeclared reference to 'b'", "write CEL"},
		"second-line":        {"{rung: trim, enter: \"headroom < 0.2 &&\\n nobody\"}", "degrade.ladder[0].enter", "at line 2, character 2", "write CEL"},
		"equal-number":       {`{rung: trim, enter: headroom == 0}`, "degrade.ladder[0].enter", "applied to '(double, int)'", "write CEL"},
		"no-effort":          {`{rung: effort, enter: "true"}`, "degrade.ladder[0].effort", "how low", "low, medium"},
		"no-max-tokens":      {`{rung: max_tokens, enter: "true"}`, "degrade.ladder[0].max_tokens", "how low", "1024"},
		"of-another":         {`{rung: trim, enter: "true", bytes: 7}`, "degrade.ladder[0].bytes", "rung trim has no use for it", "leave it out"},
		"refuse-interactive": {`{rung: refuse, enter: "true", classes: [interactive]}`, "degrade.ladder[0].classes", "not refused", "normal, batch"},
		"no-chain":           {`{rung: fallback, enter: "true"}`, "degrade.ladder[0]", "no other model", "degrade.fallback"},
		"no-cache":           {`{rung: cached, enter: "true"}`, "degrade.ladder[0]", "no answers", "add cache"},
		"no-batches":         {`{rung: batches, enter: "true"}`, "degrade.ladder[0]", "answered by batches", "queue.batches.collect"},
		"tenants":            {`{rung: trim, enter: "true", tenants: ["[a"]}`, "degrade.ladder[0].tenants[0]", "no pattern", "* for anything"},
	} {
		_, err := config.Load(write(t, "degrade: {ladder: ["+tt.rung+"]}"), getenv())
		all, ok := errors.AsType[*config.Faults](err)
		if !ok || len(all.Faults) != 1 {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if f := all.Faults[0]; f.Path != tt.path || !strings.Contains(f.Message, tt.message) || !strings.Contains(f.Hint, tt.hint) {
			t.Errorf("%s: %s: %s (%s)", name, f.Path, f.Message, f.Hint)
		}
	}
}

// TestLadderFaultsAtOnce: whoever writes a ladder reads of all mistakes in it,
// in their order.
func TestLadderFaultsAtOnce(t *testing.T) {
	_, err := config.Load(write(t, `
degrade:
  protect: {models: ["[x"], clients: [""]}
  ladder:
    - {rung: effort, effort: low, enter: headrom < 0.2, leave: headroom + 1}
    - {rung: images, enter: "true", turns: 3}
tenants: {reports: {models: ["[y"]}}
`), getenv())
	all, ok := errors.AsType[*config.Faults](err)
	if !ok {
		t.Fatal(err)
	}
	var got []string
	for _, f := range all.Faults {
		got = append(got, f.Path)
	}
	want := "degrade.protect.models[0] degrade.protect.clients[0] degrade.ladder[0].enter degrade.ladder[0].leave degrade.ladder[1].turns tenants.reports.models[0]"
	if strings.Join(got, " ") != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}
}

// TestLadderSchema: what is not of the form is told by the schema, with lines.
func TestLadderSchema(t *testing.T) {
	_, err := config.Load(write(t, `
degrade:
  ladder:
    - {rung: lift, enter: "true"}
    - {rung: trim}
    - {rung: effort, effort: least, enter: "true", classes: [first]}
    - {rung: thinking, thinking: 12, enter: "true", until: later}
    - {rung: trim, enter: "true", dwell: -1s}
`), getenv())
	if err == nil {
		t.Fatal("it is taken")
	}
	for _, want := range []string{"degrade.ladder[0].rung", "degrade.ladder[1]", "degrade.ladder[2].effort", "degrade.ladder[2].classes", "degrade.ladder[3].thinking", "until", "degrade.ladder[4].dwell"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %s in\n%v", want, err)
		}
	}
}
