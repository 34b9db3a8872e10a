package bench

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pageVariable names the file that TestBenchQuota writes. Without it only the
// shape of the page is tested.
const pageVariable = "WEIR_BENCH_QUOTA"

// otherSeeds is how many times each scenario is played again in short.
const otherSeeds = 5

// TestBenchQuota plays every scenario from every side and writes the page. It
// reports, and does not fail for a bar that is not cleared: the short versions
// in package weir do.
func TestBenchQuota(t *testing.T) {
	name := os.Getenv(pageVariable)
	if name == "" {
		t.Skipf("set %s to a file, or run make bench-quota", pageVariable)
	}
	began := time.Now()
	rows := make([]Row, len(Scenarios(Long)))
	others := make([]Result, otherSeeds*len(rows))
	t.Run("all", func(t *testing.T) {
		for i, s := range Scenarios(Long) {
			rows[i] = Row{Scenario: s, Results: make([]Result, numSides)}
			for _, side := range Sides() {
				t.Run(s.Name+"/"+strings.ReplaceAll(side.String(), " ", "-"), func(t *testing.T) {
					t.Parallel()
					rows[i].Results[side] = play(t, s, side)
				})
			}
		}
		for i, s := range slices.Repeat(Scenarios(Short), otherSeeds) {
			n := uint64(i/len(rows)) + 1
			t.Run(fmt.Sprintf("%s/seed-%d", s.Name, n), func(t *testing.T) {
				t.Parallel()
				others[i] = play(t, s.Seeded(n), Weir)
			})
		}
	})
	out, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	m := Machine{
		Command: "make bench-quota", Cores: runtime.NumCPU(), Go: runtime.Version(),
		Revision: os.Getenv("WEIR_REVISION"), Took: time.Since(began),
	}
	if err := Write(out, m, rows, others); err != nil {
		t.Error(err)
	}
	if err := out.Close(); err != nil {
		t.Error(err)
	}
}

// play runs s from side in a bubble.
func play(t *testing.T, s Scenario, side Side) (r Result) {
	synctest.Test(t, func(t *testing.T) {
		var err error
		if r, err = Run(t.Context(), s, side); err != nil {
			t.Fatal(err)
		}
	})
	return r
}

func TestThePageSaysWhatFallsShort(t *testing.T) {
	s := Scenarios(Short)[3] // small, and bound by requests
	s.WarmUp, s.Span = time.Minute, 5*time.Minute
	row := Row{Scenario: s}
	for _, side := range Sides() {
		row.Results = append(row.Results, play(t, s, side))
	}
	row.Results[Weir].Whole.RateLimited = 3
	var page strings.Builder
	if err := Write(&page, Machine{Command: "x", Cores: 2}, []Row{row}, row.Results[Weir:]); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| " + s.Title + " |", "**SHORT**: 429s seen", "429s seen is 3, the bar is 0", "| used of requests |", "on 2 cores", "1 short runs",
	} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if bare := row.Results[Bare]; bare.Whole.RateLimited == 0 || bare.Whole.OK == 0 {
		t.Errorf("without a retry %d were answered and %d met a 429: that is no overload", bare.Whole.OK, bare.Whole.RateLimited)
	}
}
