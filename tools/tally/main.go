// Command tally turns the output of go test -json into lines for people and
// counts for the last line of make test.
//
//	go test -json ./... | tally go DIR NAME   print, count and keep as DIR/NAME
//	tally junit DIR NAME FILE                 count a JUnit report
//	tally passed DIR NAME                     count a check that is no test run as one
//	tally failed DIR NAME                     the same of a check that failed
//	tally sum DIR                             print "N passed, N failed"
//
// It ends non-zero if a test failed or if there was none.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/weir-gateway/weir/tools/internal/result"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "tally: error:", err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out io.Writer) error {
	switch {
	case len(args) == 3 && args[0] == "go":
		c, err := result.Go(in, out)
		return keep(args[1], args[2], c, err)
	case len(args) == 4 && args[0] == "junit":
		f, err := os.Open(args[3])
		if err != nil {
			return err
		}
		defer f.Close()
		c, err := result.JUnit(f)
		return keep(args[1], args[2], c, err)
	case len(args) == 3 && args[0] == "passed":
		return keep(args[1], args[2], result.Count{Passed: 1}, nil)
	case len(args) == 3 && args[0] == "failed":
		return keep(args[1], args[2], result.Count{Failed: 1}, nil)
	case len(args) == 2 && args[0] == "sum":
		c, err := result.Sum(args[1])
		if err != nil {
			return err
		}
		if c.Skipped > 0 {
			fmt.Fprintf(out, "%d skipped\n", c.Skipped)
		}
		fmt.Fprintln(out, c)
		return nil
	}
	return errors.New("usage: tally go DIR NAME | junit DIR NAME FILE | passed DIR NAME | failed DIR NAME | sum DIR")
}

// keep saves a count and says what is wrong with it.
func keep(dir, name string, c result.Count, err error) error {
	if err := errors.Join(err, result.Save(dir, name, c)); err != nil {
		return err
	}
	if c.Failed > 0 {
		return fmt.Errorf("%s: %v", name, c)
	}
	if c.Passed == 0 {
		return fmt.Errorf("%s: no test was run", name)
	}
	return nil
}
