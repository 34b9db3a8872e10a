// Package result counts the tests of several runners in one form, and keeps
// the counts in a directory so that one line can sum them up at the end.
package result

import (
	"bufio"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Count is how many tests of a run ended which way.
type Count struct{ Passed, Failed, Skipped int }

// Add adds d to c.
func (c *Count) Add(d Count) {
	c.Passed += d.Passed
	c.Failed += d.Failed
	c.Skipped += d.Skipped
}

// String returns the line that the continuous integration reads.
func (c Count) String() string { return fmt.Sprintf("%d passed, %d failed", c.Passed, c.Failed) }

// event is one line of go test -json.
type event struct {
	Action     string
	Package    string
	ImportPath string // instead of Package, for output of the compiler
	Test       string
	Elapsed    float64
	Output     string
}

// Go reads the output of go test -json, writes a line for each package and
// the whole output of whatever failed to w, and counts the tests. A package
// that failed without a failed test (it did not build, it panicked, a data
// race was found) counts as one failure.
func Go(r io.Reader, w io.Writer) (Count, error) {
	g := goRun{w: w, output: map[string]*strings.Builder{}, count: map[string]*Count{}}
	in := bufio.NewScanner(r)
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		var e event
		if json.Unmarshal(in.Bytes(), &e) != nil {
			fmt.Fprintln(w, in.Text()) // not an event: a message of the go command
			continue
		}
		g.take(e)
	}
	return g.total, in.Err()
}

type goRun struct {
	w      io.Writer
	output map[string]*strings.Builder // by package and test
	count  map[string]*Count           // by package
	total  Count
}

func (g *goRun) take(e event) {
	name := e.Package + e.ImportPath
	switch e.Action {
	case "output", "build-output":
		g.buffer(name, e.Test).WriteString(e.Output)
	case "build-fail":
		fmt.Fprint(g.w, g.buffer(name, ""))
	case "pass", "fail", "skip":
		g.end(name, e)
	}
}

func (g *goRun) end(name string, e event) {
	c := g.count[name]
	if c == nil {
		c = &Count{}
		g.count[name] = c
	}
	if e.Test != "" {
		switch e.Action {
		case "pass":
			c.Passed++
		case "fail":
			c.Failed++
			fmt.Fprint(g.w, g.buffer(name, e.Test))
		case "skip":
			c.Skipped++
			fmt.Fprint(g.w, g.buffer(name, e.Test)) // a skip gives its reason
		}
		delete(g.output, name+" "+e.Test)
		return
	}
	if e.Action == "fail" {
		fmt.Fprint(g.w, g.buffer(name, ""))
		if c.Failed == 0 {
			c.Failed = 1
		}
	}
	if c.Passed+c.Failed+c.Skipped > 0 {
		fmt.Fprintf(g.w, "%-5s %-60s %3d tests %6.1fs\n", e.Action, name, c.Passed+c.Failed, e.Elapsed)
	}
	g.total.Add(*c)
}

func (g *goRun) buffer(name, test string) *strings.Builder {
	key := name + " " + test
	if g.output[key] == nil {
		g.output[key] = &strings.Builder{}
	}
	return g.output[key]
}

// JUnit counts the test cases of a JUnit report, the form that pytest and
// node's test runner share.
func JUnit(r io.Reader) (Count, error) {
	var c Count
	d := xml.NewDecoder(r)
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return c, nil
		}
		if err != nil {
			return c, fmt.Errorf("read the JUnit report: %w", err)
		}
		start, ok := tok.(xml.StartElement)
		if !ok || start.Name.Local != "testcase" {
			continue
		}
		var tc struct {
			Failure *struct{} `xml:"failure"`
			Error   *struct{} `xml:"error"`
			Skipped *struct{} `xml:"skipped"`
		}
		if err := d.DecodeElement(&tc, &start); err != nil {
			return c, fmt.Errorf("read the JUnit report: %w", err)
		}
		switch {
		case tc.Failure != nil || tc.Error != nil:
			c.Failed++
		case tc.Skipped != nil:
			c.Skipped++
		default:
			c.Passed++
		}
	}
}

// Save keeps the count of the run called name in dir.
func Save(dir, name string, c Count) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".count.json"), data, 0o644)
}

// Sum adds up all counts in dir. A directory that does not exist holds none.
func Sum(dir string) (Count, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.count.json"))
	if err != nil {
		return Count{}, err
	}
	slices.Sort(names)
	var total Count
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return total, err
		}
		var c Count
		if err := json.Unmarshal(data, &c); err != nil {
			return total, fmt.Errorf("%s: %w", name, err)
		}
		total.Add(c)
	}
	return total, nil
}
