package sim

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/weir-gateway/weir/internal/schema"
)

//go:embed data/models.yaml
var modelsYAML []byte

//go:embed data/prices.yaml
var pricesYAML []byte

//go:embed data/tiers.yaml
var tiersYAML []byte

// model is one line of the model table.
type model struct {
	ID              string   `yaml:"id"`
	Aliases         []string `yaml:"aliases"`
	Name            string   `yaml:"name"`
	Group           string   `yaml:"group"`
	Tokenizer       string   `yaml:"tokenizer" jsonschema:"enum=old,enum=new"`
	Context         int      `yaml:"context"`
	MaxOutput       int      `yaml:"max_output"`
	CacheMinimum    int      `yaml:"cache_minimum"`
	Created         string   `yaml:"created"`
	Lifecycle       string   `yaml:"lifecycle" jsonschema:"enum=active,enum=deprecated,enum=retired"`
	Retires         string   `yaml:"retires"`
	CacheReadsCount bool     `yaml:"cache_reads_count"`
}

// tier is the standard limits of one tier.
type tier struct {
	CountTokens int64             `yaml:"count_tokens"`
	Batches     int64             `yaml:"batches"` // requests per minute to the batches' endpoints
	Groups      map[string]Limits `yaml:"groups"`

	QueuedBatchRequests int64 `yaml:"queued_batch_requests"`
}

// catalog is the data tables. Nobody writes to it.
type catalog struct {
	Models []*model          `yaml:"models"`
	Tiers  map[string]tier   `yaml:"tiers"`
	Prices map[string]tariff `yaml:"prices"`
	byID   map[string]*model
}

// tables reads the embedded tables when they are first needed. They are
// constants; a mistake in them is a defect that a test finds.
var tables = sync.OnceValue(func() *catalog {
	c := &catalog{byID: map[string]*model{}}
	for name, data := range map[string][]byte{"models.yaml": modelsYAML, "tiers.yaml": tiersYAML, "prices.yaml": pricesYAML} {
		if err := schema.Decode(name, data, c); err != nil {
			panic(fmt.Sprintf("sim: embedded table: %v", err))
		}
	}
	for _, m := range c.Models {
		c.byID[m.ID] = m
		for _, alias := range m.Aliases {
			c.byID[alias] = m
		}
	}
	return c
})

// Tiers returns the names of the tiers that a [Config] may ask for, sorted.
func Tiers() []string { return slices.Sorted(maps.Keys(tables().Tiers)) }

// find returns the model that name means: its id, an alias, or either with
// "-latest" behind it.
func (c *catalog) find(name string) (*model, bool) {
	if m, ok := c.byID[name]; ok {
		return m, true
	}
	m, ok := c.byID[strings.TrimSuffix(name, "-latest")]
	return m, ok
}

// limits returns what a tier grants to a model group.
func (t tier) limits(group string) Limits {
	if l, ok := t.Groups[group]; ok {
		return l
	}
	return t.Groups["*"]
}
