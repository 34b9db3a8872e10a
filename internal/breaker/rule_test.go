package breaker

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	rules, err := Parse([]byte(`[{"id": "opus", "resource": "api.anthropic.com/claude-opus-4-5", "strategy": 1,
		"retryTimeoutMs": 5000, "minRequestAmount": 20, "statIntervalMs": 10000, "statSlidingWindowBucketCount": 10,
		"maxAllowedRtMs": 0, "threshold": 0.5, "probeNum": 2}]`))
	if err != nil || len(rules) != 1 {
		t.Fatalf("%d rules, %v", len(rules), err)
	}
	if r := rules[0]; r.Strategy != ErrorRatio || r.ProbeNum != 2 || r.Threshold != 0.5 || r.Name() != "opus" {
		t.Errorf("read %+v", r)
	}
}

func TestParseTellsAllFaults(t *testing.T) {
	_, err := Parse([]byte(`[{"strategy": 0, "retryTimeoutMs": 1, "threshold": 2}, {"resource": "*", "strategy": 7}]`))
	if err == nil {
		t.Fatal("no fault is told")
	}
	for _, want := range []string{
		"rule 0 (slow_ratio): resource", "statIntervalMs must", "maxAllowedRtMs must",
		"at most 1", "rule 1 (strategy 7): strategy must be",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told in:\n%v", want, err)
		}
	}
	if _, err := Parse([]byte(`[{"resource": "*", "treshold": 1}]`)); err == nil {
		t.Error("an unknown field is taken")
	}
	if _, err := Parse([]byte(`[] []`)); err == nil {
		t.Error("a second list is taken")
	}
}

func TestDefaultRulesAreValid(t *testing.T) {
	if err := Validate(DefaultRules()); err != nil {
		t.Error(err)
	}
}
