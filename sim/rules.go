package sim

import (
	"github.com/weir-gateway/weir/internal/schema"
)

// Rules say how an organization's limiter behaves where the API is known to
// differ by time, by account or by what nobody outside knows.
type Rules struct {
	// AdmitDebt lets a request in while the level is above 0, even if it needs
	// more: a 57k request was once served on a 30k limit.
	AdmitDebt bool `yaml:"admit_debt,omitempty"`
	// LegacyReserve charges max_tokens against the output bucket at the start
	// and gives the rest back at the end, as until 2025.
	LegacyReserve bool `yaml:"legacy_reserve,omitempty"`
	// EstimateError is the relative standard error of the input estimate by
	// which a request is admitted; default 0.05, negative for none.
	EstimateError float64 `yaml:"estimate_error,omitempty" jsonschema:"minimum=-1,maximum=1"`
	// BurstWindow also enforces the limits over a shorter time, such as 10s.
	BurstWindow Duration `yaml:"burst_window,omitempty"`
	// Ramp limits how fast the use may grow from minute to minute.
	Ramp *Ramp `yaml:"ramp,omitempty"`
	// MaxConcurrent limits the requests that run at once; 0: no limit.
	MaxConcurrent int `yaml:"max_concurrent,omitempty" jsonschema:"minimum=0"`
	// OmitHeaders leaves out groups of rate-limit headers.
	OmitHeaders []string `yaml:"omit_headers,omitempty" jsonschema:"enum=requests,enum=input-tokens,enum=output-tokens,enum=tokens"`
	// Bare429 leaves all rate-limit headers out of a 429.
	Bare429 bool `yaml:"bare_429,omitempty"`
	// NoRequestLimit removes the requests bucket, as for some models in 2025.
	NoRequestLimit bool `yaml:"no_request_limit,omitempty"`
	// ServeRetired keeps retired models working.
	ServeRetired bool `yaml:"serve_retired,omitempty"`
	// RejectUnknown refuses unknown top-level fields of a request, as the API
	// does. It is off by default because the list of beta fields is open.
	RejectUnknown bool `yaml:"reject_unknown,omitempty"`
}

// Ramp is the acceleration limit: the input tokens of one minute may exceed
// those of the minute before by Step, and never less than Base is allowed.
type Ramp struct {
	Base int64 `yaml:"base" jsonschema:"required,minimum=1"`
	Step int64 `yaml:"step" jsonschema:"required,minimum=1"`
}

// Validate reports what a schema cannot say: names that are not known and
// fields that contradict each other.
func (s *Scenario) Validate() []schema.Fault {
	var v faultList
	v.quota("quota", s.Quota)
	keys := map[string]string{}
	open := 0
	for i, o := range s.Organizations {
		at := v.at("organizations", i)
		v.quota(at+".quota", o.Quota)
		if o.Name == "" {
			v.add(at+".name", "is required but missing", "any word will do")
		}
		n := len(o.Keys)
		v.keys(at+".keys", o.Keys, keys)
		for j, w := range o.Workspaces {
			n += len(w.Keys)
			v.keys(v.at(at+".workspaces", j)+".keys", w.Keys, keys)
		}
		if n == 0 {
			open++
		}
		if n == 0 && open > 1 {
			v.add(at+".keys", "a second organization without keys can never be reached", "list its keys")
		}
	}
	for i, f := range s.Faults {
		for _, w := range f.wrong() {
			v.add(v.at("faults", i)+w.Path, w.Message, w.Hint)
		}
	}
	return v.faults
}

// faultList collects the faults of a scenario.
type faultList struct{ faults []schema.Fault }

func (v *faultList) add(path, message, hint string) {
	v.faults = append(v.faults, schema.Fault{Path: path, Message: message, Hint: hint})
}

func (v *faultList) at(list string, i int) string { return list + "[" + itoa(i) + "]" }

func (v *faultList) quota(path string, q Quota) {
	if q.Tier != "" && !knownTier(q.Tier) {
		v.add(path+".tier", "tier "+q.Tier+" is not known", "one of "+joined(Tiers()))
	}
	for i, o := range q.Others {
		if o.Every > 0 && (o.For == 0 || o.For > o.Every) {
			v.add(v.at(path+".others", i)+".for", "must be given and at most every", "for: 10s with every: 30s")
		}
	}
}

func (v *faultList) keys(path string, keys []string, seen map[string]string) {
	for i, k := range keys {
		at := v.at(path, i)
		if first, ok := seen[k]; ok {
			v.add(at, "the key is already at "+first, "a key belongs to one workspace")
		}
		seen[k] = at
	}
}

func knownTier(name string) bool {
	_, ok := tables().Tiers[name]
	return ok
}
