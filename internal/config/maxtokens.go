package config

import "fmt"

// MaxTokens is what max_tokens is for a request that names none, and at most.
type MaxTokens struct {
	Default int64 `yaml:"default,omitempty" jsonschema:"minimum=1,description=of a request that names none"`
	Cap     int64 `yaml:"cap,omitempty" jsonschema:"minimum=1,description=a request that asks for more gets this"`
}

// Classes says what holds for the requests of each class.
type Classes struct {
	Interactive Class `yaml:"interactive,omitempty"`
	Normal      Class `yaml:"normal,omitempty"`
	Batch       Class `yaml:"batch,omitempty"`
}

// Class is one class of requests (weir-class).
type Class struct {
	MaxTokens MaxTokens `yaml:"max_tokens,omitempty"`
}

// Tenant says what holds for the requests of one tenant.
type Tenant struct {
	MaxTokens MaxTokens `yaml:"max_tokens,omitempty"`
	Models    []string  `yaml:"models,omitempty" jsonschema:"description=models that the tenant's requests may use; * stands for anything; default: any"`
}

func (m MaxTokens) validate(path string, add func(path, message, hint string)) {
	if m.Cap > 0 && m.Default > m.Cap {
		add(path+".max_tokens", fmt.Sprintf("the default %d is above the cap %d", m.Default, m.Cap), "lower the default, or raise the cap")
	}
}

// validateMaxTokens looks at every policy of max_tokens.
func (c *Config) validateMaxTokens(add func(path, message, hint string)) {
	c.Classes.Interactive.MaxTokens.validate("classes.interactive", add)
	c.Classes.Normal.MaxTokens.validate("classes.normal", add)
	c.Classes.Batch.MaxTokens.validate("classes.batch", add)
	for name, t := range c.Tenants {
		t.MaxTokens.validate("tenants."+name, add)
	}
	for i, cl := range c.Clients {
		cl.MaxTokens.validate(fmt.Sprintf("clients[%d]", i), add)
	}
}
