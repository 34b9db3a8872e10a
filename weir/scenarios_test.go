package weir_test

import (
	"testing"
	"testing/synctest"

	"github.com/weir-gateway/weir/internal/bench"
)

// knownShort lists the bars that Weir does not clear yet, as scenario/bar. Each
// is a defect with a place in the report of docs/benchmarks/quota.md: it is
// shown and not failed, and whoever mends it is told to take it off the list.
var knownShort = map[string]bool{}

// TestScenarios plays a short version of every scenario of
// docs/benchmarks/quota.md through a whole gateway and holds it to the bars of
// DESIGN §8.
func TestScenarios(t *testing.T) {
	for _, s := range bench.Scenarios(bench.Short) {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, err := bench.Run(t.Context(), s, bench.Weir)
				if err != nil {
					t.Fatal(err)
				}
				for _, v := range r.Judge() {
					hold(t, v, knownShort[s.Name+"/"+v.Name])
				}
			})
		})
	}
}

// hold fails t if the bar is not cleared, or if one that is known to be too
// high is cleared after all.
func hold(t *testing.T, v bench.Verdict, short bool) {
	t.Helper()
	switch {
	case v.Held && short:
		t.Errorf("%s: %s clears %s now: take it off the list knownShort", v.Name, v.Got, v.Bar)
	case v.Held:
		t.Logf("%-14s %s (bar %s)", v.Name, v.Got, v.Bar)
	case short:
		t.Logf("%-14s %s, SHORT of %s: known", v.Name, v.Got, v.Bar)
	default:
		t.Errorf("%s: %s, want %s", v.Name, v.Got, v.Bar)
	}
}
