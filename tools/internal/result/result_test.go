package result

import (
	"strings"
	"testing"
)

func TestGo(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     Count
		shows    string
	}{
		{"passes-and-skips", `{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestB","Output":"no redis here\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"pass","Package":"p","Elapsed":1.5}`, Count{1, 0, 1}, "no redis here"},
		{"failure-shows-output", `{"Action":"output","Package":"p","Test":"TestA","Output":"got 1, want 2\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}`, Count{0, 1, 0}, "got 1, want 2"},
		{"does-not-build", `{"ImportPath":"p","Action":"build-output","Output":"p.go:1: undefined: x\n"}
{"ImportPath":"p","Action":"build-fail"}
{"Action":"fail","Package":"p"}`, Count{0, 1, 0}, "undefined: x"},
		{"race-after-the-tests", `{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"DATA RACE\n"}
{"Action":"fail","Package":"p"}`, Count{1, 1, 0}, "DATA RACE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			got, err := Go(strings.NewReader(tt.in), &out)
			if err != nil || got != tt.want {
				t.Errorf("Go = %+v, %v, want %+v", got, err, tt.want)
			}
			if !strings.Contains(out.String(), tt.shows) {
				t.Errorf("output %q does not show %q", out.String(), tt.shows)
			}
		})
	}
}

func TestJUnit(t *testing.T) {
	const report = `<?xml version="1.0"?><testsuites><testsuite name="x">
<testcase name="a"/><testcase name="b"><failure message="m">text</failure></testcase>
<testcase name="c"><error/></testcase><testcase name="d"><skipped/></testcase></testsuite></testsuites>`
	got, err := JUnit(strings.NewReader(report))
	if want := (Count{1, 2, 1}); err != nil || got != want {
		t.Errorf("JUnit = %+v, %v, want %+v", got, err, want)
	}
	if _, err := JUnit(strings.NewReader("<testcase>")); err == nil {
		t.Error("JUnit took a report that breaks off")
	}
}

func TestSum(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]Count{"a": {1, 2, 3}, "b": {10, 20, 30}} {
		if err := Save(dir, name, c); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Sum(dir)
	if err != nil || got.String() != "11 passed, 22 failed" {
		t.Errorf("Sum = %v, %v", got, err)
	}
}
