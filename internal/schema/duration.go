package schema

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Duration is a length of time that a document writes as a string such as
// "30s", "1h30m" or "400d". It is never negative.
type Duration time.Duration

// D returns d as the standard library's type.
func (d Duration) D() time.Duration { return time.Duration(d) }

// String returns d as a document writes it.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText writes d as UnmarshalText reads it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a string such as "30s".
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := parse(string(text))
	if err != nil {
		return err
	}
	if v < 0 {
		return fmt.Errorf("duration %s is negative", v)
	}
	*d = Duration(v)
	return nil
}

// parse reads whole days, or what the standard library reads.
func parse(text string) (time.Duration, error) {
	const day, most = 24 * time.Hour, 100 * 365
	if count, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(count)
		if err != nil || n > most {
			return 0, fmt.Errorf("%q is not a number of days up to %d", text, most)
		}
		return time.Duration(n) * day, nil
	}
	return time.ParseDuration(text)
}

// UnmarshalYAML reads a string such as "30s". A mistake in it does not end the
// decoding of the document, so that further mistakes are found as well.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	var text string
	err := n.Decode(&text)
	if err == nil {
		err = d.UnmarshalText([]byte(text))
	}
	if err != nil {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %v", n.Line, err)}}
	}
	return nil
}
