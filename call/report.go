package call

import "time"

// QuotaReport is the answer of GET /api/v1/quota (DESIGN §2.6).
type QuotaReport struct {
	At      time.Time      `json:"at"`
	Buckets []BucketReport `json:"buckets"`
	Keys    []KeyReport    `json:"keys"`
	State   string         `json:"state"` // ok, tight, exhausted or blocked
}

// BucketReport is the belief about one bucket. Token counts are whole tokens.
type BucketReport struct {
	Organization string    `json:"organization"`
	Workspace    string    `json:"workspace"`
	Group        string    `json:"group"`
	Limiter      string    `json:"limiter"`
	Limit        int64     `json:"limit"`
	Remaining    int64     `json:"remaining"`
	Low          int64     `json:"low"`
	High         int64     `json:"high"`
	Reserved     int64     `json:"reserved"`
	FullAt       time.Time `json:"full_at"`
	EmptyIn      *float64  `json:"empty_in_s"` // nil: not on the way to empty
	Source       string    `json:"source"`     // header, api, config or guess
	ObservedAt   time.Time `json:"observed_at"`
}

// KeyReport is the state of one credential, without the credential.
type KeyReport struct {
	Name         string     `json:"name"`
	Organization string     `json:"organization"`
	SameQuota    []string   `json:"same_quota_as,omitempty"` // keys of the same organization: together they add nothing
	State        string     `json:"state"`                   // ok or blocked
	Reason       string     `json:"reason,omitempty"`        // the kind of failure
	Block        string     `json:"block,omitempty"`         // finer than Reason: see [Verdict.Block]
	Message      string     `json:"message,omitempty"`       // the upstream's own words
	Since        *time.Time `json:"since,omitempty"`
	Until        *time.Time `json:"until,omitempty"` // nil while blocked: until somebody lifts it
}

// QueueReport is the answer of GET /api/v1/queue.
type QueueReport struct {
	At      time.Time    `json:"at"`
	Waiting int          `json:"waiting"`
	Bytes   int64        `json:"bytes"`
	Lanes   []LaneReport `json:"lanes"`
}

// LaneReport is the queue in front of one organization and model group.
type LaneReport struct {
	Organization string         `json:"organization"`
	Group        string         `json:"group"`
	Waiting      int            `json:"waiting"`
	InFlight     int            `json:"in_flight"`
	OldestWait   float64        `json:"oldest_wait_s"`
	HeadIn       *float64       `json:"head_in_s"` // when the head may go; nil: unknown
	BoundBy      string         `json:"bound_by"`  // what holds the head
	ByClass      map[string]int `json:"by_class"`
	Next         []WaiterReport `json:"next"`    // the first who will go, at most 20
	Tenants      []TenantReport `json:"tenants"` // those with the most waiting, at most 20
}

// TenantReport is what of a lane's queue is one tenant's.
type TenantReport struct {
	Tenant   string   `json:"tenant"`
	Waiting  int      `json:"waiting"`
	Position int      `json:"position"`   // of its first; 1: it goes next
	ETA      *float64 `json:"eta_s"`      // seconds until its first goes; nil: unknown
	LastETA  *float64 `json:"last_eta_s"` // seconds until its last goes; nil: unknown
}

// WaiterReport is one call that waits. Position and ETA hold if nobody else
// comes and all calls cost what is expected.
type WaiterReport struct {
	ID       string   `json:"id"`
	Tenant   string   `json:"tenant"`
	Class    string   `json:"class"`
	Position int      `json:"position"` // 1: it goes next
	ETA      *float64 `json:"eta_s"`    // seconds until it goes; nil: unknown
	Waited   float64  `json:"waited_s"`
	Input    Tokens   `json:"input_tokens"` // estimated
	Attempt  int      `json:"attempt"`      // 1: it was not sent before
}

// LadderReport is the answer of GET /api/v1/degradation: what is made simpler
// now, and why.
type LadderReport struct {
	At     time.Time    `json:"at"`
	DryRun bool         `json:"dry_run"` // nothing is: it is only counted
	Faults uint64       `json:"faults"`  // evaluations of conditions that failed: the rung stayed as it was
	Rungs  []RungReport `json:"rungs"`
}

// RungReport is the state of one rung of the ladder.
type RungReport struct {
	Rung    string          `json:"rung"`
	Enter   string          `json:"enter"`
	Leave   string          `json:"leave,omitempty"` // empty: when enter does not hold
	Changes uint64          `json:"changes"`         // how often it came into force or went out of it
	Would   uint64          `json:"would"`           // calls that a dry run would have made simpler
	Fault   string          `json:"fault,omitempty"` // why a condition failed when it was looked at last
	Places  int             `json:"places"`          // in how many it is in force
	InForce []InForceReport `json:"in_force"`        // the latest of them, at most 20
}

// InForceReport is for whom a rung is in force.
type InForceReport struct {
	Class  string    `json:"class"`
	Tenant string    `json:"tenant,omitempty"` // empty: all
	Model  string    `json:"model"`
	Since  time.Time `json:"since"`
	Values string    `json:"values,omitempty"` // what the conditions look at, now: headroom = 0.12
}
