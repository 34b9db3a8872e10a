package load

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/weir-gateway/weir/call"
)

// Size is a distribution of token counts. With a Sigma it is lognormal around
// Median, cut off at Min and Max; without one it is uniform from Min to Max.
// The zero Size means the default of the field that holds it.
type Size struct {
	Min    call.Tokens `yaml:"min,omitempty" jsonschema:"minimum=0"`
	Max    call.Tokens `yaml:"max,omitempty" jsonschema:"minimum=0"`
	Median call.Tokens `yaml:"median,omitempty" jsonschema:"minimum=1"`
	Sigma  float64     `yaml:"sigma,omitempty" jsonschema:"minimum=0"` // of the logarithm; 1 = most within a factor of e
}

// Fixed is always n.
func Fixed(n call.Tokens) Size { return Size{Min: n, Max: n} }

// Uniform is anything from low to high, evenly.
func Uniform(low, high call.Tokens) Size { return Size{Min: low, Max: high} }

// Lognormal is many small and a few large ones, up to high.
func Lognormal(median, high call.Tokens, sigma float64) Size {
	return Size{Min: 1, Max: high, Median: median, Sigma: sigma}
}

// Draw returns one size.
func (s Size) Draw(rng *rand.Rand) call.Tokens {
	if s.Sigma == 0 {
		return s.Min + call.Tokens(rng.Int64N(int64(s.Max-s.Min)+1))
	}
	return s.cut(float64(s.Median) * math.Exp(s.Sigma*rng.NormFloat64()))
}

// Mean returns the mean size.
func (s Size) Mean() float64 {
	if s.Sigma == 0 {
		return float64(s.Min+s.Max) / 2
	}
	const steps = 2000 // of equal probability, because cutting off has no closed form
	var sum float64
	for i := range steps {
		p := (float64(i) + 0.5) / steps
		z := math.Sqrt2 * math.Erfinv(2*p-1)
		sum += float64(s.cut(float64(s.Median) * math.Exp(s.Sigma*z)))
	}
	return sum / steps
}

func (s Size) cut(x float64) call.Tokens {
	return call.Tokens(math.Round(min(max(x, float64(s.Min)), float64(s.Max))))
}

func (s Size) or(other Size) Size {
	if s == (Size{}) {
		return other
	}
	return s
}

func (s Size) validate() error {
	switch {
	case s.Min < 0 || s.Max < s.Min:
		return fmt.Errorf("min %d and max %d are not a range", s.Min, s.Max)
	case s.Sigma < 0:
		return fmt.Errorf("sigma %v is negative", s.Sigma)
	case s.Sigma > 0 && s.Median <= 0:
		return fmt.Errorf("median %d is not positive", s.Median)
	}
	return nil
}
