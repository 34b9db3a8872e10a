package sim

import (
	"embed"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/weir-gateway/weir/internal/schema"
)

// Duration is a length of time as a scenario file writes it, such as "30s".
type Duration = schema.Duration

// Scenario is what the simulator plays: who its customers are, how fast it
// answers, and what goes wrong when. Times count from the start of the server.
// Read one with [LoadScenario] or [ParseScenario], or build it in Go.
type Scenario struct {
	Description   string         `yaml:"description,omitempty"`
	Seed          uint64         `yaml:"seed,omitempty"`
	Speed         float64        `yaml:"speed,omitempty" jsonschema:"minimum=0,maximum=1000000"`
	Timing        ScenarioTiming `yaml:"timing,omitempty"`
	Quota         Quota          `yaml:"quota,omitempty"`
	Organizations []Organization `yaml:"organizations,omitempty"`
	Faults        []Fault        `yaml:"faults,omitempty"`
}

// ScenarioTiming is [Timing] as a file writes it.
type ScenarioTiming struct {
	TTFT            Duration `yaml:"ttft,omitempty"`
	TokensPerSecond float64  `yaml:"tokens_per_second,omitempty" jsonschema:"minimum=0"`
	Batch           Duration `yaml:"batch,omitempty"`
	Output          Output   `yaml:"output_tokens,omitempty"`
}

func (t ScenarioTiming) timing() Timing {
	return Timing{TTFT: t.TTFT.D(), TokensPerSecond: t.TokensPerSecond, Batch: t.Batch.D(), Output: t.Output}
}

// Quota is the limits of an organization and how its buckets behave. At the
// top of a scenario it holds for every organization; an organization's own
// fields win, one by one.
type Quota struct {
	Tier        string            `yaml:"tier,omitempty"`
	Limits      Limits            `yaml:"limits,omitempty"`       // replace the tier's in every group
	GroupLimits map[string]Limits `yaml:"group_limits,omitempty"` // by model group, win over Limits
	StartFill   *float64          `yaml:"start_fill,omitempty" jsonschema:"minimum=0,maximum=1"`
	Rules       *Rules            `yaml:"rules,omitempty"`
	Others      []Other           `yaml:"others,omitempty"`
	Changes     []Change          `yaml:"changes,omitempty"`
}

// Organization is one customer. Its buckets are shared by all of its keys.
type Organization struct {
	Name string `yaml:"name" jsonschema:"required"`
	ID   string `yaml:"id,omitempty"` // default: made from Name
	// Keys are its API keys outside any workspace of the list. The first
	// organization without any keys at all takes every key that is not listed.
	Keys       []string    `yaml:"keys,omitempty"`
	Workspaces []Workspace `yaml:"workspaces,omitempty"`
	Quota      Quota       `yaml:"quota,omitempty"`
}

// Workspace is a part of an organization, with a prompt cache of its own and
// perhaps lower limits, which apply on top of the organization's.
type Workspace struct {
	Name   string   `yaml:"name" jsonschema:"required"`
	ID     string   `yaml:"id,omitempty"` // default: made from Name
	Keys   []string `yaml:"keys,omitempty"`
	Limits Limits   `yaml:"limits,omitempty"`
	// CountCacheReads makes the workspace's input limit count everything,
	// cache reads too.
	CountCacheReads bool `yaml:"count_cache_reads,omitempty"`
}

// Other is a hidden consumer of the same buckets, in units per minute. It is
// there from At on, for For (default: for good), again every Every.
type Other struct {
	Requests     float64  `yaml:"requests,omitempty" jsonschema:"minimum=0"`
	InputTokens  float64  `yaml:"input_tokens,omitempty" jsonschema:"minimum=0"`
	OutputTokens float64  `yaml:"output_tokens,omitempty" jsonschema:"minimum=0"`
	Group        string   `yaml:"group,omitempty"` // default: every model group
	At           Duration `yaml:"at,omitempty"`
	For          Duration `yaml:"for,omitempty"`
	Every        Duration `yaml:"every,omitempty"`
}

// Change sets new limits at a time.
type Change struct {
	At     Duration `yaml:"at" jsonschema:"required"`
	Group  string   `yaml:"group,omitempty"` // default: every model group
	Limits Limits   `yaml:"limits" jsonschema:"required"`
}

//go:embed scenarios/*.yaml
var scenarioFiles embed.FS

// Scenarios returns the names of the scenarios that come with the simulator,
// sorted.
func Scenarios() []string {
	entries, err := scenarioFiles.ReadDir("scenarios")
	if err != nil {
		panic(fmt.Sprintf("sim: embedded scenarios: %v", err)) // they are compiled in
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	slices.Sort(names)
	return names
}

// LoadScenario reads one of the [Scenarios] by its name, else the file of that
// name. The error lists all mistakes of the file.
func LoadScenario(name string) (*Scenario, error) {
	if slices.Contains(Scenarios(), name) {
		data, err := scenarioFiles.ReadFile(path.Join("scenarios", name+".yaml"))
		if err != nil {
			return nil, err
		}
		return ParseScenario(name, data)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("%q is neither a readable file (%w) nor a built-in scenario (%s)",
			name, err, strings.Join(Scenarios(), ", "))
	}
	return ParseScenario(name, data)
}

// ParseScenario reads a scenario in YAML or JSON. name is for the report of
// mistakes, which lists all of them.
func ParseScenario(name string, data []byte) (*Scenario, error) {
	s := new(Scenario)
	if err := schema.Decode(name, data, s); err != nil {
		return nil, err
	}
	return s, nil
}

// ScenarioSchema returns the JSON Schema of scenario files.
func ScenarioSchema() ([]byte, error) { return schema.Generate(&Scenario{}) }
