package config

import (
	"fmt"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/schema"
)

// Budget is a sum of money for each period.
type Budget struct {
	Name   string `yaml:"name" jsonschema:"required,minLength=1,description=for people and metrics; what was spent is kept under it"`
	Limit  Amount `yaml:"limit" jsonschema:"required,description=dollars for each period"`
	Period string `yaml:"period" jsonschema:"required,enum=day,enum=week,enum=month,description=when it starts anew; weeks begin on Monday"`
	Zone   string `yaml:"zone,omitempty" jsonschema:"description=IANA name of the time zone in which days begin such as Europe/Berlin; default: UTC"`

	Tenant string `yaml:"tenant,omitempty" jsonschema:"description=only calls of this tenant; * stands for anything"`
	Token  string `yaml:"token,omitempty" jsonschema:"description=only calls with the token of this client; * stands for anything"`
	Model  string `yaml:"model,omitempty" jsonschema:"description=only calls of this model; * stands for anything"`
	Each   string `yaml:"each,omitempty" jsonschema:"enum=tenant,enum=token,enum=model,description=each of these has the whole limit for itself; default: all share it"`

	Soft   int    `yaml:"soft,omitempty" jsonschema:"minimum=1,maximum=100,description=percent spent from where on people are warned; default: alerts.budget"`
	AtSoft string `yaml:"at_soft,omitempty" jsonschema:"enum=warn,enum=degrade,description=degrade: from there on calls move to the next model of degrade.fallback; default: warn"`
}

// AtSoft of a budget whose calls move to another model.
const AtSoftDegrade = "degrade"

// Amount is an amount of dollars, as a document writes it: 12.5 or "12.50".
type Amount = schema.Amount

func (c *Config) validateBudgets(add func(path, message, hint string)) {
	names := map[string]bool{}
	for i, b := range c.Budgets {
		path := fmt.Sprintf("budgets[%d]", i)
		if names[b.Name] {
			add(path+".name", "two budgets are named "+b.Name, "what was spent is kept under the name: give each its own")
		}
		names[b.Name] = true
		if call.USD(b.Limit) <= 0 {
			add(path+".limit", "a budget of nothing lets no call pass", "write an amount of dollars such as 50 or 12.50")
		}
		if _, err := time.LoadLocation(b.Zone); err != nil {
			add(path+".zone", fmt.Sprintf("%q is no time zone", b.Zone), "write an IANA name such as Europe/Berlin, or leave it out for UTC")
		}
		if b.AtSoft == AtSoftDegrade && b.Soft == 0 {
			add(path+".soft", "nobody knows from where on calls are to move to another model", "write a percentage such as 80")
		}
		if b.AtSoft == AtSoftDegrade && len(c.Degrade.Fallback) == 0 {
			add(path+".at_soft", "there is no other model that calls could move to", "name some under degrade.fallback")
		}
		if (b.Each == "token" || b.Token != "") && len(c.Clients) == 0 {
			add(path, "there are no tokens to tell apart", "add clients, or watch tenants")
		}
	}
}
