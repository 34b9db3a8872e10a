package schema

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/weir-gateway/weir/call"
)

// Amount is an amount of dollars that a document writes as a number or a
// string, such as 12.5 or "12.50". It is exact and never negative.
type Amount call.USD

// MarshalText writes the amount with at least two decimals.
func (a Amount) MarshalText() ([]byte, error) { return call.USD(a).MarshalText() }

// UnmarshalYAML reads the amount as it is spelled: no binary fraction comes
// between. A mistake in it does not end the decoding of the document.
func (a *Amount) UnmarshalYAML(n *yaml.Node) error {
	v, err := call.ParseUSD(n.Value)
	if err != nil || n.Kind != yaml.ScalarNode {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %q is not an amount in dollars such as 12.50", n.Line, n.Value)}}
	}
	*a = Amount(v)
	return nil
}
