package sim

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-gateway/weir/internal/schema"
)

// The kinds of [Fault]. A status alone, such as "503", is a kind too: an answer
// of that status in the API's words.
const (
	// FaultStatus answers with Status, Type, Message and ErrorCode.
	FaultStatus = "status"
	// FaultOverloaded is 529, FaultServerError 500, FaultTimeout 504 and
	// FaultRateLimit a 429 that the buckets did not cause.
	FaultOverloaded  = "overloaded"
	FaultServerError = "api_error"
	FaultTimeout     = "timeout"
	FaultRateLimit   = "rate_limit"
	// The conditions of the account: Anthropic docs, errors and spend limits.
	FaultEnforcedSpendLimit     = "enforced_spend_limit"
	FaultContractSpendLimit     = "contract_spend_limit"
	FaultOwnSpendLimit          = "own_spend_limit"
	FaultOwnWorkspaceSpendLimit = "own_workspace_spend_limit"
	FaultNoCredit               = "no_credit"
	FaultDisabled               = "organization_disabled"
	FaultOnHold                 = "organization_on_hold"
	FaultBadKey                 = "bad_key"
	// FaultReset breaks the connection, FaultEOF ends the answer early but
	// properly, FaultStall stops sending for Delay, FaultErrorEvent sends an
	// error event (or status) and ends: each after AfterEvents events of a
	// stream, or before the answer if that is 0.
	FaultReset      = "reset"
	FaultEOF        = "eof"
	FaultStall      = "stall"
	FaultErrorEvent = "error_event"
	// FaultSlow delays the first token by Delay.
	FaultSlow = "slow"
	// FaultMalformed breaks the JSON of the answer, or of the event after
	// AfterEvents.
	FaultMalformed = "malformed"
)

// faultKinds are all of them but the bare statuses.
var faultKinds = []string{
	FaultStatus, FaultOverloaded, FaultServerError, FaultTimeout, FaultRateLimit, FaultEnforcedSpendLimit,
	FaultContractSpendLimit, FaultOwnSpendLimit, FaultOwnWorkspaceSpendLimit, FaultNoCredit, FaultDisabled,
	FaultOnHold, FaultBadKey, FaultReset, FaultEOF, FaultStall, FaultErrorEvent, FaultSlow, FaultMalformed,
}

// byKind are the kinds that stand for a status.
var byKind = map[string]int{
	FaultOverloaded: 529, FaultServerError: 500, FaultTimeout: 504, FaultRateLimit: 429, FaultBadKey: 401,
}

// Fault is something that goes wrong. It strikes the requests that meet all of
// its conditions; a fault without conditions strikes every request.
type Fault struct {
	Kind string `yaml:"kind" jsonschema:"required"`

	// When, since the start of the server.
	At  Duration `yaml:"at,omitempty"`
	For Duration `yaml:"for,omitempty"` // default: for good

	// Which requests. They are numbered from 1 as they arrive.
	Every       int64    `yaml:"every,omitempty" jsonschema:"minimum=0"` // each n-th
	Requests    []int64  `yaml:"requests,omitempty"`                     // these numbers
	Probability *float64 `yaml:"probability,omitempty" jsonschema:"minimum=0,maximum=1"`
	Endpoint    string   `yaml:"endpoint,omitempty" jsonschema:"enum=messages,enum=count_tokens,enum=models,enum=batches"`
	Model       string   `yaml:"model,omitempty"` // the model asked for begins with it
	Key         string   `yaml:"key,omitempty"`   // the API key
	Workspace   string   `yaml:"workspace,omitempty"`

	// What happens.
	AfterEvents  int      `yaml:"after_events,omitempty" jsonschema:"minimum=0"`
	Delay        Duration `yaml:"delay,omitempty"` // of slow (default 10s) and stall (default: until the client leaves)
	Status       int      `yaml:"status,omitempty" jsonschema:"minimum=0,maximum=599"`
	Type         string   `yaml:"type,omitempty"`
	Message      string   `yaml:"message,omitempty"`
	ErrorCode    string   `yaml:"error_code,omitempty"`
	RetryAfter   int      `yaml:"retry_after,omitempty" jsonschema:"minimum=0"` // seconds; 0: no header
	LimitHeaders bool     `yaml:"limit_headers,omitempty"`                      // send rate-limit headers too
}

// wrong reports what a schema cannot say.
func (f Fault) wrong() []schema.Fault {
	var v faultList
	if _, number := statusOf(f.Kind); !number && !slices.Contains(faultKinds, f.Kind) {
		v.add(".kind", strconv.Quote(f.Kind)+" is not a kind of fault", "a status, or one of "+joined(faultKinds))
	}
	if f.Kind == FaultStatus && f.Status < 400 {
		v.add(".status", "must be given and at least 400", "for example 503")
	}
	return v.faults
}

// statusOf reads a kind that is a number.
func statusOf(kind string) (int, bool) {
	n, err := strconv.Atoi(kind)
	return n, err == nil && n >= 400 && n <= 599
}

// strikes reports whether the fault concerns request n of x, as far as the
// body need not be known.
func (f *Fault) strikes(x *exchange, n int64, endpoint string) bool {
	switch {
	case x.began < f.At.D(), f.For > 0 && x.began >= f.At.D()+f.For.D():
		return false
	case f.Every > 0 && n%f.Every != 0, len(f.Requests) > 0 && !slices.Contains(f.Requests, n):
		return false
	case f.Endpoint != "" && f.Endpoint != endpoint:
		return false
	case f.Key != "" && f.Key != x.key:
		return false
	case f.Workspace != "" && f.Workspace != x.who.workspace.name && f.Workspace != x.who.workspace.id:
		return false
	}
	return f.Probability == nil || x.rng.Float64() < *f.Probability
}

// upset is what goes wrong with one request.
type upset struct {
	faults []*Fault
}

// choose collects the faults that strike x.
func (x *exchange) choose(endpoint string) upset {
	n := x.numbered.Add(1)
	var u upset
	for i := range x.faults {
		if f := &x.faults[i]; f.strikes(x, n, endpoint) {
			u.faults = append(u.faults, f)
		}
	}
	for word := range strings.SplitSeq(x.r.Header.Get("X-Sim-Fault"), ",") {
		if word = strings.TrimSpace(word); word != "" {
			u.faults = append(u.faults, steered(word))
		}
	}
	return u
}

// steered reads kind@event of the x-sim-fault header. A kind that does not
// exist is an error that nobody can overlook.
func steered(word string) *Fault {
	kind, after, _ := strings.Cut(word, "@")
	f := &Fault{Kind: kind}
	f.AfterEvents, _ = strconv.Atoi(after)
	if kind == "error" {
		f.Kind = FaultErrorEvent
	}
	if len(f.wrong()) > 0 {
		return &Fault{Kind: FaultStatus, Status: 400, Message: "x-sim-fault: " + kind + " is not a kind of fault"}
	}
	return f
}

// forModel drops the faults of other models, once the model is known.
func (u *upset) forModel(name string) {
	u.faults = slices.DeleteFunc(u.faults, func(f *Fault) bool {
		return f.Model != "" && !strings.HasPrefix(name, f.Model)
	})
}

// find returns the first fault of one of kinds, or nil.
func (u upset) find(kinds ...string) *Fault {
	for _, f := range u.faults {
		if slices.Contains(kinds, f.Kind) {
			return f
		}
	}
	return nil
}

// delay is what the slow faults add to the time to the first token.
func (u upset) delay() time.Duration {
	sum := time.Duration(0)
	for _, f := range u.faults {
		if f.Kind == FaultSlow {
			sum += cmp.Or(f.Delay.D(), 10*time.Second)
		}
	}
	return sum
}

// refusal returns the error that a fault answers with instead of an answer.
func (f *Fault) refusal(now time.Time) *apiError {
	e := account(f.Kind, now)
	if status, ok := statusOf(f.Kind); ok {
		e = standard(status)
	} else if f.Kind == FaultStatus {
		e = standard(f.Status)
	} else if status, ok := byKind[f.Kind]; ok {
		e = standard(status)
	}
	if e == nil {
		return nil
	}
	e.status = cmp.Or(f.Status, e.status)
	e.kind = cmp.Or(f.Type, e.kind)
	e.message = cmp.Or(f.Message, e.message)
	e.code = cmp.Or(f.ErrorCode, e.code)
	e.retryAfter = cmp.Or(f.RetryAfter, e.retryAfter)
	return e
}

func joined(words []string) string { return strings.Join(words, ", ") }
