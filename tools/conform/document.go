package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/weir-gateway/weir/tools/internal/result"
)

// checkDocument compares docs/refusals.md with what the clients did in this
// run, or writes it if they did what they should.
func (s settings) checkDocument(ctx context.Context, out io.Writer, url string, passed bool) error {
	run, err := get(ctx, url+"/table.md")
	if err != nil {
		return err
	}
	name := filepath.Join(s.root, "docs", "refusals.md")
	if s.update && passed {
		err = os.WriteFile(name, []byte(run), 0o644)
	} else {
		err = compare(name, run)
	}
	c := result.Count{Passed: 1}
	if err != nil {
		c = result.Count{Failed: 1}
		fmt.Fprintf(out, "--- document\n%v\n", err)
	}
	return errors.Join(err, result.Save(s.results, "conformance-document", c))
}

func get(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return string(text), err
}

// seconds are the parts of the document that no two runs share.
var seconds = regexp.MustCompile(`· [0-9.]+ s`)

// compare lists the lines of the document that this run contradicts in more
// than the seconds that were measured; the suites hold those to their bounds.
func compare(name, run string) error {
	document, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	mask := func(s string) map[string]bool {
		lines := map[string]bool{}
		for line := range strings.SplitSeq(seconds.ReplaceAllString(s, "· s"), "\n") {
			lines[line] = true
		}
		return lines
	}
	var faults []error
	was, is := mask(string(document)), mask(run)
	for _, line := range slices.Sorted(maps.Keys(was)) {
		if !is[line] {
			faults = append(faults, errors.New("no longer true: "+line))
		}
	}
	for _, line := range slices.Sorted(maps.Keys(is)) {
		if !was[line] {
			faults = append(faults, errors.New("missing: "+line))
		}
	}
	if faults != nil {
		faults = append(faults, fmt.Errorf("hint: if that is as it should be, run conform with -update to write %s", name))
	}
	return errors.Join(faults...)
}
