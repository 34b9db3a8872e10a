package sim

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/weir-gateway/weir/internal/schema"
)

//go:embed data/models.yaml
var modelsYAML []byte

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
	Groups      map[string]Limits `yaml:"groups"`
}

// catalog is the data tables, read once per server.
type catalog struct {
	Models []*model
	Tiers  map[string]tier
	byID   map[string]*model
}

// loadCatalog reads the embedded tables.
func loadCatalog() (*catalog, error) {
	var models struct {
		Models []*model `yaml:"models"`
	}
	if err := schema.Decode("models.yaml", modelsYAML, &models); err != nil {
		return nil, err
	}
	tiers, err := loadTiers()
	if err != nil {
		return nil, err
	}
	c := &catalog{Models: models.Models, Tiers: tiers, byID: map[string]*model{}}
	for _, m := range c.Models {
		c.byID[m.ID] = m
		for _, alias := range m.Aliases {
			c.byID[alias] = m
		}
	}
	return c, nil
}

func loadTiers() (map[string]tier, error) {
	var table struct {
		Tiers map[string]tier `yaml:"tiers"`
	}
	if err := schema.Decode("tiers.yaml", tiersYAML, &table); err != nil {
		return nil, err
	}
	return table.Tiers, nil
}

// Tiers returns the names of the tiers that a [Config] may ask for, sorted.
func Tiers() []string {
	table, err := loadTiers()
	if err != nil {
		panic(fmt.Sprintf("sim: embedded tier table: %v", err)) // held by a test
	}
	return slices.Sorted(maps.Keys(table))
}

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
