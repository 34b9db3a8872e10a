package call

import (
	"fmt"
	"time"
)

// WarningLevel says how urgent a warning is. A higher value is more urgent.
type WarningLevel uint8

// The levels, the least urgent first.
const (
	Notice           WarningLevel = iota // good to know
	Urgent                               // somebody should look before it hurts
	Critical                             // it hurts now, or is about to
	NumWarningLevels = 3
)

// String returns the word that the admin API uses.
func (l WarningLevel) String() string {
	return [...]string{"notice", "warning", "critical"}[l]
}

// MarshalText writes the word.
func (l WarningLevel) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads the word.
func (l *WarningLevel) UnmarshalText(text []byte) error {
	for level := range WarningLevel(NumWarningLevels) {
		if level.String() == string(text) {
			*l = level
			return nil
		}
	}
	return fmt.Errorf("%q is no level of warnings: write notice, warning or critical", text)
}

// WarningKind is what a warning is about.
type WarningKind string

// The kinds of warning.
const (
	QuotaLow      WarningKind = "quota_low"      // a bucket has fallen below a threshold
	QuotaForecast WarningKind = "quota_forecast" // a bucket is about to be empty
	AccountDown   WarningKind = "account_blocked"
	KeyRefused    WarningKind = "key_refused"
	BreakerOpen   WarningKind = "breaker_open"
	BudgetLow     WarningKind = "budget_low" // most of a budget is spent
)

// Warning is one matter that a person should know of. The fields that do not
// belong to its kind are empty.
type Warning struct {
	ID    string       `json:"id"` // stable: the same matter has the same id whenever it comes
	Kind  WarningKind  `json:"kind"`
	Level WarningLevel `json:"level"`
	Since time.Time    `json:"since"` // when the matter was first noticed

	Organization string `json:"organization,omitempty"`
	Workspace    string `json:"workspace,omitempty"`
	Group        string `json:"group,omitempty"`
	Limiter      string `json:"limiter,omitempty"`
	Key          string `json:"key,omitempty"`    // its name
	Scope        string `json:"scope,omitempty"`  // of a breaker: host/model; the name of a budget
	Tenant       string `json:"tenant,omitempty"` // whose budget it is: a tenant, or a token or model
	Cause        string `json:"cause,omitempty"`  // why: the kind of block, or what is wrong with the upstream
	Detail       string `json:"detail,omitempty"` // the upstream's own words

	Threshold int        `json:"threshold_percent,omitempty"` // that was passed last; 0: none
	Left      *float64   `json:"left"`                        // share of the bucket or budget that is left, 0 to 1
	EmptyIn   *float64   `json:"empty_in_s"`                  // at the present pace; nil: not soon
	Until     *time.Time `json:"until"`                       // when it ends by itself; nil: unknown
}

// Whose names whom a block concerns: a key, where only that one is refused or
// at its workspace's limit, else the whole organization.
func (w *Warning) Whose() string {
	if w.Organization == "" || w.Kind == KeyRefused || w.Cause == "workspace_limit" {
		return w.Key
	}
	return w.Organization
}

// Notifier carries warnings to people. Implementations are safe for
// concurrent use.
type Notifier interface {
	// Tell takes the warnings that were raised, or have become more urgent, and
	// those that are over. It must not block.
	Tell(raised, cleared []Warning)
	// Report counts what became of the messages.
	Report() []WebhookReport
}

// WebhookReport counts one outcome of a webhook's messages.
type WebhookReport struct {
	Hook    string // its name
	Outcome string // one of a closed set
	Count   uint64
}
