package call

import "time"

// Event is one finished call, as metrics, the live page and the ledger see it.
// It carries no content of the request.
type Event struct {
	ID       string
	At       time.Time // when it ended
	Endpoint Endpoint
	Model    string
	Tenant   string
	Class    Class
	Stream   bool
	Status   int    // what the client saw; 499 if it had left
	Outcome  string // ok, refused, upstream_error, client_gone, failed_mid_stream
	Reason   string // code of the refusal or kind of the failure
	Waited   time.Duration
	Took     time.Duration
	FirstIn  time.Duration // to the first content byte; 0 if none came
	Attempts int
	Parts    int // that it was split into, each of which has an event of its own; 0: it was not
	Hedges   int // attempts that ran beside another one
	Estimate Estimate
	Usage    Usage
	Degraded Degradation
	Prompt   PromptCaching
	Client   string      // name of the gateway token that let it in; "" where there are none
	Cached   CacheResult // what the cache of answers did
	Cost     USD         // of Usage, by the price table; the most that any model costs where Priced is false
	Priced   bool
	Story    []Attempt // not to be changed

	TraceParent string // traceparent, as the caller sent it; or empty
}

// Observer receives events. It must not block.
type Observer interface{ Event(Event) }
