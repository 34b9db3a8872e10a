package config

import (
	"embed"
	"fmt"
)

// The profiles, which are sets of defaults for the phases of a program's life.
const (
	Development = "development"
	Staging     = "staging"
	Production  = "production"
)

//go:embed profiles
var profileFiles embed.FS

// profiles are the files of the profiles, each an ordinary configuration.
var profiles = map[string]string{
	Development: "profiles/development.yaml",
	Staging:     "profiles/staging.yaml",
	Production:  "profiles/production.yaml",
}

// ProfileText returns the document of a profile.
func ProfileText(name string) ([]byte, error) {
	file, ok := profiles[name]
	if !ok {
		return nil, faultList{noProfile(name)}.err()
	}
	return profileFiles.ReadFile(file)
}

func noProfile(name string) Fault {
	return Fault{Path: "profile", Message: fmt.Sprintf("%q is no profile", name), Hint: "write development, staging or production"}
}

// checkProduction demands what nobody should do without once people use it.
func (c *Config) checkProduction(add func(path, message, hint string)) {
	if c.Profile != Production {
		return
	}
	if len(c.Keys) == 0 {
		add("keys", "production has no key to pay with", "add keys, or set ANTHROPIC_API_KEY")
	}
	if c.Data == "" {
		add("data", "production would forget what was spent, and who is blocked, at every restart", "name a folder, such as /var/lib/weir")
	}
	if c.Upstream == Simulator {
		add("upstream", "the simulator is no upstream for production", "write https://api.anthropic.com")
	}
}

// Warnings tells what is allowed and yet likely a mistake, as faults are told.
func (c *Config) Warnings() []Fault {
	var list faultList
	add := list.add
	if c.Profile != Development && len(c.Budgets) > 0 && c.Data == "" && c.Ledger.Postgres == "" {
		add("budgets", "without a data folder, what is spent is forgotten at the next start", "set data")
	}
	if c.Profile != Production {
		return list
	}
	if len(c.Alerts.Webhooks) == 0 {
		add("alerts.webhooks", "nobody is told before the quota runs out", "add a webhook")
	}
	if c.Breaker.Off {
		add("breaker.off", "calls go on to an upstream that fails", "leave it out")
	}
	if c.Retry.Off {
		add("retry.off", "callers see failures that a second attempt would mend", "leave it out")
	}
	if len(c.Budgets) == 0 {
		add("budgets", "nothing bounds what is spent", "add a budget")
	}
	if c.Degrade.DryRun {
		add("degrade.dry_run", "the ladder makes nothing simpler", "leave it out")
	}
	if c.VerboseHeaders {
		add("verbose_headers", "callers see the names of the keys", "leave it out")
	}
	if len(c.Keys) > 0 && !c.AsksForTokens() {
		add("clients", "every program on this machine may spend the keys' money", "make tokens with weir token add")
	}
	return list
}
