package config

import (
	"time"

	"github.com/weir-gateway/weir/internal/schema"
)

// Prompt says whether the gateway puts marks for the upstream's prompt cache
// into requests.
type Prompt struct {
	Enable        bool            `yaml:"enable,omitempty" jsonschema:"description=put cache_control marks into requests without any where their beginnings repeat"`
	MinRepeats    int             `yaml:"min_repeats,omitempty" jsonschema:"minimum=2,description=how often a beginning must have been seen; default 2"`
	TTL           schema.Duration `yaml:"ttl,omitempty" jsonschema:"description=how long the upstream shall keep prompts: 5m (the default) or 1h; writing them costs 1.25 or 2 times plain input"`
	ExceptTenants []string        `yaml:"except_tenants,omitempty" jsonschema:"description=whose requests stay as they are"`
	ExceptModels  []string        `yaml:"except_models,omitempty" jsonschema:"description=models whose requests stay as they are"`
}

// validate reports what is wrong with p, which may be nil.
func (p *Prompt) validate(add func(path, message, hint string)) {
	if p == nil {
		return
	}
	if ttl := p.TTL.D(); ttl != 0 && ttl != 5*time.Minute && ttl != time.Hour {
		add("cache.prompt.ttl", "the upstream keeps prompts for 5m or for 1h", "write one of these, or leave it out")
	}
}
