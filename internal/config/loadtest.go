package config

// LoadTest is how weir load tests the gateway of this configuration, where its
// flags say nothing else. The gateway itself does nothing with it.
type LoadTest struct {
	Scenario string `yaml:"scenario,omitempty" jsonschema:"description=YAML file that describes the workload; default: the questions of weir load"`
	Ramp     string `yaml:"ramp,omitempty" jsonschema:"description=rising steps and the length of each as of weir load --ramp"`
	MaxCost  Amount `yaml:"max_cost,omitempty" jsonschema:"description=dollars that a run may cost at list prices; default: no bound"`
}
