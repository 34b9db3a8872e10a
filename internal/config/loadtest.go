package config

import "path/filepath"

// LoadTest is how weir load tests the gateway of this configuration, where its
// flags say nothing else. The gateway itself does nothing with it.
type LoadTest struct {
	Scenario string `yaml:"scenario,omitempty" jsonschema:"description=YAML file that describes the workload; default: the questions of weir load"`
	Ramp     string `yaml:"ramp,omitempty" jsonschema:"description=rising steps and the length of each as of weir load --ramp"`
	MaxCost  Amount `yaml:"max_cost,omitempty" jsonschema:"description=dollars that a run may cost at list prices; default: no bound"`
}

// place makes a relative name one beside the file of the configuration.
func (l *LoadTest) place(file string) {
	if l.Scenario != "" && !filepath.IsAbs(l.Scenario) {
		l.Scenario = filepath.Join(filepath.Dir(file), l.Scenario)
	}
}
