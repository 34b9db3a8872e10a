package load

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Workload says what is asked for. The zero Workload is one agent without a
// pause, 2k-14k input tokens, 256 output tokens and the official SDK's retries.
// Several workloads may run into one [Recorder] at once.
type Workload struct {
	Seed uint64

	// Closed loop: Agents users, each of whom asks again Think after its
	// answer, and not sooner than Pace after its last question. Both vary by
	// ±50 %. Agents/Pace is what they would ask for if every answer came at
	// once. The agents begin spread over Stagger.
	Agents  int
	Think   time.Duration
	Pace    time.Duration
	Stagger time.Duration

	// Open loop, if Rate > 0: Poisson arrivals per second, at most MaxInFlight
	// (1,000) at once; the others are dropped and counted.
	Rate        float64
	MaxInFlight int

	// A recorded or synthetic trace, instead of either loop: what is asked, by
	// whom and when. Speed (1) is how many times as fast it comes.
	Trace []Arrival
	Speed float64

	Input       Size // whole input, cached part included
	Output      Size // asked of the simulator by x-sim-output-tokens
	MaxTokens   int
	CachedShare float64 // mean share of the input that is one shared, cached prefix
	StreamShare float64
	Models      []string // drawn evenly
	Tenants     []Tenant

	Timeout time.Duration // the client's own deadline for each attempt, as x-stainless-timeout
	Client  Policy

	// Patience is how long a user waits who then closes the window, without
	// having told anybody before; 0 = for ever.
	Patience time.Duration

	Requests int           // bound on the count; 0 = none
	Duration time.Duration // bound on the time; 0 = none
	Finish   bool          // when time is up, see through what is under way instead of cutting it off
}

// Tenant is a share of the traffic. An empty Class sends no weir-class header.
type Tenant struct {
	Name   string  `yaml:"name" jsonschema:"required"`
	Weight float64 `yaml:"weight,omitempty" jsonschema:"minimum=0"` // of the traffic; 0 = 1
	Class  string  `yaml:"class,omitempty" jsonschema:"enum=interactive,enum=normal,enum=batch"`
}

// Validate reports all faults of w at once.
func (w Workload) Validate() error {
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	fault(w.Agents < 0, "agents: %d is negative", w.Agents)
	fault(w.Rate < 0, "rate: %v is negative", w.Rate)
	fault(w.Speed < 0, "speed: %v is negative", w.Speed)
	fault(w.CachedShare < 0 || w.CachedShare >= 1, "cached_share: %v is not in [0, 1)", w.CachedShare)
	fault(w.StreamShare < 0 || w.StreamShare > 1, "stream_share: %v is not in [0, 1]", w.StreamShare)
	fault(w.MaxInFlight < 0, "max_in_flight: %d is negative", w.MaxInFlight)
	fault(w.Requests < 0, "requests: %d is negative", w.Requests)
	fault(slices.Contains(w.Models, ""), "models: a name is empty")
	times := []time.Duration{w.Think, w.Pace, w.Stagger, w.Timeout, w.Duration, w.Patience}
	fault(slices.Min(times) < 0, "a duration is negative")
	for i, t := range w.Tenants {
		fault(t.Weight < 0, "tenants[%d].weight: %v is negative", i, t.Weight)
		_, known := call.ParseClass(t.Class)
		fault(t.Class != "" && !known, "tenants[%d].class: %q is not interactive, normal or batch", i, t.Class)
	}
	errs = append(errs, w.Client.validate())
	if err := w.Input.validate(); err != nil {
		errs = append(errs, fmt.Errorf("input: %w", err))
	}
	if err := w.Output.validate(); err != nil {
		errs = append(errs, fmt.Errorf("output: %w", err))
	}
	return errors.Join(errs...)
}

// Charged is the mean number of input tokens that one request of w draws from
// the input limiter, once the shared prefix is cached.
func (w Workload) Charged() float64 {
	w = w.withDefaults()
	return w.Input.Mean() * (1 - w.CachedShare)
}

// PaceFor returns the Pace at which w's agents ask for times as many input
// tokens as a limit of perMinute allows.
func (w Workload) PaceFor(times, perMinute float64) time.Duration {
	w = w.withDefaults()
	perSecond := times * perMinute / 60
	return time.Duration(float64(w.Agents) * w.Charged() / perSecond * float64(time.Second))
}

func (w Workload) withDefaults() Workload {
	w.Agents = cmp.Or(w.Agents, 1)
	w.MaxInFlight = cmp.Or(w.MaxInFlight, 1000)
	w.Speed = cmp.Or(w.Speed, 1)
	w.Input = w.Input.or(Uniform(2000, 14000))
	w.Output = w.Output.or(Fixed(256))
	w.MaxTokens = cmp.Or(w.MaxTokens, 4096)
	w.Timeout = cmp.Or(w.Timeout, 600*time.Second)
	if len(w.Models) == 0 {
		w.Models = []string{"claude-sonnet-5"}
	}
	if len(w.Tenants) == 0 {
		w.Tenants = []Tenant{{}}
	}
	if w.Client == (Policy{}) {
		w.Client = SDK()
	}
	return w
}
