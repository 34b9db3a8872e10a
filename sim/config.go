package sim

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Config is what [New] needs. The zero Config works: one organization on the
// start tier with full buckets, which answers at once. Fields that are set win
// over what the scenario says.
type Config struct {
	Tier      string       // one of [Tiers]; default "start"
	Limits    Limits       // replace the tier's numbers for every model group
	Seed      uint64       // the same seed gives the same answers
	Speed     float64      // how many times faster than the world's its clock runs, by which it also dates; default 1
	StartFill *float64     // share of the buckets that is full at the start, 0 to 1; nil: full
	Timing    Timing       // zero: the scenario's, or at once
	Rules     *Rules       // how strict the limiter is; nil: the scenario's, or the defaults
	Scenario  *Scenario    // organizations and faults; nil: one organization, no faults
	Logger    *slog.Logger // one line per request at level debug; nil: none
}

// Limits are requests and tokens per minute. A zero field means "not said
// here": the tier's, or for a workspace the organization's.
type Limits struct {
	Requests     int64 `yaml:"requests,omitempty" json:"requests,omitempty" jsonschema:"minimum=1"`
	InputTokens  int64 `yaml:"input_tokens,omitempty" json:"input_tokens,omitempty" jsonschema:"minimum=1"`
	OutputTokens int64 `yaml:"output_tokens,omitempty" json:"output_tokens,omitempty" jsonschema:"minimum=1"`
}

// or fills what l does not say from m.
func (l Limits) or(m Limits) Limits {
	return Limits{
		Requests:     cmp.Or(l.Requests, m.Requests),
		InputTokens:  cmp.Or(l.InputTokens, m.InputTokens),
		OutputTokens: cmp.Or(l.OutputTokens, m.OutputTokens),
	}
}

// of returns the limits in the order of the limiters.
func (l Limits) of() [numLimiters]float64 {
	return [...]float64{float64(l.Requests), float64(l.InputTokens), float64(l.OutputTokens)}
}

// Timing is how fast and how much the models talk, in the server's time.
type Timing struct {
	TTFT            time.Duration // from the request to the first token
	TokensPerSecond float64       // of one answer; 0: all at once
	Batch           time.Duration // from the making of a batch to its end; 0: at once
	Output          Output
}

// Output is how long answers are, in tokens: log-normal around Median, so
// that half of the answers are shorter. MaxTokens of the request always holds.
type Output struct {
	Median int     `yaml:"median,omitempty" jsonschema:"minimum=1"` // default 40
	Sigma  float64 `yaml:"sigma,omitempty" jsonschema:"minimum=0"`  // of the logarithm; 0: always Median
	Max    int     `yaml:"max,omitempty" jsonschema:"minimum=1"`    // default: no bound
}

// settle merges what the scenario says under c and fills the defaults.
func (c Config) settle() (Config, error) {
	s := c.Scenario
	if s == nil {
		s = &Scenario{}
	}
	copied := *s
	c.Scenario = &copied
	c.Seed = cmp.Or(c.Seed, s.Seed)
	c.Speed = cmp.Or(c.Speed, s.Speed, 1)
	if c.Timing == (Timing{}) {
		c.Timing = s.Timing.timing()
	}
	c.Timing.Output.Median = cmp.Or(c.Timing.Output.Median, 40)
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	if len(s.Organizations) == 0 {
		c.Scenario.Organizations = []Organization{{Name: "default"}}
	}
	return c, c.check()
}

// check reports everything that is wrong with c at once.
func (c Config) check() error {
	var errs []error
	complain := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Tier != "" && !knownTier(c.Tier) {
		complain("tier %q is not known: use one of %s", c.Tier, strings.Join(Tiers(), ", "))
	}
	if c.Speed <= 0 || c.Speed > 1e6 {
		complain("speed %v is out of range: use more than 0 and at most 1000000", c.Speed)
	}
	if f := c.StartFill; f != nil && !(*f >= 0 && *f <= 1) {
		complain("start fill %v is out of range: use 0 to 1", *f)
	}
	if c.Timing.TTFT < 0 || c.Timing.TokensPerSecond < 0 {
		complain("timing must not be negative")
	}
	for _, l := range c.Limits.of() {
		if l < 0 {
			complain("limits must not be negative")
		}
	}
	for _, f := range c.Scenario.Validate() {
		complain("scenario: %s", f)
	}
	return errors.Join(errs...)
}
