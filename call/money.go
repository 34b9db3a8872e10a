package call

import "time"

// MoneyReport is what the calls of the ledger's present period have cost.
type MoneyReport struct {
	At      time.Time      `json:"at"`
	Since   time.Time      `json:"since"`
	Total   MoneyRow       `json:"total"`
	Tenants []MoneyRow     `json:"tenants"` // the most expensive first
	Models  []MoneyRow     `json:"models"`  // the most expensive first
	Days    []MoneyRow     `json:"days"`    // the latest first; Name is the date
	Budgets []BudgetReport `json:"budgets"`
}

// MoneyRow is the sum over one tenant, model or day.
type MoneyRow struct {
	Name     string `json:"name"`
	Requests int64  `json:"requests"`
	Input    Tokens `json:"input_tokens"` // all of it, cached or not
	Output   Tokens `json:"output_tokens"`
	Cost     USD    `json:"cost_usd"`
}

// BudgetReport is one budget, or one subject's purse of it, and how far it is
// used.
type BudgetReport struct {
	Name     string     `json:"name"`
	Subject  string     `json:"subject,omitempty"` // whose purse it is: a tenant, token or model
	Each     string     `json:"each,omitempty"`    // which of these
	Period   string     `json:"period,omitempty"`  // day, week or month
	Limit    USD        `json:"limit_usd"`
	Spent    USD        `json:"spent_usd"`
	Reserved USD        `json:"reserved_usd"`           // for calls under way, on top of what is spent
	Share    float64    `json:"share"`                  // spent of the limit
	Soft     int        `json:"soft_percent,omitempty"` // from where on people are warned; 0: as of all budgets
	Level    string     `json:"level,omitempty"`        // ok, soft or spent
	ResetAt  *time.Time `json:"reset_at,omitempty"`     // nil: never by itself
}

// CacheReport is what the gateway's own cache of answers holds and has saved.
// Entries, Bytes and Evictions are those of the memory; further stores may hold
// more.
type CacheReport struct {
	At        time.Time          `json:"at"`
	Entries   int64              `json:"entries"`
	Bytes     int64              `json:"bytes"`
	Hits      uint64             `json:"hits"`
	Misses    uint64             `json:"misses"`
	Joins     uint64             `json:"joins"`     // calls that shared the answer to another one under way
	Evictions uint64             `json:"evictions"` // entries that had to make room
	Saved     Tokens             `json:"saved_tokens"`
	SavedUSD  USD                `json:"saved_usd"` // by the prices of when the answers were made
	Stores    []CacheStoreReport `json:"stores"`    // besides the memory
}

// CacheStoreReport is one store of a cache besides its memory.
type CacheStoreReport struct {
	Name  string `json:"name"`            // disk or redis
	State string `json:"state"`           // ok or away
	Bytes int64  `json:"bytes"`           // of disk; 0 where it is not known
	Lost  uint64 `json:"lost"`            // answers that it was too slow or too ill to take
	Error string `json:"error,omitempty"` // why it is away
}

// PromptCacheReport is what marks that the gateway has put into requests did,
// since it was started (the calls are those that have ended).
type PromptCacheReport struct {
	At      time.Time `json:"at"`
	Calls   uint64    `json:"calls"`          // that had such marks
	Freed   Tokens    `json:"freed_tokens"`   // of their input, read from the upstream's cache
	Written Tokens    `json:"written_tokens"` // of their input, written to it
	Saved   USD       `json:"saved_usd"`      // what reading saved, less what writing cost more; may be negative
}

// Ledger writes down what calls cost, and says how it fares.
type Ledger interface {
	Observer
	Report() LedgerReport
}

// LedgerReport is how a ledger fares. Records are attempts.
type LedgerReport struct {
	Booked       uint64        // written to the journal since the start
	Carried      uint64        // from there into the store
	Lost         uint64        // neither the journal nor memory had room for them
	Held         int           // in memory, because the journal cannot be written
	JournalBytes int64         // that the store has not taken yet
	Behind       time.Duration // age of the oldest record that the store lacks

	// The latest whole day beside the upstream's own reports.
	Checked    bool
	Difference USD // what was charged less what was booked
	Apart      USD // the differences of all models, whichever way they go
}
