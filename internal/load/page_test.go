package load

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"regexp"
	"strings"
	"testing"
)

func twoSteps() *Result {
	r := &Result{Target: "http://x", Limits: []Limit{{Limiter: "requests", Limit: 60, Lowest: 6, Share: 0.1}}}
	for i := range 2 {
		r.Steps = append(r.Steps, Step{
			By: ByAgents, Value: i + 1,
			Report: Report{Asked: 9, OK: 8, RateLimited: i, PerSecond: 2, Took: Quantiles{P50: 1, P95: 2}},
		})
	}
	r.Finish(Ramp{By: ByAgents, Values: []int{1, 2}}, r.Limits)
	return r
}

func TestPageStandsAlone(t *testing.T) {
	p := Page{
		Title: `<script>alert("1")</script> & co`, Lines: []string{"<b>"}, Head: []string{"a"}, Rows: [][]string{{"1"}},
		Charts: twoSteps().Charts(),
	}
	var out bytes.Buffer
	if err := p.WriteHTML(&out); err != nil {
		t.Fatal(err)
	}
	html := out.String()
	if found := regexp.MustCompile(`(?i)(https?:|//[a-z]|src=|href=|url\(|@import|<script|<link)`).FindString(html); found != "" {
		t.Errorf("it points elsewhere: %q", found)
	}
	dec := xml.NewDecoder(strings.NewReader(html))
	dec.Entity = xml.HTMLEntity
	seen := map[string]int{}
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("it is not well formed: %v", err)
		}
		if e, ok := token.(xml.StartElement); ok {
			seen[e.Name.Local]++
		}
	}
	if seen["svg"] != 4 || seen["td"] != 1 || seen["b"] != 0 || seen["path"] == 0 {
		t.Errorf("its elements are %v", seen)
	}
}

func TestPNGDecodes(t *testing.T) {
	for name, steps := range map[string]int{"ramp": 2, "one-step": 1} {
		r := twoSteps()
		r.Steps = r.Steps[:steps]
		var out bytes.Buffer
		if err := WritePNG(&out, r.Charts()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		img, err := png.Decode(&out)
		if err != nil || img.Bounds().Dx() < 800 || img.Bounds().Dy() < 500 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := WritePNG(io.Discard, nil); err == nil {
		t.Error("nothing was drawn")
	}
}
