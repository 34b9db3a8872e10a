package load

import (
	"cmp"
	"slices"

	"github.com/weir-gateway/weir/internal/schema"
)

// file is a workload as a file writes it. The comments of [Workload] tell what
// the fields mean.
type file struct {
	Seed        uint64          `yaml:"seed,omitempty"`
	Agents      int             `yaml:"agents,omitempty" jsonschema:"minimum=1"`
	Think       schema.Duration `yaml:"think,omitempty"`
	Pace        schema.Duration `yaml:"pace,omitempty"`
	Stagger     schema.Duration `yaml:"stagger,omitempty"`
	Rate        float64         `yaml:"rate,omitempty" jsonschema:"minimum=0"`
	MaxInFlight int             `yaml:"max_in_flight,omitempty" jsonschema:"minimum=1"`
	Input       Size            `yaml:"input,omitempty"`
	Output      Size            `yaml:"output,omitempty"`
	MaxTokens   int             `yaml:"max_tokens,omitempty" jsonschema:"minimum=1"`
	CachedShare float64         `yaml:"cached_share,omitempty" jsonschema:"minimum=0,maximum=0.99"`
	StreamShare float64         `yaml:"stream_share,omitempty" jsonschema:"minimum=0,maximum=1"`
	Models      []string        `yaml:"models,omitempty"`
	Tenants     []Tenant        `yaml:"tenants,omitempty"`
	Timeout     schema.Duration `yaml:"timeout,omitempty"`
	Patience    schema.Duration `yaml:"patience,omitempty"`
	Client      string          `yaml:"client,omitempty" jsonschema:"enum=none,enum=sdk,enum=python-sdk"`
	Requests    int             `yaml:"requests,omitempty" jsonschema:"minimum=1"`
	Duration    schema.Duration `yaml:"duration,omitempty"`
}

// Parse reads a workload in YAML or JSON. name is for the report of mistakes,
// which lists all of them.
func Parse(name string, data []byte) (Workload, error) {
	var f file
	if err := schema.Decode(name, data, &f); err != nil {
		return Workload{}, err
	}
	client, _ := ParsePolicy(cmp.Or(f.Client, SDK().Name)) // the schema lists the names
	w := Workload{
		Seed:   f.Seed,
		Agents: f.Agents, Think: f.Think.D(), Pace: f.Pace.D(), Stagger: f.Stagger.D(),
		Rate: f.Rate, MaxInFlight: f.MaxInFlight,
		Input: f.Input, Output: f.Output, MaxTokens: f.MaxTokens,
		CachedShare: f.CachedShare, StreamShare: f.StreamShare,
		Models: slices.Clone(f.Models), Tenants: slices.Clone(f.Tenants),
		Timeout: f.Timeout.D(), Patience: f.Patience.D(), Client: client,
		Requests: f.Requests, Duration: f.Duration.D(),
	}
	return w, w.Validate()
}
