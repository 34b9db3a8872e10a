package call

import (
	"context"
	"time"
)

// Protector guards the gateway itself against more than it can take: flow,
// concurrency, hot parameters, the machine's load. It knows nothing of the
// upstream's quota. Implementations are safe for concurrent use.
type Protector interface {
	// Enter lets c in, or says by which rule it may not. It may make c wait for
	// its turn, but not beyond c's deadline, and not when ctx has ended. leave
	// must be called once, when c's answer has ended; it is nil with a refusal.
	Enter(ctx context.Context, c *Call) (leave func(), no *Refusal)
	// Report lists the rules in force.
	Report() []RuleReport
}

// RuleReport is one rule of protection, and what it has done.
type RuleReport struct {
	Rule     string `json:"rule"` // its name for people
	Kind     string `json:"kind"` // flow, isolation, hotspot or system
	Resource string `json:"resource"`
	Refused  uint64 `json:"refused"` // calls, since the rule was loaded
}

// BreakerReport is one circuit breaker that has ever left the closed state.
type BreakerReport struct {
	Scope   string     `json:"scope"`              // host/model
	State   string     `json:"state"`              // closed, half_open or open
	Since   time.Time  `json:"since"`              // when it came to that state
	Rule    string     `json:"rule,omitempty"`     // which rule keeps it from being closed
	Cause   string     `json:"cause,omitempty"`    // failing, overloaded or slow, unless closed
	RetryAt *time.Time `json:"retry_at,omitempty"` // when a probe may go; nil unless open
	Opened  uint64     `json:"opened"`             // how often it has opened
}

// ProtectionReport is the answer of GET /api/v1/protection.
type ProtectionReport struct {
	At       time.Time       `json:"at"`
	Breakers []BreakerReport `json:"breakers"`
	Rules    []RuleReport    `json:"rules"`
}
