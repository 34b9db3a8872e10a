// Package condition reads the conditions of the degradation ladder: expressions in
// CEL over the signals of a call, checked for their types before they are ever
// used. It is apart from the house, which takes conditions as functions, so that
// programs that embed Weir do not carry CEL along.
package condition

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/types"

	"github.com/weir-gateway/weir/call"
)

// Expression is a condition that has been checked. It is immutable and safe for
// concurrent use.
type Expression struct {
	text    string
	program cel.Program
	uses    map[string]bool
}

// maxCost bounds what one evaluation may do: conditions are small, and every
// call may ask for one.
const maxCost = 10_000

// Compile reads a condition. Its error says what is wrong, and what there is.
func Compile(text string) (*Expression, error) {
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("prepare CEL: %w", err)
	}
	ast, issues := env.Compile(text)
	if issues != nil && issues.Err() != nil {
		return nil, errors.New(faults(issues.Errors()))
	}
	if !ast.OutputType().IsExactType(types.BoolType) {
		return nil, fmt.Errorf("it is of type %s, not bool", ast.OutputType())
	}
	program, err := env.Program(ast, cel.CostLimit(maxCost))
	if err != nil {
		return nil, fmt.Errorf("it cannot be evaluated: %w", err)
	}
	c := &Expression{text: text, program: program, uses: map[string]bool{}}
	for _, ref := range ast.NativeRep().ReferenceMap() {
		if ref.Name != "" {
			c.uses[ref.Name] = true
		}
	}
	return c, nil
}

// faults tells of everything that is wrong with a condition, and where.
func faults(list []*common.Error) string {
	parts := make([]string, len(list))
	for i, e := range list {
		at := fmt.Sprintf("character %d", e.Location.Column()+1)
		if e.Location.Line() > 1 {
			at = fmt.Sprintf("line %d, %s", e.Location.Line(), at)
		}
		parts[i] = "at " + at + ": " + strings.TrimSuffix(strings.TrimSpace(e.Message), " (in container '')")
	}
	return strings.Join(parts, "; ")
}

// variables are what a condition may look at.
var variables = []struct {
	name string
	kind *cel.Type
	of   func(*call.Signals) any
}{
	{"headroom", cel.DoubleType, func(s *call.Signals) any { return s.Headroom }},
	{"input", cel.DoubleType, func(s *call.Signals) any { return s.Input }},
	{"output", cel.DoubleType, func(s *call.Signals) any { return s.Output }},
	{"requests", cel.DoubleType, func(s *call.Signals) any { return s.Requests }},
	{"queue_wait", cel.DurationType, func(s *call.Signals) any { return s.QueueWait }},
	{"waiting", cel.IntType, func(s *call.Signals) any { return int64(s.Waiting) }},
	{"budget", cel.DoubleType, func(s *call.Signals) any { return s.Budget }},
	{"breaker", cel.StringType, func(s *call.Signals) any { return s.Breaker }},
	{"now", cel.TimestampType, func(s *call.Signals) any { return s.Now }},
	{"class", cel.StringType, func(s *call.Signals) any { return s.Class.String() }},
	{"tenant", cel.StringType, func(s *call.Signals) any { return s.Tenant }},
	{"model", cel.StringType, func(s *call.Signals) any { return s.Model }},
}

// Variables lists the names that a condition may use.
func Variables() []string {
	names := make([]string, len(variables))
	for i, v := range variables {
		names[i] = v.name
	}
	return names
}

// environment is made once: it takes a while.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	opts := []cel.EnvOption{cel.CrossTypeNumericComparisons(true)}
	for _, v := range variables {
		opts = append(opts, cel.Variable(v.name, v.kind))
	}
	return cel.NewEnv(opts...)
})

// String is the condition as it was written.
func (c *Expression) String() string { return c.text }

// PerTenant reports whether the condition may hold for one tenant and not for
// another.
func (c *Expression) PerTenant() bool { return c.uses["tenant"] || c.uses["budget"] }

var errNoBool = errors.New("it has no answer")

// Holds evaluates the condition.
func (c *Expression) Holds(s call.Signals) (bool, error) {
	in := make(map[string]any, len(c.uses))
	for _, v := range variables {
		if c.uses[v.name] {
			in[v.name] = v.of(&s)
		}
	}
	out, _, err := c.program.Eval(in)
	if err != nil {
		return false, fmt.Errorf("evaluate %q: %w", c.text, err)
	}
	held, ok := out.Value().(bool)
	if !ok {
		return false, errNoBool
	}
	return held, nil
}

// Show lists what the condition looks at, with its values: "headroom = 0.12".
func (c *Expression) Show(s call.Signals) (parts []string) {
	for _, v := range variables {
		if !c.uses[v.name] {
			continue
		}
		value := v.of(&s)
		switch at := value.(type) {
		case time.Time:
			value = at.UTC().Format(time.RFC3339)
		case string:
			value = strconv.Quote(at)
		case float64:
			value = strconv.FormatFloat(at, 'g', 4, 64)
		}
		parts = append(parts, fmt.Sprintf("%s = %v", v.name, value))
	}
	return parts
}
