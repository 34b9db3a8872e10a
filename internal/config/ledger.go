package config

import (
	"fmt"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/schema"
)

// Ledger says where it is written down what calls cost, and by which prices.
type Ledger struct {
	Postgres   Ref             `yaml:"postgres,omitempty" jsonschema:"description=address of a PostgreSQL that several gateways may share: env:NAME or file:PATH of postgres://user:password@host/database; none: a file in the data folder"`
	Retention  schema.Duration `yaml:"retention,omitempty" jsonschema:"description=how long each attempt is kept such as 400d; sums by day stay; default: 90d"`
	Prices     string          `yaml:"prices,omitempty" jsonschema:"description=file with your own prices in the form of internal/price/prices.json; relative to this file; none: list prices"`
	Ceiling    *Ceiling        `yaml:"ceiling,omitempty" jsonschema:"description=what models cost that have no price; none: the most that any model costs"`
	MaxJournal int64           `yaml:"max_journal,omitempty" jsonschema:"minimum=1048576,description=bytes of records that wait for the database; default 1 GiB"`
}

// Ceiling is a price of a million tokens, in dollars. What is written to the
// prompt cache costs up to twice the input.
type Ceiling struct {
	Input  string `yaml:"input" jsonschema:"required,description=dollars for a million tokens of input such as \"25\""`
	Output string `yaml:"output" jsonschema:"required,description=dollars for a million tokens of output such as \"125\""`
}

// shortestRetention leaves time for records that the database has not taken
// yet.
const shortestRetention = 24 * time.Hour

func (l *Ledger) validate(add func(path, message, hint string)) {
	if err := l.Postgres.check(); l.Postgres != "" && err != nil {
		add("ledger.postgres", err.Error(), "write env:NAME or file:PATH; the address itself holds a password")
	}
	if r := l.Retention.D(); r != 0 && r < shortestRetention {
		add("ledger.retention", fmt.Sprintf("%v is too short", r), "keep attempts for a day at least, such as 90d")
	}
	if l.Ceiling == nil {
		return
	}
	for name, text := range map[string]string{"input": l.Ceiling.Input, "output": l.Ceiling.Output} {
		if u, err := call.ParseUSD(text); err != nil || u <= 0 {
			add("ledger.ceiling."+name, fmt.Sprintf("%q is no price above 0", text), `write dollars for a million tokens in quotes, such as "25"`)
		}
	}
}

// Amounts are the ceiling's prices; [Config.Check] has found its faults.
func (c Ceiling) Amounts() (input, output call.USD) {
	input, _ = call.ParseUSD(c.Input)
	output, _ = call.ParseUSD(c.Output)
	return input, output
}
