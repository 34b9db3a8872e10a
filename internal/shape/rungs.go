package shape

import (
	"bytes"
	"slices"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/message"
)

// Rungs is the step that makes a call simpler by those rungs of the ladder that
// are in force for it and edit its body. It must be the first one: the others
// look at what is left. It is safe for concurrent use.
type Rungs struct {
	// Reread measures a body that has been edited. Nil: what was measured stays.
	Reread func(*call.Call) error
}

// edits are the rungs that change the body, each of which returns the body that
// it leaves; the same where there is nothing to do.
var edits = map[call.RungKind]func(c *call.Call, body []byte, r call.Rung) ([]byte, error){
	call.RungEffort:    effort,
	call.RungThinking:  thinking,
	call.RungMaxTokens: maxTokens,
	call.RungTrim:      trim,
	call.RungImages:    images,
}

// Prepare implements [Step]. A body that an edit would break stays as it is.
func (s *Rungs) Prepare(c *call.Call) bool {
	plain := *c
	for _, r := range c.Rungs {
		edit := edits[r.Kind]
		if edit == nil {
			continue
		}
		body, err := edit(c, c.Body, r)
		if err != nil || same(body, c.Body) {
			continue
		}
		was := *c
		c.Body = body
		if s.reread(c) != nil {
			*c = was
			continue
		}
		c.Degrade(r.Kind)
	}
	if len(c.Degraded.Rung) == len(plain.Degraded.Rung) {
		return false
	}
	if c.MaxTokens < plain.MaxTokens {
		c.MaxTokensAsked = plain.MaxTokens
	}
	c.Plain = plain.Body
	return true
}

// same reports whether an edit has returned what it got.
func same(a, b []byte) bool { return len(a) == len(b) && &a[0] == &b[0] }

func (s *Rungs) reread(c *call.Call) error {
	if s.Reread == nil {
		return nil
	}
	return s.Reread(c)
}

// Undo gives a call its own body back that was refused as it had been edited,
// as by a model that knows no effort: better in full than not at all. A call
// whose own body is at fault is refused once more.
func (s *Rungs) Undo(_ time.Time, c *call.Call, _ call.Verdict) bool {
	if c.Plain == nil || s.restore(c, c.Model) != nil {
		return false
	}
	c.Rungs = slices.DeleteFunc(slices.Clone(c.Rungs), func(r call.Rung) bool { return edits[r.Kind] != nil })
	return true
}

// restore makes c a call of a model with the body that it came with, and takes
// the edits out of its mark.
func (s *Rungs) restore(c *call.Call, model string) error {
	body, err := withModel(c.Plain, model)
	if err != nil {
		return err // classify has read the body: it does not happen
	}
	c.Body, c.Plain, c.MaxTokensAsked, c.Prompt = body, nil, 0, call.PromptCaching{}
	if err := s.reread(c); err != nil {
		return err
	}
	was := c.Degraded
	c.Degraded = call.Degradation{}
	for _, done := range was.Rungs() {
		if edits[call.RungKind(done)] == nil {
			c.Degrade(call.RungKind(done))
			c.Degraded.From = was.From
		}
	}
	return nil
}

// efforts are the levels, the lowest first.
var efforts = []string{"low", "medium", "high", "xhigh", "max"}

// defaultEfforts are the levels of requests that name none, by the beginning of
// the model's name; the longest that fits counts. Empty: the model knows no
// effort, and would refuse one (Anthropic docs, effort, October 2026).
var defaultEfforts = map[string]string{
	"claude-instant": "", "claude-2": "", "claude-3": "", "claude-haiku-4": "",
	"claude-sonnet-4": "", "claude-sonnet-4-6": usualEffort,
	"claude-opus-4": "", "claude-opus-4-5": usualEffort, "claude-opus-4-6": usualEffort,
	"claude-opus-4-7": usualEffort, "claude-opus-4-8": usualEffort,
	"claude-opus-5-5": "medium", "claude-haiku-5-5": "medium",
}

// usualEffort is the default of all others.
const usualEffort = "high"

// effort lowers output_config.effort. A model that has none is left alone.
func effort(c *call.Call, body []byte, r call.Rung) ([]byte, error) {
	level := factOf(defaultEfforts, c.Model, usualEffort)
	if level == "" {
		return body, nil
	}
	config, err := message.Get(body, "output_config")
	if err != nil {
		return nil, err
	}
	if len(config) == 0 || config[0] != '{' {
		config = []byte("{}")
	}
	said, err := message.Get(config, "effort")
	if err != nil {
		return nil, err
	}
	if said != nil && string(said) != "null" {
		level = string(bytes.Trim(said, `"`))
	}
	if slices.Index(efforts, level) <= slices.Index(efforts, r.Effort) {
		return body, nil
	}
	if config, err = message.Set(config, "effort", []byte(`"`+r.Effort+`"`)); err != nil {
		return nil, err
	}
	return message.Set(body, "output_config", config)
}

var noThinking = []byte(`{"type":"disabled"}`)

// thinking turns thinking off, or lowers its budget. Adaptive thinking has none:
// it is turned off, or left alone.
func thinking(c *call.Call, body []byte, r call.Rung) ([]byte, error) {
	if !c.Content.Thinking {
		return body, nil
	}
	is, err := message.Get(body, "thinking")
	if err != nil || len(is) == 0 || is[0] != '{' {
		return body, err
	}
	if kind, err := message.Get(is, "type"); err != nil || string(kind) == `"disabled"` {
		return body, err
	}
	if r.Thinking < leastBudget {
		return message.Set(body, "thinking", noThinking)
	}
	if budgetOf(c) <= r.Thinking {
		return body, nil
	}
	if is, err = message.Set(is, "budget_tokens", number(r.Thinking)); err != nil {
		return nil, err
	}
	return message.Set(body, "thinking", is)
}

// maxTokens lowers max_tokens, and the thinking budget below it.
func maxTokens(c *call.Call, body []byte, r call.Rung) ([]byte, error) {
	twin := call.Call{Body: body, MaxTokens: c.MaxTokens, Content: call.Content{Thinking: c.Content.Thinking}}
	if lower(&twin, r.MaxTokens) {
		return twin.Body, nil
	}
	return body, nil
}
